package cli

import (
	"context"
	"errors"

	"esd/internal/plan"
	"esd/internal/state/backend"
)

// Exit codes. They are part of the interface: scripts rely on them.
const (
	ExitOK          = 0   // done, or nothing to do
	ExitError       = 1   // the configuration, the state or the machine is not in order
	ExitChanges     = 2   // plan --detailed-exitcode, fmt --check, diff --exit-code, cache check: there are changes
	ExitUsage       = 3   // the command line is wrong
	ExitLocked      = 4   // somebody else holds the lock of the state
	ExitStale       = 5   // the saved plan is stale
	ExitPartly      = 6   // some steps failed; what could be done was done and recorded
	ExitDeclined    = 7   // the plan was not agreed to
	ExitBackend     = 8   // the state cannot be reached, or is not to be trusted
	ExitInterrupted = 130 // interrupted; what was done is recorded
	ExitReaderGone  = 141 // nobody reads the results any more
)

// ExitCodes is the documented table, in the order of the codes.
var ExitCodes = []struct {
	Code    int
	Name    string
	Meaning string
}{
	{ExitOK, "ok", "All is done, or there is nothing to do."},
	{ExitError, "error", "Something is not in order: the configuration, the state, the machine, a registry. Nothing was changed, unless the message says so."},
	{ExitChanges, "changes", "`plan --detailed-exitcode` found changes; `fmt --check` found files to format; `lock --check` found pins to change; `diff --exit-code` found differences; `cache check` found something wrong."},
	{ExitUsage, "usage", "The command line is wrong."},
	{ExitLocked, "lock held", "Somebody else holds the lock of the state."},
	{ExitStale, "stale plan", "The state or the configuration has moved on since the plan was saved."},
	{ExitPartly, "partly failed", "Some steps failed. What did not depend on them was done and recorded; the next plan starts from there."},
	{ExitDeclined, "declined", "The plan was not agreed to; nothing was done."},
	{ExitBackend, "state out of reach", "Where the state is kept does not answer, or what it answers cannot be trusted (an older state than before, another lineage, a damaged document, a log-in page). Nothing was overwritten; what a run has done is kept in its journal."},
	{ExitInterrupted, "interrupted", "The run was interrupted. What was done is recorded; the next plan starts from there."},
	{ExitReaderGone, "reader gone", "Nobody reads the results any more, as in `esd plan | head`. Nothing is said of it."},
}

// codeError ends the program with a code. Err may be nil: all is said already.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}
func (e *codeError) Unwrap() error { return e.err }

func usageError(err error) error { return &codeError{ExitUsage, err} }

// exitCode is the code for an error.
func exitCode(err error) int {
	var coded *codeError
	var locked *backend.LockedError
	var unreachable *backend.UnreachableError
	var untrusted *backend.UntrustedError
	var unreadable *backend.UnreadableError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &coded):
		return coded.code
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &locked):
		return ExitLocked
	case errors.Is(err, plan.ErrStale):
		return ExitStale
	case errors.As(err, &unreachable), errors.As(err, &untrusted), errors.As(err, &unreadable), errors.Is(err, backend.ErrLockLost), errors.Is(err, backend.ErrBegun):
		return ExitBackend
	}
	return ExitError
}
