package cli

import (
	"context"

	"github.com/spf13/cobra"

	"esd/internal/addr"
	"esd/internal/plan"
	"esd/internal/view"
	"esd/internal/workspace"
)

type whyCommand struct {
	*app
	planOptions
	format format
}

func newWhyCommand(a *app) *cobra.Command {
	c := &whyCommand{app: a}
	cmd := &cobra.Command{
		Use:   "why ADDRESS",
		Short: "Explain why something is to be done, down to the file that changed",
		Long: `Plans, and explains for one object (or all instances of a block, or a module)
what is to happen to it and the chain of causes: through which dependency, down
to the input or the source file that differs. For what stays as it is, it says
from where it is reused. In either case, it says who needs it.

An environment is explained by the packages that are missing. A package of one
is named by as much of its address as tells it from others: it is explained by
the specs that ask for it, or the packages through which it comes in, and by
what building it brings in besides.`,
		Example: `  esd why recipe.greet
  esd why 'target.image.lab["zen3"]' --config examples/variants.hcl
  esd why environment.sim
  esd why environment.sim/nest`,
		Args:              between(1, 1, "ADDRESS"),
		ValidArgsFunction: completeAddresses(&c.configOptions),
		RunE:              a.run(func(ctx context.Context, args []string) error { return c.run(ctx, args[0]) }),
	}
	c.configOptions.add(cmd)
	c.addSelection(cmd)
	c.addRefresh(cmd)
	c.addPath(cmd)
	c.format.add(cmd, "a `FORMAT`: json (default: for people)", formatJSON)
	return cmd
}

func (c *whyCommand) run(ctx context.Context, address string) error {
	if err := c.format.check(formatJSON); err != nil {
		return err
	}
	target, err := addr.ParseTarget(address)
	if err != nil {
		return usageError(err)
	}
	opts, err := c.parse()
	if err != nil {
		return err
	}
	w, err := c.open(c.configOptions)
	if err != nil {
		return err
	}
	list, planned, err := w.Why(ctx, target, opts)
	if err != nil {
		return err
	}
	c.warn(planned.Warnings)
	c.notices(planned.Notices)
	if c.format == formatJSON {
		return view.JSON(c.io.Out, map[string]any{"format_version": view.FormatVersion, "objects": list})
	}
	for i, e := range list {
		if i > 0 {
			if err := view.Text(c.io.Out, "", c.io.OutView); err != nil {
				return err
			}
		}
		if err := view.Why(c.io.Out, explanation(e), c.io.OutView); err != nil {
			return err
		}
	}
	return nil
}

func explanation(w workspace.Why) view.Explanation {
	e := view.Explanation{
		Address: w.Address, Title: w.Title, Action: w.Action, Reason: w.Reason, Drift: w.Drift,
		NeededBy: w.NeededBy, Dependencies: w.Dependencies, Users: w.Users,
	}
	for _, link := range w.Chain {
		e.Chain = append(e.Chain, view.ExplanationLink{Address: link.Address, Causes: link.Causes})
	}
	for _, d := range w.Demands {
		e.Demands = append(e.Demands, view.ExplanationDemand{Form: string(d.Form), Op: d.Op, By: d.By})
	}
	if p := w.Package; p != nil {
		e.Asked, e.Built, e.Fetched = p.Asked, p.Built, p.Fetched
		for _, step := range p.Path {
			e.Path = append(e.Path, view.ExplanationStep{Address: step.Address, For: step.For})
		}
	}
	if env := w.Environment; env != nil {
		e.Packages = env.Packages
		for _, m := range env.Missing {
			e.Missing = append(e.Missing, plan.Change{Address: m.Address, Action: m.Action, Reason: m.Reason})
		}
	}
	return e
}
