package cli

import (
	"context"

	"github.com/spf13/cobra"

	"esd/internal/view"
	"esd/internal/workspace"
)

func newInitCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "init [DIR]",
		Short: "Begin with a small configuration that works",
		Long: `Writes a small configuration into a directory, which is made if it is missing: a
program in C, and an image with it, published to a directory. It needs a C
compiler, and neither a network nor a container runtime.

Nothing is overwritten. Where a configuration exists already, nothing is written
at all.`,
		Example: `  esd init stack
  cd stack && esd apply`,
		Args: atMostOne("directory"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: a.run(func(_ context.Context, args []string) error {
			dir := first(args)
			if dir == "" {
				dir = "."
			}
			return a.init(dir)
		}),
	}
}

func (a *app) init(dir string) error {
	files, err := workspace.Scaffold(dir)
	for _, f := range files {
		text := "wrote " + f.Path
		if f.Kept {
			text = "left " + f.Path + " as it is"
		}
		if viewErr := view.Text(a.io.Out, text, a.io.OutView); viewErr != nil {
			return viewErr
		}
	}
	if err != nil {
		return err
	}
	path := ""
	if dir != "." {
		path = " " + dir
	}
	return view.Note(a.io.Err, "Next: esd plan"+path+", then esd apply"+path, a.io.ErrView)
}
