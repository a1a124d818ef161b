package cli

import (
	"context"

	"github.com/spf13/cobra"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/view"
	"esd/internal/workspace"
)

type unlockCommand struct {
	*app
	configOptions
	force bool
}

func newForceUnlockCommand(a *app) *cobra.Command {
	c := &unlockCommand{app: a}
	cmd := &cobra.Command{
		Use:   "force-unlock ID",
		Short: "Take the lock of the state away from a run that is gone",
		Long: `Takes the lock away from its holder. If that still runs, it records nothing
more. The ID stands in the message of the command that found the state locked.

Before, it shows what is known of the holder, as esd lock-info does, and asks.

It is needed rarely: a lock of a run that has died is taken over by itself, at
once where its process was one of this machine, else when its lease is over.`,
		Example: `  esd force-unlock 9db590f1-b6fe-c5f2-2678-8804f089deba`,
		Args:    between(1, 1, "ID"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: a.run(func(ctx context.Context, args []string) error { return c.run(ctx, args[0]) }),
	}
	c.addWithPath(cmd)
	cmd.Flags().BoolVar(&c.force, "force", false, "do not ask")
	return cmd
}

func (c *unlockCommand) run(ctx context.Context, id string) error {
	w, err := c.openState(c.configOptions)
	if err != nil {
		return err
	}
	watch := workspace.WatchLock{For: -1, Watching: c.watching}
	if c.force {
		watch.For = 0
	}
	status, err := w.LockStatus(ctx, watch)
	if err != nil {
		return err
	}
	if status.Holder == nil {
		return backend.ErrNotLocked
	}
	if status.Holder.ID != id {
		return &backend.LockIDError{ID: id, Holder: *status.Holder}
	}
	agreed, err := c.agrees(c.force, "Really take the lock away?", "the lock stays", func() error { return c.show(status) })
	if err != nil || !agreed {
		return err
	}
	if err := w.Backend.ForceUnlock(ctx, id); err != nil {
		return err
	}
	return view.Text(c.io.Out, "The state is not locked any more.", c.io.OutView)
}

// show shows what is known of the holder, and warns of taking a lock away from
// one that runs.
func (c *unlockCommand) show(status workspace.LockStatus) error {
	if err := view.Lock(c.io.Err, view.LockReport(status), c.io.ErrView); err != nil {
		return err
	}
	h := status.Holder
	switch l := h.Lease; {
	case l.Verdict == backend.Alive && (l.Duration > 0 || h.Neighbour()):
		return view.Notice(c.io.Err, state.Notice{
			Summary: "The holder shows signs of life",
			Detail:  "It ends as soon as it notices that its lock is gone; what it does until then is recorded in its journal only.",
		}, c.io.ErrView)
	case l.Verdict == backend.Dead:
		return view.Note(c.io.Err, "The next command that locks would take the lock over by itself.", c.io.ErrView)
	}
	return nil
}
