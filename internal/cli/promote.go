package cli

import (
	"context"

	"github.com/spf13/cobra"

	"esd/internal/addr"
	"esd/internal/view"
	"esd/internal/workspace"
)

type promoteCommand struct {
	*app
	configOptions
	opts        workspace.PromoteOptions
	autoApprove bool
}

func newPromoteCommand(a *app) *cobra.Command {
	c := &promoteCommand{app: a}
	cmd := &cobra.Command{
		Use:   "promote ADDRESS...",
		Short: "Copy packages out of quarantine, once the checks have passed",
		Long: `With quarantine = cache… in an environment, what is built goes to that cache
alone. This copies what the environment needs to run from there to its build
caches with push = true, and brings their indexes up to date. ADDRESS is that of
a target, of an environment, or of a module of them.

Targets are published and recorded only when their checks have passed. So a
target must be recorded exactly as the configuration has it now; for an
environment, all targets that contain it. --force does without.

What was copied is not copied again: a promotion that was stopped goes on where
it was.`,
		Example: `  esd promote target.image.lab
  esd promote environment.sim --auto-approve --config stack`,
		Args:              between(1, 1<<20, "ADDRESS"),
		ValidArgsFunction: completeAddresses(&c.configOptions),
		RunE:              a.run(c.run),
	}
	c.addWithPath(cmd)
	f := cmd.Flags()
	f.BoolVar(&c.autoApprove, "auto-approve", false, "do not ask")
	f.BoolVar(&c.opts.Force, "force", false, "also what no check has passed")
	f.BoolVar(&c.opts.NoIndex, "no-index", false, "leave the indexes as they are")
	return cmd
}

func (c *promoteCommand) run(ctx context.Context, args []string) error {
	for _, arg := range args {
		t, err := addr.ParseTarget(arg)
		if err != nil {
			return usageError(err)
		}
		c.opts.Targets = append(c.opts.Targets, t)
	}
	w, err := c.open(c.configOptions)
	if err != nil {
		return err
	}
	if err := c.checkCanAsk(c.autoApprove); err != nil {
		return err
	}
	progress := c.newCopying()
	c.opts.Progress = func(s workspace.CacheCopyStep) { progress.Step(cacheStep(s)) }
	p, err := w.Promote(ctx, c.opts)
	if err != nil {
		return err
	}
	c.warn(p.Warnings)
	c.notices(p.Notices)
	if err := view.Promote(c.io.Out, promotion(p), c.io.OutView); err != nil {
		return err
	}
	if !p.Empty() && !c.autoApprove {
		if err := c.agreeTo("Promote them?"); err != nil {
			return err
		}
	}
	copied, err := p.Run(ctx)
	if stopErr := progress.Stop(); err == nil {
		err = stopErr
	}
	if p.Empty() && err == nil {
		return nil
	}
	return c.copied(copied, "", "", err)
}

// promotion is a promotion as it is shown.
func promotion(p *workspace.Promotion) view.Promotion {
	out := view.Promotion{Unchecked: p.Unchecked}
	for _, e := range p.Environments {
		shown := view.PromotedEnvironment{
			Address: e.Address, Quarantine: e.Quarantine, Location: e.Location, Packages: e.Packages, CheckedBy: e.CheckedBy,
		}
		for _, c := range e.Caches {
			shown.Caches = append(shown.Caches, view.PromotedCache{
				Name: c.Name, Location: c.Location, Packages: cachePackages(c.Packages), There: c.There, Bytes: c.Bytes, Elsewhere: c.Elsewhere,
			})
		}
		out.Environments = append(out.Environments, shown)
	}
	return out
}
