package relocate

import "fmt"

// CannotGrowStringError says that a binary holds a prefix that would have to
// become longer. Strings in binaries have no room behind them.
type CannotGrowStringError struct {
	File     string // relative to the package's prefix
	Old, New string
	// Why is set when the reason is another than a string in the data: how the
	// file is built keeps its RPATH or interpreter from being moved.
	Why string
}

// Error implements error.
func (e *CannotGrowStringError) Error() string {
	why := "the new one is longer, and a string in a binary has no room to grow"
	if e.Why != "" {
		why = e.Why
	}
	return fmt.Sprintf("%s holds the prefix %q, which cannot become %q: %s; "+
		"build in a padded store (config:install_tree:padded_length), or install where prefixes have at most %d characters",
		e.File, e.Old, e.New, why, len(e.Old))
}

// CannotShrinkStringError says that a binary holds a prefix that would become
// shorter by so little that other strings, which the linker lets share its
// end, would be damaged.
type CannotShrinkStringError struct {
	File     string // relative to the package's prefix
	Old, New string
	String   string // the whole C string
}

// Error implements error.
func (e *CannotShrinkStringError) Error() string {
	return fmt.Sprintf("%s holds the string %q, in which %q cannot become %q: it is shorter by at most %d characters and ends differently; "+
		"build in a padded store (config:install_tree:padded_length), or install where the prefix is as long as it was, or shorter by more",
		e.File, e.String, e.Old, e.New, suffixSafety)
}

// PrefixError says that something cannot be a prefix to replace.
type PrefixError struct{ Prefix, Why string }

// Error implements error.
func (e *PrefixError) Error() string {
	return fmt.Sprintf("%q cannot be an install prefix: %s", e.Prefix, e.Why)
}

// SbangPathError says that the path of sbang itself is too long for the kernel.
type SbangPathError struct{ Path string }

// Error implements error.
func (e *SbangPathError) Error() string {
	return fmt.Sprintf("%q has %d characters, and the first line of a script has room for a path of %d: choose a shorter root of the install tree",
		e.Path, len(e.Path), ShebangLimit)
}
