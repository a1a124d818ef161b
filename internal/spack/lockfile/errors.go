package lockfile

import (
	"errors"
	"fmt"
	"strings"

	"esd/internal/spack"
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
		at += " (" + e.Where + ")"
	}
	return fmt.Sprintf("the lock is damaged %s: %v%s", at, e.Err, restore)
}

func (e *SyntaxError) Unwrap() error { return e.Err }

// MissingError tells that something names a spec that is not in the lock.
type MissingError struct {
	By   string // "a root" or a package
	Name string // of the missing one
	Hash spack.Hash
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s needs %s /%s, which is not in the lock%s", e.By, e.Name, e.Hash, restore)
}

// KeyError tells that a spec stands under another hash than its own, or that
// an edge calls it by another name.
type KeyError struct {
	Name string
	What string
}

func (e *KeyError) Error() string { return e.Name + ": " + e.What + restore }

// CycleError tells that packages depend on each other in a circle.
type CycleError struct {
	Path []string // names; the last is the first again
}

func (e *CycleError) Error() string {
	return "the packages depend on each other in a circle: " + strings.Join(e.Path, " > ") + restore
}
