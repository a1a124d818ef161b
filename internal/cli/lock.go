package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"esd/internal/providers"
	"esd/internal/view"
)

type lockCommand struct {
	*app
	configOptions
	upgrade, check bool
}

func newLockCommand(a *app) *cobra.Command {
	c := &lockCommand{app: a}
	cmd := &cobra.Command{
		Use:   "lock [PATH]",
		Short: "Pin everything mutable that the configuration names",
		Long: `Resolves what can change under its name (tags of base images, refs of git
repositories) and pins it in NAME.lock.hcl beside the configuration, which
belongs under version control. This is the one command that resolves anything;
plan and apply use the pins.

Pins that exist are kept, and those that nothing names any more are dropped;
--upgrade resolves all anew. It does not ask: the file is reviewed as any other.`,
		Example: `  esd lock
  esd lock --upgrade
  esd lock --check --upgrade     exits with 2 if something has moved on; writes nothing`,
		Args:              atMostOne("path"),
		ValidArgsFunction: completePaths,
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.path = first(args)
			return c.run(ctx)
		}),
	}
	c.configOptions.add(cmd)
	cmd.Flags().BoolVar(&c.upgrade, "upgrade", false, "resolve pins anew that exist already")
	cmd.Flags().BoolVar(&c.check, "check", false, "write nothing; exit with 2 if a pin would change")
	return cmd
}

func (c *lockCommand) run(ctx context.Context) error {
	w, err := c.open(c.configOptions)
	if err != nil {
		return err
	}
	result, err := w.Lock(ctx, c.upgrade)
	if err != nil {
		return err
	}
	c.warn(result.Warnings)
	var changes []view.PinChange
	for _, p := range result.Changes {
		changes = append(changes, view.PinChange{What: pinText(p.Pin), Before: p.Before, After: p.After})
	}
	if !c.check && len(changes) > 0 {
		if err := result.Write(); err != nil {
			return err
		}
	}
	if err := view.Pins(c.io.Out, changes, result.Unchanged, c.io.OutView); err != nil {
		return err
	}
	switch {
	case len(changes) == 0:
		return nil
	case c.check:
		return &codeError{code: ExitChanges}
	}
	return view.Note(c.io.Err, "Wrote "+w.LockPath()+"; commit it.", c.io.ErrView)
}

func pinText(p providers.Pin) string {
	if p.Image != "" {
		return fmt.Sprintf("image %s for %s", p.Image, p.Platform)
	}
	return fmt.Sprintf("ref %s of %s", p.Ref, p.Repository)
}
