package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"esd/internal/plan"
	"esd/internal/view"
	"esd/internal/workspace"
)

type showCommand struct {
	*app
	configOptions
	planReports
	format format
}

func newShowCommand(a *app) *cobra.Command {
	c := &showCommand{app: a}
	cmd := &cobra.Command{
		Use:   "show [PATH|PLANFILE]",
		Short: "Show what is recorded, or a saved plan",
		Long: `Shows a plan that was saved by esd plan --out, or what the state of a
configuration records.`,
		Example: `  esd show
  esd show --format=json examples/quickstart.hcl
  esd show plan.esd
  esd show --format=markdown plan.esd     a comment for a merge request
  esd show --json-into plan.json plan.esd     the text here, the document there`,
		Args:              atMostOne("path"),
		ValidArgsFunction: completePaths,
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.path = first(args)
			return c.run(ctx)
		}),
	}
	c.planReports.add(cmd)
	c.format.add(cmd, "a `FORMAT`: json, or markdown for plans (default: for people)", formatJSON, formatMarkdown)
	return cmd
}

func (c *showCommand) run(ctx context.Context) error {
	if err := c.format.check(formatJSON, formatMarkdown); err != nil {
		return err
	}
	if plan.IsFile(c.path) {
		return c.plan()
	}
	if c.format == formatMarkdown {
		return usageError(errors.New("--format=markdown is for plans; a state is shown with --format=json or for people"))
	}
	if err := checkPlanOrConfig(c.path); err != nil {
		return err
	}
	if option := c.ofPlansOnly(); option != "" {
		return usageError(errors.New(option + " is for plans; of a state, --json-into writes the document"))
	}
	if err := c.claimFiles(namedFile{}); err != nil {
		return err
	}
	w, err := c.openState(c.configOptions)
	if err != nil {
		return err
	}
	st, err := c.recorded(ctx, w)
	if err != nil {
		return err
	}
	if err := writeReport(c.named()[0], func(w io.Writer) error { return view.StateJSON(w, st) }); err != nil {
		return err
	}
	if c.format == formatJSON {
		return view.StateJSON(c.io.Out, st)
	}
	return view.State(c.io.Out, st, c.io.OutView)
}

func (c *showCommand) plan() error {
	if err := c.claimFiles(namedFile{"the plan", c.path}); err != nil {
		return err
	}
	p, err := plan.Load(c.path)
	if err != nil {
		return err
	}
	shown := (&planCommand{app: c.app, format: c.format, planReports: c.planReports}).show(&workspace.Planned{Plan: p})
	return errors.Join(c.write(p), shown)
}

// claimFiles makes sure that the files that options name can be written and are
// not what is shown.
func (c *showCommand) claimFiles(shown namedFile) error {
	if err := checkFiles(c.named(), shown); err != nil {
		return err
	}
	return claim(c.named())
}
