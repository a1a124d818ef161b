package state

import (
	"errors"
	"fmt"
)

// What can be wrong with a document; a *FormatError wraps one of them.
var (
	// ErrTruncated: the document ends too early.
	ErrTruncated = errors.New("state is truncated")
	// ErrForeign: the document is something else than a state of esd.
	ErrForeign = errors.New("not a state of esd")
	// ErrInvalid: the document is a state of esd, but something in it is wrong.
	ErrInvalid = errors.New("state is invalid")
	// ErrTooLarge: the document is larger than MaxSize.
	ErrTooLarge = errors.New("state is too large")
)

// ErrNewerFormat is what a *NewerFormatError is, for errors.Is.
var ErrNewerFormat = errors.New("state has a newer format")

// FormatError says why a document cannot be read as a state.
type FormatError struct {
	// Source is the file or address the document came from.
	Source string
	// Line and Column (in bytes) are where the fault was found, from 1; 0 when
	// it is in no one place.
	Line, Column int
	// Detail says what is wrong there.
	Detail string
	// Fix says what to do.
	Fix string
	// Err is ErrTruncated, ErrForeign, ErrInvalid or ErrTooLarge.
	Err error
}

// Error gives place, kind, detail and remedy.
func (e *FormatError) Error() string {
	place := e.Source
	if e.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", e.Source, e.Line, e.Column)
	}
	msg := fmt.Sprintf("%s: %v: %s", place, e.Err, e.Detail)
	if e.Fix != "" {
		msg += "; " + e.Fix
	}
	return msg
}

// Unwrap returns the kind of the error.
func (e *FormatError) Unwrap() error { return e.Err }

// NewerFormatError says that a document was written by an esd too new for this
// one.
type NewerFormatError struct {
	// Source is the file or address the document came from.
	Source string
	// Format is the format version of the document.
	Format int
	// ESDVersion is the version of the esd that wrote it, "" when it does not
	// say.
	ESDVersion string
}

// Error names both versions and what to do.
func (e *NewerFormatError) Error() string {
	writer, need := "a newer esd", "a newer esd"
	if e.ESDVersion != "" {
		writer, need = "esd "+e.ESDVersion, "esd "+e.ESDVersion+" or newer"
	}
	return fmt.Sprintf("%s: state has format %d, written by %s; this esd reads formats up to %d: use %s",
		e.Source, e.Format, writer, FormatVersion, need)
}

// Is makes errors.Is(err, ErrNewerFormat) true.
func (e *NewerFormatError) Is(target error) bool { return target == ErrNewerFormat }

// ConflictError says why one state must not replace another.
type ConflictError struct {
	// Recorded is the state that is there, Offered the one that was to replace it.
	Recorded, Offered Header
}

// Error says which of lineage and serial is in conflict, and what to do.
func (e *ConflictError) Error() string {
	if e.Lineage() {
		return fmt.Sprintf("the recorded state has lineage %s, the new one %s: they describe different deployments; "+
			"check which state file or state block is meant", e.Recorded.Lineage, e.Offered.Lineage)
	}
	return fmt.Sprintf("the recorded state has serial %d, the new one %d, which is not newer: "+
		"somebody else has written in between; read the state again and repeat", e.Recorded.Serial, e.Offered.Serial)
}

// Lineage reports whether the lineages differ; otherwise the serial is too low.
func (e *ConflictError) Lineage() bool { return e.Recorded.Lineage != e.Offered.Lineage }

// NotFoundError says that no object has the address.
type NotFoundError struct{ Address string }

// Error names the address.
func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no object in the state has the address %s; `esd state list` shows those that are there", e.Address)
}
