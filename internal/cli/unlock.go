package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"esd/internal/state/backend"
	"esd/internal/view"
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

It is needed rarely: a lock of a process that has died on this machine is taken
over by itself.`,
		Example: `  esd force-unlock 9db590f1-b6fe-c5f2-2678-8804f089deba`,
		Args:    between(1, 1, "ID"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: a.run(func(ctx context.Context, args []string) error { return c.run(ctx, args[0]) }),
	}
	c.addPath(cmd)
	cmd.Flags().BoolVar(&c.force, "force", false, "do not ask")
	return cmd
}

func (c *unlockCommand) run(ctx context.Context, id string) error {
	w, err := c.openState(c.configOptions)
	if err != nil {
		return err
	}
	holder, err := w.Backend.Holder(ctx)
	if err != nil {
		return err
	}
	if holder == nil {
		return backend.ErrNotLocked
	}
	if holder.ID != id {
		return &backend.LockIDError{ID: id, Holder: *holder}
	}
	if !c.force {
		if !c.io.CanAsk {
			return usageError(errors.New("nobody can be asked here: give --force"))
		}
		_ = view.Note(c.io.Err, fmt.Sprintf("%s runs %q since %s.", holder.Who, holder.Operation, holder.Created.UTC().Format(time.RFC3339)), c.io.ErrView)
		agreed, err := c.askYes("Really take the lock away?")
		if err != nil {
			return err
		}
		if !agreed {
			return &codeError{ExitDeclined, errors.New("the lock stays")}
		}
	}
	if err := w.Backend.ForceUnlock(ctx, id); err != nil {
		return err
	}
	return view.Text(c.io.Out, "The state is not locked any more.", c.io.OutView)
}
