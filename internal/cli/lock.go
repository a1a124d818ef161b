package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/view"
	"esd/internal/workspace"
)

type lockCommand struct {
	*app
	configOptions
	upgrade, check, adopt, autoApprove, verbose bool
	targets                                     []string
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

Environments whose specs, configuration or Spack changed are concretized by
Spack, without reuse of what happens to be in a cache, into
locks/NAME.spack.lock. What that changes is told in words of packages; where
a lock is replaced it asks.

Pins and locks that fit are kept, and those that nothing names any more are
dropped; --upgrade resolves all anew.`,
		Example: `  esd lock
  esd lock --upgrade --target environment.sim
  esd lock --adopt               takes a spack.lock that Spack wrote before
  esd lock --check --upgrade     exits with 2 if something has moved on; writes nothing`,
		Args:              atMostOne("path"),
		ValidArgsFunction: completePaths,
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.path = first(args)
			return c.run(ctx)
		}),
	}
	c.configOptions.add(cmd)
	cmd.Flags().BoolVar(&c.upgrade, "upgrade", false, "resolve pins and concretize environments anew that are locked already")
	cmd.Flags().BoolVar(&c.adopt, "adopt", false, "take the spack.lock files that stand there, if they have what the specs ask for")
	cmd.Flags().BoolVar(&c.autoApprove, "auto-approve", false, "do not ask")
	cmd.Flags().BoolVar(&c.verbose, "verbose", false, "show what Spack says")
	cmd.Flags().StringArrayVar(&c.targets, "target", nil, "lock this environment only (may be repeated)")
	cmd.Flags().BoolVar(&c.check, "check", false, "write nothing; exit with 2 if a pin would change")
	return cmd
}

func (c *lockCommand) run(ctx context.Context) error {
	w, err := c.open(c.configOptions)
	if err != nil {
		return err
	}
	opts := workspace.LockFileOptions{Upgrade: c.upgrade, Adopt: c.adopt, Log: io.Discard}
	opts.Telling = func(line string) { _ = view.Note(c.io.Err, line, c.io.ErrView) }
	if c.verbose {
		opts.Log = c.io.Err
	}
	for _, t := range c.targets {
		target, err := addr.ParseTarget(t)
		if err != nil {
			return usageError(err)
		}
		opts.Targets = append(opts.Targets, target)
	}
	result, err := w.Lock(ctx, opts)
	if err != nil {
		return err
	}
	c.warn(result.Warnings)
	var pins view.Pins
	for _, p := range result.Changes {
		pins.Changes = append(pins.Changes, view.PinChange{What: pinText(p.Pin), Before: p.Before, After: p.After})
	}
	replaces := false
	for _, e := range result.Environments {
		pins.Environments = append(pins.Environments, view.EnvironmentChange{Address: e.Address, New: e.New, Changes: e.Changes})
		replaces = replaces || e.Replaces
	}
	pins.Unchanged = result.Unchanged
	if err := pins.Write(c.io.Out, c.io.OutView); err != nil {
		return err
	}
	switch {
	case len(pins.Changes)+len(pins.Environments) == 0:
		return nil
	case c.check:
		return &codeError{code: ExitChanges}
	case replaces && !c.autoApprove:
		if err := c.agree(); err != nil {
			return err
		}
	}
	if err := result.Write(); err != nil {
		return err
	}
	return view.Note(c.io.Err, "Wrote "+w.LockPath()+"; commit it"+alsoLocks(result)+".", c.io.ErrView)
}

// agree asks whether locks are to be replaced.
func (c *lockCommand) agree() error {
	if !c.io.CanAsk {
		return usageError(errors.New("a lock would be replaced, and nobody can be asked here: give --auto-approve"))
	}
	yes, err := c.askYes("Do you want to replace the locks?")
	if err == nil && !yes {
		err = &codeError{code: ExitDeclined}
	}
	return err
}

func alsoLocks(result *workspace.LockResult) string {
	for _, e := range result.Environments {
		if e.Path != "" {
			return " together with " + filepath.Dir(e.Path)
		}
	}
	return ""
}

func pinText(p providers.Pin) string {
	if p.Image != "" {
		return fmt.Sprintf("image %s for %s", p.Image, p.Platform)
	}
	return fmt.Sprintf("ref %s of %s", p.Ref, p.Repository)
}
