package command

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"syscall"
)

// cause finds out why a run of Spack ended without success: nil for success.
// Exit codes: 1 for every error that Spack foresees, 3 for an exception that it
// does not (spack/main.py), 128+n for signals of shells between.
func cause(ctx context.Context, exit Exit, runErr error, said string) error {
	switch stopped := context.Cause(ctx); {
	case errors.Is(stopped, errDeadline):
		return ErrTimeout
	case errors.Is(stopped, errSilence):
		return ErrSilent
	case stopped != nil:
		return stopped
	case runErr != nil:
		return runErr
	case exit.Code == 0:
		return nil
	case exit.OutOfMemory, exit.Code == 137, exit.Signal == syscall.SIGKILL:
		return ErrOutOfMemory
	case exit.Signal != 0 || exit.Code > 128 && exit.Code < 128+65:
		return ErrKilled
	}
	return causeByWords(exit, said)
}

// words are how Spack 0.23 to 1.2 say what went wrong; earlier entries are the
// more telling ones.
var words = []struct {
	form  func() *regexp.Regexp
	cause error
}{
	// gcc and clang when the kernel killed what they started; Spack when its build
	// process is gone (build_environment.py).
	{lazily(`Killed signal terminated program|unable to execute command: Killed|Cannot allocate memory|virtual memory exhausted|std::bad_alloc|has stopped unexpectedly \(signal 9\)|ProcessError: .*(?:exit(?:ed with)? status|signal) (?:137|9):|(?m:^(?:.*: )?Killed$)`), ErrOutOfMemory},
	{lazily(`is marked as an install failure|uninstalled dependenc|is not installed`), ErrMissingDependency},
	{lazily(`FetchError|All fetchers failed|FailedDownloadError|ChecksumError|NoChecksum|sha256 checksum failed|Will not fetch`), ErrFetch},
	{lazily(`UnknownPackageError|UnknownNamespaceError|Package '[^']*' not found|Unknown namespace|cannot concretize '[^']*', since '[^']*' does not exist`), ErrUnknownPackage},
	{lazily(`LockTimeoutError|Timed out waiting for .* lock|is write locked by another process`), ErrStoreBusy},
	{lazily(`No such environment|unsupported lockfile|InvalidDatabaseVersionError|need a newer Spack`), ErrCrashed},
}

func causeByWords(exit Exit, said string) error {
	text := spackErrors(said)
	for _, w := range words {
		if w.form().MatchString(text) {
			return w.cause
		}
	}
	if exit.Code == 1 {
		return ErrBuildFailed
	}
	return ErrCrashed
}

// spackErrors is the part of the output in which Spack reports errors: from the
// first "==> Error" on that no success followed.
func spackErrors(said string) string {
	if at := strings.Index(said, "==> Error: "); at >= 0 {
		return said[at:]
	}
	return lastLines(said, 40)
}

// essence is what of an output is worth showing with an error.
func essence(said string) string {
	text := spackErrors(said)
	if strings.HasPrefix(text, "==> Error: ") {
		lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
		return strings.Join(lines[:min(len(lines), 30)], "\n")
	}
	return lastLines(said, 15)
}
