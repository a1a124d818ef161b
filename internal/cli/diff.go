package cli

import (
	"context"

	"github.com/spf13/cobra"

	"esd/internal/view"
	"esd/internal/workspace"
)

type diffCommand struct {
	*app
	exitCode bool
}

func newDiffCommand(a *app) *cobra.Command {
	c := &diffCommand{app: a}
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Show what is different between two locks, in the words of packages",
		Long: `Compares two locks of Spack environments: which packages were added, removed,
changed, and which are other builds of the same because of what they depend on.`,
		Example:           `  esd diff old/spack.lock new/spack.lock`,
		Args:              between(2, 2, "A or B"),
		ValidArgsFunction: completePaths,
		RunE:              a.run(c.run),
	}
	cmd.Flags().BoolVar(&c.exitCode, "exit-code", false, "exit with 2 when there is a difference")
	return cmd
}

func (c *diffCommand) run(ctx context.Context, args []string) error {
	d, err := workspace.Diff(ctx, workspace.DiffOptions{From: args[0], To: args[1]})
	if err != nil {
		return err
	}
	if err := view.Difference(c.io.Out, d, c.io.OutView); err != nil {
		return err
	}
	if c.exitCode && !d.Empty() {
		return &codeError{code: ExitChanges}
	}
	return nil
}
