package cli

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"esd/internal/plan"
	"esd/internal/state"
	"esd/internal/state/backend"
)

func TestEachErrorHasItsExitCode(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		want int
	}{
		"no error":                       {nil, ExitOK},
		"any error":                      {errors.New("x"), ExitError},
		"diagnostics":                    {hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "x"}}, ExitError},
		"a wrong command line":           {usageError(errors.New("x")), ExitUsage},
		"a lock that is held":            {fmt.Errorf("apply: %w", &backend.LockedError{}), ExitLocked},
		"a stale plan":                   {fmt.Errorf("%w: since", plan.ErrStale), ExitStale},
		"a lock that was lost":           {fmt.Errorf("recording: %w", backend.ErrLockLost), ExitBackend},
		"a state that another one began": {fmt.Errorf("recording: %w", backend.ErrBegun), ExitBackend},
		"a damaged state":                {backend.Unreadable(&state.FormatError{Err: state.ErrTruncated}), ExitBackend},
		"something else than a state":    {backend.Unreadable(fmt.Errorf("a page (%w)", state.ErrForeign)), ExitBackend},
		"a state of a newer esd":         {backend.Unreadable(&state.NewerFormatError{}), ExitError},
		"a damaged file that is pushed":  {&state.FormatError{Err: state.ErrInvalid}, ExitError},
		"an interrupt":                   {fmt.Errorf("observing: %w", context.Canceled), ExitInterrupted},
		"an interrupt while waiting":     {errors.Join(context.Canceled, &backend.LockedError{}), ExitInterrupted},
		"a code beside an error":         {errors.Join(&codeError{code: ExitPartly}, errors.New("x")), ExitPartly},
		"a code that says it all":        {&codeError{code: ExitChanges}, ExitChanges},
		"a time limit is no interrupt":   {fmt.Errorf("asking: %w", context.DeadlineExceeded), ExitError},
		"an error of several that fail":  {errors.Join(errors.New("a"), errors.New("b")), ExitError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := exitCode(test.err); got != test.want {
				t.Errorf("exit code %d, want %d", got, test.want)
			}
		})
	}
}

func TestTheTableOfExitCodesIsSortedAndComplete(t *testing.T) {
	t.Parallel()
	last := -1
	for _, c := range ExitCodes {
		if c.Code <= last || c.Name == "" || c.Meaning == "" {
			t.Errorf("code %d (%q) is out of order or not explained", c.Code, c.Name)
		}
		last = c.Code
	}
	for _, code := range []int{
		ExitOK, ExitError, ExitChanges, ExitUsage, ExitLocked, ExitStale, ExitPartly, ExitDeclined, ExitBackend, ExitInterrupted,
		ExitReaderGone,
	} {
		found := false
		for _, c := range ExitCodes {
			found = found || c.Code == code
		}
		if !found {
			t.Errorf("code %d is not in the table", code)
		}
	}
}
