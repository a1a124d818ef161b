package command

import (
	"errors"
	"fmt"
	"strings"

	"esd/internal/spack"
)

// Why Spack could not be had, or did not do what it was asked. Test with
// [errors.Is].
var (
	// ErrNotFound: there is no Spack where it was looked for.
	ErrNotFound = errors.New("no Spack found")
	// ErrTooOld: Spack is older than [Oldest].
	ErrTooOld = errors.New("Spack is too old")
	// ErrNotConcretized: Spack found no solution, or did not understand what was asked.
	ErrNotConcretized = errors.New("Spack could not concretize")
	// ErrBuildFailed: the package's own build ended with an error.
	ErrBuildFailed = errors.New("the build failed")
	// ErrMissingDependency: a dependency is not installed in the store.
	ErrMissingDependency = errors.New("a dependency is not installed")
	// ErrFetch: a source could not be had, or is not the one that was expected.
	ErrFetch = errors.New("a source could not be fetched")
	// ErrUnknownPackage: the recipe is in no repository that Spack was given.
	ErrUnknownPackage = errors.New("no repository has the package")
	// ErrOutOfMemory: the build was killed for want of memory. A SIGKILL that nobody
	// here sent counts as that, as the kernel tells no more.
	ErrOutOfMemory = errors.New("out of memory, or killed by somebody")
	// ErrKilled: a signal from outside ended Spack.
	ErrKilled = errors.New("killed")
	// ErrTimeout: it took longer than it was allowed to.
	ErrTimeout = errors.New("took too long")
	// ErrSilent: nothing was printed for longer than allowed: Spack hangs.
	ErrSilent = errors.New("hangs: it printed nothing for too long")
	// ErrCrashed: Spack itself broke (an exception in Spack's own code).
	ErrCrashed = errors.New("Spack itself broke")
	// ErrStoreBusy: another process holds the store's database.
	ErrStoreBusy = errors.New("the store is locked by another process")
	// ErrNotInstalled: Spack reported success, but its database does not have the package.
	ErrNotInstalled = errors.New("Spack reported success, but the package is not in its database")
)

// RunError says how a run of Spack failed.
type RunError struct {
	// Doing is what was asked for, in words: "building zlib-1.3 (/abcdefg)".
	Doing string
	// Cause is one of the errors of this package.
	Cause error
	// Exit is how the process ended.
	Exit Exit
	// Said is the essence of what Spack said: its own error message where it
	// could be found, else the last lines.
	Said string
	// Log is the file with all that was printed, "" if none was kept.
	Log string
	// BuildLog is the file with what the build itself printed, "" if there is none.
	BuildLog string
	// Stage is the directory in which the build stands as it failed, "" if it is gone.
	Stage string
}

// Error implements error.
func (e *RunError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v", e.Doing, e.Cause)
	if e.Said != "" {
		b.WriteString(":\n" + e.Said)
	}
	switch {
	case e.BuildLog != "":
		b.WriteString("\nThe whole log: " + e.BuildLog)
	case e.Log != "":
		b.WriteString("\nThe whole log: " + e.Log)
	}
	return b.String()
}

// Unwrap gives the cause to [errors.Is].
func (e *RunError) Unwrap() error { return e.Cause }

// HashError says that something is not a whole DAG hash.
type HashError struct{ Hash spack.Hash }

// Error implements error.
func (e *HashError) Error() string {
	return fmt.Sprintf("%q is not a DAG hash: it needs %d characters of a-z and 2-7", string(e.Hash), spack.HashLength)
}
