package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"esd/internal/plan"
	"esd/internal/state"
	"esd/internal/view"
	"esd/internal/workspace"
)

type planCommand struct {
	*app
	planOptions
	planReports
	out              string
	detailedExitCode bool
	destroy          bool
	format           format
}

func newPlanCommand(a *app) *cobra.Command {
	c := &planCommand{app: a}
	cmd := &cobra.Command{
		Use:   "plan [PATH]",
		Short: "Show what apply would do, why, and what it costs",
		Long: `Compares the configuration with the state and with what caches and registries
really hold, and shows what is missing.

A plan takes no lock and writes nothing, but for the files that options name.
Each is written whole or not at all. One that an earlier command wrote is
removed when this one starts, so that none is taken for that of this plan; any
other file of that name is replaced only when there is something to put in its
place.`,
		Example: `  esd plan
  esd plan --out plan.esd           save it; esd apply plan.esd does exactly that
  esd plan --target recipe.greet    only this and what it needs
  esd plan --format=markdown        a comment for a merge request
  esd plan --detailed-exitcode      0: nothing to do, 2: changes

  # in CI: for people, for apply, for policies, and for the merge request
  esd plan --out plan.esd --json-into plan.json --markdown-into plan.md \
           --gitlab-report plan-gitlab.json`,
		Args:              atMostOne("path"),
		ValidArgsFunction: completePaths,
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.path = first(args)
			return c.run(ctx)
		}),
	}
	c.planOptions.add(cmd)
	c.addRefresh(cmd)
	c.addRefreshOnly(cmd)
	c.planReports.add(cmd)
	c.format.add(cmd, "a `FORMAT`, json or markdown (default: for people)", formatJSON, formatMarkdown)
	cmd.Flags().StringVar(&c.out, "out", "", "save the plan to `FILE`, for `esd apply FILE`")
	cmd.Flags().BoolVar(&c.detailedExitCode, "detailed-exitcode", false, "exit with 2 when there are changes")
	cmd.Flags().BoolVar(&c.destroy, "destroy", false, "plan to destroy everything that is recorded")
	return cmd
}

func (c *planCommand) run(ctx context.Context) error {
	if err := c.format.check(formatJSON, formatMarkdown); err != nil {
		return err
	}
	opts, err := c.parse()
	if err != nil {
		return err
	}
	if opts.Mode, err = mode(c.destroy, c.refreshOnly); err != nil {
		return err
	}
	if err := c.claimFiles(); err != nil {
		return err
	}
	w, err := c.open(c.configOptions)
	if err != nil {
		return err
	}
	planned, err := w.Plan(ctx, opts)
	if err != nil {
		return err
	}
	c.warn(planned.Warnings)
	c.notices(planned.Notices)
	if c.out != "" {
		if err := planned.Plan.Save(c.out); err != nil {
			return err
		}
	}
	if err := errors.Join(c.write(planned.Plan), c.show(planned)); err != nil {
		return err
	}
	if c.detailedExitCode && !planned.Plan.Empty() {
		return &codeError{code: ExitChanges}
	}
	return nil
}

// claimFiles makes sure that the files that options name can be written.
func (c *planCommand) claimFiles() error {
	out := namedFile{"--out", c.out}
	var read []namedFile
	for _, path := range c.varFiles {
		read = append(read, namedFile{"--var-file", path})
	}
	if err := checkFiles(append([]namedFile{out}, c.named()...), read...); err != nil {
		return err
	}
	if c.out != "" {
		if err := canWrite(c.out); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
	}
	if err := claim(c.named()); err != nil {
		return err
	}
	return removePlan(c.out)
}

// removePlan removes a saved plan that is about to be made anew: where that
// fails, nobody must apply the old one in place of it.
func removePlan(path string) error {
	if path == "" || !plan.IsFile(path) {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}

func (c *planCommand) show(planned *workspace.Planned) error {
	switch c.format {
	case formatJSON:
		return view.PlanJSON(c.io.Out, planned.Plan)
	case formatMarkdown:
		return view.PlanMarkdown(c.io.Out, planned.Plan, c.comment())
	}
	if err := view.Plan(c.io.Out, planned.Plan, c.io.OutView); err != nil || c.out == "" {
		return err
	}
	again := ""
	for _, name := range planned.Plan.Config.Withheld {
		again += "--var " + name + "=... "
	}
	return view.Note(c.io.Err, "The plan is saved. To do exactly this: esd apply "+again+c.out, c.io.ErrView)
}

func mode(destroy, refreshOnly bool) (plan.Mode, error) {
	switch {
	case destroy && refreshOnly:
		return "", usageError(errors.New("--destroy and --refresh-only exclude each other"))
	case destroy:
		return plan.Destroy, nil
	case refreshOnly:
		return plan.RefreshOnly, nil
	}
	return plan.Apply, nil
}

// notices shows what the user should know.
func (a *app) notices(list []state.Notice) {
	for _, n := range list {
		_ = view.Notice(a.io.Err, a.hintNotice(n), a.io.ErrView)
	}
}
