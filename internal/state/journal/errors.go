package journal

import (
	"errors"
	"fmt"
)

// ErrClosed: the journal was closed.
var ErrClosed = errors.New("the journal is closed")

// CorruptError says that a journal was damaged where it had been safely on the
// disk.
type CorruptError struct {
	// Path of the file, and the line, from 1.
	Path string
	Line int
	// Detail says what is wrong there.
	Detail string
}

// Error says where, what, and how to go on.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s:%d: journal is damaged: %s; to go on, move the file away: what it recorded is then "+
		"found again in caches and registries, or made again", e.Path, e.Line, e.Detail)
}

// NewerFormatError says that a journal was written by an esd too new for this one.
type NewerFormatError struct {
	// Path of the file.
	Path string
	// Format is the format version of the journal.
	Format int
	// ESDVersion is the version of the esd that wrote it.
	ESDVersion string
}

// Error names both versions and what to do.
func (e *NewerFormatError) Error() string {
	return fmt.Sprintf("%s: journal has format %d, written by esd %s; this esd reads formats up to %d: use esd %s or newer",
		e.Path, e.Format, e.ESDVersion, FormatVersion, e.ESDVersion)
}
