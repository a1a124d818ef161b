package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Version is a version of Spack.
type Version struct {
	Major, Minor, Patch int
	// Text is the version as Spack spells it: "1.2.0.dev0".
	Text string
}

// Oldest is the oldest Spack that this package drives.
func Oldest() Version { return Version{Major: 0, Minor: 23, Text: "0.23"} }

// Before reports whether v is an earlier release than w.
func (v Version) Before(w Version) bool {
	if v.Major != w.Major {
		return v.Major < w.Major
	}
	if v.Minor != w.Minor {
		return v.Minor < w.Minor
	}
	return v.Patch < w.Patch
}

func (v Version) String() string { return v.Text }

// HasPackageRepositories reports whether packages come from repositories beside
// Spack, as since 1.0, and not with it.
func (v Version) HasPackageRepositories() bool { return v.Major >= 1 }

var (
	versionLine = lazily(`(?m)^__version__ = "([^"\n]{1,64})"`)
	versionText = lazily(`^(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?`)
)

// readVersion reads the version of the Spack in root from the file that Spack
// itself has it from; starting Spack for that would take most of a second.
func readVersion(root string) (Version, error) {
	name := filepath.Join(root, "lib", "spack", "spack", "__init__.py")
	text, err := readBounded(name, 1<<20)
	if err != nil {
		return Version{}, fmt.Errorf("%w: %s is not the directory of a Spack: %w", ErrNotFound, root, err)
	}
	found := versionLine().FindSubmatch(text)
	if found == nil {
		return Version{}, fmt.Errorf("%w: %s does not say __version__ = \"…\"; esd needs %s or later", ErrTooOld, name, Oldest())
	}
	return ParseVersion(string(found[1]))
}

// ParseVersion reads a version as Spack spells it.
func ParseVersion(text string) (Version, error) {
	parts := versionText().FindStringSubmatch(text)
	if parts == nil {
		return Version{}, fmt.Errorf("%q is not a version of Spack", text)
	}
	v := Version{Text: text}
	v.Major, _ = strconv.Atoi(parts[1]) // at most four digits, all of them
	v.Minor, _ = strconv.Atoi(parts[2])
	v.Patch, _ = strconv.Atoi(parts[3]) // 0 when missing
	return v, nil
}

// readBounded reads a file that is expected to be small.
func readBounded(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", name, info.Size(), limit)
	}
	return os.ReadFile(name)
}
