package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"esd/internal/view"
	"esd/internal/workspace"
)

func newStateRebuild(a *app) *cobra.Command {
	c := &stateCommand{app: a}
	cmd := c.command(&cobra.Command{
		Use:   "rebuild",
		Short: "Throw the state away, and find out again what exists",
		Long: `The configuration and its locks say what there should be; by its content key
each product is found again in caches and registries, and each target where it
is published. So a state that was lost, damaged or overwritten can be had again.
Nothing is built, published or removed.

What a state alone knows is lost, unless the old one can be read: how long steps
took, what is tainted, and what was removed from the configuration but still
exists. The last is listed, and no longer removed by anybody but you.

Where the old state can be read, or this machine has seen it, the new one goes
on with its lineage and a higher serial; otherwise it begins a new lineage,
which other machines that have seen the old one refuse until esd state accept.`,
		Example: `  esd state rebuild --dry-run
  esd state rebuild
  esd state rebuild --force     do not ask`,
		Args: between(0, 0, ""),
	}, func(ctx context.Context, _ []string) error { return c.rebuild(ctx) })
	c.writes(cmd)
	f := cmd.Flags()
	f.BoolVar(&c.dryRun, "dry-run", false, "only say what would be found")
	f.BoolVar(&c.force, "force", false, "do not ask")
	return cmd
}

func (c *stateCommand) rebuild(ctx context.Context) error {
	opts, err := c.lockOptions("state rebuild")
	if err != nil {
		return err
	}
	w, err := c.open(c.configOptions)
	if err != nil {
		return err
	}
	shown := false
	show := func(r *workspace.Rebuilt) error {
		shown = true
		return view.Rebuild(c.io.Out, rebuiltView(r), c.io.OutView)
	}
	r, err := w.Rebuild(ctx, workspace.RebuildOptions{LockOptions: opts, DryRun: c.dryRun, Agree: func(r *workspace.Rebuilt) (bool, error) {
		return c.agrees("Replace the state by this?", "the state stays as it is", func() error { return show(r) })
	}})
	if err != nil || r.Declined {
		return err
	}
	if !shown {
		if err := show(r); err != nil {
			return err
		}
	}
	switch {
	case r.Unchanged:
		return c.say(fmt.Sprintf("The state says just that: it stays as it is, with serial %d.", r.Old.Serial))
	case c.dryRun:
		return c.say(fmt.Sprintf("It would have serial %d.", r.State.Serial))
	}
	return c.say(fmt.Sprintf("The state has serial %d now, with %s.", r.State.Serial, view.Plural(len(r.State.Objects), "object")))
}

func rebuiltView(r *workspace.Rebuilt) view.Rebuilt {
	v := view.Rebuilt{
		Location: r.Location, Found: r.Found, Next: r.Next, Lost: r.Lost, Before: r.Old.Serial, After: r.State.Serial, Durations: r.Durations,
	}
	if r.Problem != nil {
		v.Problem = r.Problem.Error()
	}
	return v
}
