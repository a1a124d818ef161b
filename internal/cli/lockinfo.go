package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"esd/internal/state/backend"
	"esd/internal/view"
	"esd/internal/workspace"
)

type lockInfoCommand struct {
	*app
	configOptions
	format           format
	watch            string
	detailedExitCode bool
}

func newLockInfoCommand(a *app) *cobra.Command {
	c := &lockInfoCommand{app: a}
	cmd := &cobra.Command{
		Use:   "lock-info",
		Short: "Show who holds the lock of the state, and whether that run is still alive",
		Long: `Shows who holds the lock of the state: user and host, operation, CI job,
process, since when, the lease with its last heartbeat and its end, and what is
known of the holder: whether it runs, or is dead. Nothing is changed.

A holder renews its lease four times in its duration. One of which it is not
known yet whether it lives is watched for a third of the lease, in which a
living one shows that it does; --watch says how long instead, and --watch 0 only
looks.

The exit code is 0 whether there is a lock or not.`,
		Example: `  esd lock-info
  esd lock-info --watch 2m                until it is certain that the holder is dead
  esd lock-info --format=json --watch 0   for programs`,
		Args: between(0, 0, ""),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: a.run(func(ctx context.Context, _ []string) error { return c.run(ctx) }),
	}
	c.addWithPath(cmd)
	c.format.add(cmd, "a `FORMAT`: json (default: for people)", formatJSON)
	cmd.Flags().StringVar(&c.watch, "watch", "", "how long to watch a holder of which it is not known whether it lives, a `TIME` as 2m (default: a third of its lease)")
	cmd.Flags().BoolVar(&c.detailedExitCode, "detailed-exitcode", false, "exit with 4 when the state is locked")
	return cmd
}

func (c *lockInfoCommand) run(ctx context.Context) error {
	if err := c.format.check(formatJSON); err != nil {
		return err
	}
	watch := workspace.WatchLock{For: -1, Watching: c.watching}
	if c.watch != "" {
		var err error
		if watch.For, err = parseTimeout("--watch", c.watch); err != nil {
			return err
		}
	}
	w, err := c.openState(c.configOptions)
	if err != nil {
		return err
	}
	status, err := w.LockStatus(ctx, watch)
	if err != nil {
		return err
	}
	if c.format == formatJSON {
		err = view.LockJSON(c.io.Out, view.LockReport(status))
	} else {
		err = view.Lock(c.io.Out, view.LockReport(status), c.io.OutView)
	}
	if err == nil && c.detailedExitCode && status.Holder != nil {
		err = &codeError{code: ExitLocked}
	}
	return err
}

// watching tells that the answer takes a moment.
func (a *app) watching(s workspace.LockStatus) {
	_ = view.Note(a.io.Err, fmt.Sprintf("Watching whether %s still runs: %s.", s.Holder.Who, s.Holder.Lease.Words(s.Looked)), a.io.ErrView)
}

// waiting tells who holds the lock: once, and again when something else becomes
// known of the holder, or another one has it. With nil it tells that the lock was
// obtained.
func (a *app) waiting(e *backend.LockedError) {
	if e == nil {
		a.waited = ""
		_ = view.Note(a.io.Err, "Got the lock.", a.io.ErrView)
		return
	}
	known := e.Holder.ID + " " + e.Holder.Lease.Verdict.String()
	if known == a.waited {
		return
	}
	_ = view.Note(a.io.Err, waitingWords(e, a.waited == ""), a.io.ErrView)
	a.waited = known
}

// waitingWords tell for how long whom is waited for, and what is known of that
// one.
func waitingWords(e *backend.LockedError, first bool) string {
	text := "Still waiting for the lock: "
	switch {
	case first && e.Timeout > 0:
		text = "Waiting up to " + asGiven(e.Timeout) + " for the lock: "
	case first:
		text = "Waiting for the lock until it is known whether its holder lives: "
	}
	text += e.Holder.Running()
	if words := e.Holder.Lease.Words(e.Looked); words != "" {
		text += "; " + words
	}
	return text + "."
}

// asGiven is a time as people write it: 10m, not 10m0s.
func asGiven(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
