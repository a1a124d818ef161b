package store

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"esd/internal/spack"
)

var (
	// ErrCorrupt marks a database that cannot be understood.
	ErrCorrupt = errors.New("the database is damaged")
	// ErrVersion marks a database, or a spec for it, of another generation of
	// Spack than can be read or recorded.
	ErrVersion = errors.New("the version does not fit")
	// ErrReadOnly marks a store that this user may not change.
	ErrReadOnly = errors.New("the store cannot be written")
	// ErrLocked marks that somebody else kept a lock for too long.
	ErrLocked = errors.New("it is locked")
	// ErrNotInstalled marks packages that the store does not have.
	ErrNotInstalled = errors.New("it is not installed")
	// ErrMissingSpec marks dependencies whose specs nobody gave.
	ErrMissingSpec = errors.New("the spec of a dependency is missing")
	// ErrOutside marks paths that are not inside of the install tree.
	ErrOutside = errors.New("it is outside of the install tree")
)

// LockError tells who kept a lock for too long.
type LockError struct {
	What string // what is locked, for people
	Path string // the lock file
	// PID is the process that has the lock; 0 when it cannot be known, as for
	// processes on other machines.
	PID     int
	Process string // its name, where it is known
	Waited  time.Duration
}

func (e *LockError) Error() string {
	who := "another process"
	switch {
	case e.PID > 0 && e.Process != "":
		who = fmt.Sprintf("process %d (%s)", e.PID, e.Process)
	case e.PID > 0:
		who = fmt.Sprintf("process %d", e.PID)
	}
	return fmt.Sprintf("%s is locked by %s (%s, waited %s): wait until it has ended, or end it",
		e.What, who, e.Path, e.Waited.Round(time.Millisecond))
}

// Is makes a LockError an [ErrLocked].
func (e *LockError) Is(target error) bool { return target == ErrLocked }

// InUseError tells why a package is not removed.
type InUseError struct {
	Spec       *spack.Spec
	Dependents []*spack.Spec // installed ones, sorted by name
}

func (e *InUseError) Error() string {
	names := make([]string, 0, len(e.Dependents))
	for _, d := range e.Dependents {
		names = append(names, label(d))
	}
	return fmt.Sprintf("%s is needed by %s: remove them too, or force it", label(e.Spec), strings.Join(names, ", "))
}

// Failure is a package that was not installed.
type Failure struct {
	Spec *spack.Spec
	Err  error
	// Because is the failed dependency for which this one was not tried.
	Because *spack.Spec
}

// InstallError lists all packages that were not installed, in the order of
// their names.
type InstallError struct{ Failures []Failure }

func (e *InstallError) Error() string {
	if len(e.Failures) == 1 && e.Failures[0].Because == nil {
		return fmt.Sprintf("%s was not installed: %v", label(e.Failures[0].Spec), e.Failures[0].Err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d packages were not installed", len(e.Failures))
	for _, f := range e.Failures {
		if f.Because != nil {
			fmt.Fprintf(&b, "\n  %s: skipped, it needs %s", label(f.Spec), label(f.Because))
			continue
		}
		fmt.Fprintf(&b, "\n  %s: %v", label(f.Spec), f.Err)
	}
	return b.String()
}

// Unwrap gives the causes.
func (e *InstallError) Unwrap() []error {
	var all []error
	for _, f := range e.Failures {
		if f.Because == nil {
			all = append(all, f.Err)
		}
	}
	return all
}

// label is how messages name a package.
func label(s *spack.Spec) string { return s.Name + "@" + s.Version + "/" + s.Hash.Short() }
