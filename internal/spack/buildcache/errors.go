package buildcache

import (
	"errors"
	"fmt"
	"strings"

	"esd/internal/spack/transport"
)

// Sentinels for errors.Is. Errors of this package say in their text which cache and
// which object they are about.
var (
	// ErrNotFound says that a cache does not have an entry or object.
	ErrNotFound = transport.ErrNotFound
	// ErrReadOnly says that a cache can be read only: http(s), or opened so.
	ErrReadOnly = transport.ErrReadOnly
	// ErrUnlistable says that a cache can tell what it has only by its index.
	ErrUnlistable = transport.ErrUnlistable
	// ErrDenied says that a server wants other credentials than it was given.
	ErrDenied = transport.ErrDenied
	// ErrUnavailable says that a server could not be reached, or kept failing, for as
	// long as the retry policy lasts.
	ErrUnavailable = transport.ErrUnavailable
	// ErrInvalid says that a manifest, spec or index is malformed, too large, or not
	// about what its name says.
	ErrInvalid = transport.ErrInvalid
	// ErrChanged says that an entry was replaced since it was looked up: look it up
	// again, with Verify.
	ErrChanged = errors.New("the entry was replaced since it was looked up")
	// ErrIndex says that the index of a cache lists what is not there.
	ErrIndex = errors.New("the index is wrong")
)

// DigestError says that a blob is not what its manifest promises: it has another
// digest, or another size.
type DigestError struct {
	Location                 string // cache and object
	Expected, Actual         string // sha256 in hexadecimal; Actual "" when the size was wrong already
	ExpectedSize, ActualSize int64
}

// Error implements error.
func (e *DigestError) Error() string {
	if e.Actual == "" {
		return fmt.Sprintf("%s has %d bytes, %d expected: the cache is damaged or lying", e.Location, e.ActualSize, e.ExpectedSize)
	}
	return fmt.Sprintf("%s has the digest sha256:%s, expected sha256:%s: the cache is damaged or lying", e.Location, e.Actual, e.Expected)
}

// Unwrap makes errors.Is(err, ErrInvalid) true.
func (e *DigestError) Unwrap() error { return ErrInvalid }

// GenerationError says that a cache of version 2 was to get a package of Spack 1.x.
// Only Spack 0.23 needs that version, and it cannot read such packages.
type GenerationError struct {
	Location string // of the cache
	Package  string // its ID
	Specfile int    // version of the format of its spec
}

// Error implements error.
func (e *GenerationError) Error() string {
	return fmt.Sprintf("%s has layout v2, which is for Spack 0.23, and that cannot read packages of Spack 1.x, such as %s (specfile %d); use a cache with layout v3",
		e.Location, e.Package, e.Specfile)
}

// firstOf1x is the version of specfiles since which Spack 0.23 cannot read them.
const firstOf1x = 5

// checkGeneration refuses packages that the readers of a layout cannot read.
func checkGeneration(b backend, k key, specfile int) error {
	if b.layout() == V2 && specfile >= firstOf1x {
		return &GenerationError{Location: b.location(), Package: k.id(), Specfile: specfile}
	}
	return nil
}

// invalid makes an error that wraps ErrInvalid. Servers like to answer with a page of
// HTML where JSON was expected, which deserves its own words.
func invalid(where string, text []byte, format string, args ...any) error {
	head := strings.ToLower(strings.TrimSpace(string(text[:min(len(text), 64)])))
	if strings.HasPrefix(head, "<!doctype html") || strings.HasPrefix(head, "<html") {
		return fmt.Errorf("%s: %w: it is an HTML page; is the address right, and does it need a login?", where, ErrInvalid)
	}
	return fmt.Errorf("%s: %w: %s", where, ErrInvalid, fmt.Sprintf(format, args...))
}

// abbreviate keeps messages bounded when the text is not ours.
func abbreviate(s string) string {
	const most = 200
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
