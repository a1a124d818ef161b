package lockfile

import (
	"errors"
	"fmt"
)

// ErrVersion marks locks of a version that is too old or too new.
var ErrVersion = errors.New("version of the lock is not supported")

// ErrNotLock marks files that are something else.
var ErrNotLock = errors.New("not a lock of a Spack environment")

// restore ends messages about locks that Spack cannot have written so.
const restore = "; restore spack.lock from version control, or let Spack concretize again"

// SyntaxError tells that a file is no JSON: it was cut short, or edited.
type SyntaxError struct {
	Offset int64 // bytes from the start of the file
	Where  string
	Err    error
}

func (e *SyntaxError) Error() string {
	at := fmt.Sprintf("at byte %d", e.Offset)
	if e.Where != "" {
		at += fmt.Sprintf(" (%.100s)", e.Where)
	}
	return fmt.Sprintf("the lock is damaged %s: %v%s", at, e.Err, restore)
}

func (e *SyntaxError) Unwrap() error { return e.Err }

// KeyError tells that a hash is none, or that a spec stands under another one
// than its own, or under one that another spec has.
type KeyError struct {
	Name string // of the package or root
	What string
}

func (e *KeyError) Error() string { return fmt.Sprintf("%.100s: %s%s", e.Name, e.What, restore) }
