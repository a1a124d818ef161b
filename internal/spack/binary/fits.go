package binary

import "esd/internal/spack/relocate"

// Fit tells what can be said of a relocation before the archive is there.
type Fit int

// From nothing to do to what may be refused.
const (
	// FitsUnchanged: everything is where it was.
	FitsUnchanged Fit = iota
	// FitsAlways: no prefix becomes longer, and strings can be padded.
	FitsAlways
	// FitsUnlessShared: a prefix becomes shorter by a few characters and ends
	// differently; a binary that holds it as the end of a string is refused.
	FitsUnlessShared
	// FitsWithoutStrings: a prefix becomes longer; binaries that hold it other
	// than as RPATH or interpreter are refused.
	FitsWithoutStrings
)

// String says it in words.
func (f Fit) String() string {
	return [...]string{
		"nothing has to be relocated",
		"it can be relocated",
		"it can be relocated unless a binary holds a string that ends with the prefix",
		"it can be relocated only if no binary holds the prefix in a string, for the new one is longer",
	}[f]
}

// Relocatable tells what can be said of packages with binaries, from an old
// prefix and a new one alone: those of a package, or the roots of two stores.
func Relocatable(oldPrefix, newPrefix string) Fit {
	switch shorter := len(oldPrefix) - len(newPrefix); {
	case oldPrefix == newPrefix:
		return FitsUnchanged
	case shorter < 0:
		return FitsWithoutStrings
	case relocate.StringFits(oldPrefix, newPrefix):
		return FitsAlways
	}
	return FitsUnlessShared
}

// Fits tells what can be said from the metadata of an archive; the error is what
// [Install] would say at once.
func Fits(m *Metadata, req Request) (Fit, error) {
	if err := req.check(); err != nil {
		return 0, err
	}
	if err := req.verify(m, ""); err != nil {
		return 0, err
	}
	rm, err := relocation(m, &req)
	if err != nil {
		return 0, err
	}
	if rm.Empty() {
		return FitsUnchanged, nil
	}
	worst := FitsAlways
	for _, r := range rm.Replacements() {
		// Only scripts call sbang.
		if len(m.Binaries) > 0 && r.Old != m.SbangPath {
			worst = max(worst, Relocatable(r.Old, r.New))
		}
	}
	return worst, nil
}
