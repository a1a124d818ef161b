package binary

import (
	"errors"
	"fmt"

	"esd/internal/archive"
	"esd/internal/spack"
)

// ErrNotEnough says that the prefix of an archive cannot be told from the bytes
// that are there; more of them may do.
var ErrNotEnough = errors.New("not enough of the archive to tell its prefix")

// ErrMetadata says that an archive has no readable .spack/binary_distribution,
// or one that does not describe the archive.
var ErrMetadata = errors.New("the archive's metadata (.spack/binary_distribution) cannot be used")

// ErrNotSupported says that an archive is right, but of a kind that only Spack
// itself can install.
var ErrNotSupported = errors.New("this archive can only be installed by Spack itself")

// OtherPackageError says that an archive holds another package than was asked for.
type OtherPackageError struct {
	Wanted spack.Hash
	Prefix string // of what is in the archive
}

// Error implements error.
func (e *OtherPackageError) Error() string {
	return fmt.Sprintf("the archive does not hold the package %s: its prefix is %s; the cache's entry is wrong, push the package again",
		e.Wanted, e.Prefix)
}

// MissingPrefixError says that the place of a dependency is not known.
type MissingPrefixError struct {
	Name string
	Hash spack.Hash
}

// Error implements error.
func (e *MissingPrefixError) Error() string {
	return fmt.Sprintf("the install prefix of the dependency %s/%s is not known: it has to be installed first", e.Name, e.Hash.Short())
}

func unsafeMember(name, why string) error {
	return fmt.Errorf("%w: %q: %s", archive.ErrUnsafe, short(name), why)
}

func badMetadata(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrMetadata}, args...)...)
}

// short keeps names that somebody else chose from filling the screen.
func short(name string) string {
	const most = 200
	if len(name) > most {
		return name[:most] + "…"
	}
	return name
}
