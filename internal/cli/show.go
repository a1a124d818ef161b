package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"esd/internal/plan"
	"esd/internal/view"
	"esd/internal/workspace"
)

type showCommand struct {
	*app
	configOptions
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
  esd show --format=markdown plan.esd     a comment for a merge request`,
		Args:              atMostOne("path"),
		ValidArgsFunction: completePaths,
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.path = first(args)
			return c.run(ctx)
		}),
	}
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
	if info, err := os.Stat(c.path); err == nil && info.Mode().IsRegular() && !isConfigName(c.path) {
		return fmt.Errorf("%s is neither a saved plan nor a configuration", c.path)
	}
	w, err := c.openState(c.configOptions)
	if err != nil {
		return err
	}
	st, err := c.recorded(ctx, w)
	if err != nil {
		return err
	}
	if c.format == formatJSON {
		return view.StateJSON(c.io.Out, st)
	}
	return view.State(c.io.Out, st, c.io.OutView)
}

func (c *showCommand) plan() error {
	p, err := plan.Load(c.path)
	if err != nil {
		return err
	}
	return (&planCommand{app: c.app, format: c.format}).show(&workspace.Planned{Plan: p})
}
