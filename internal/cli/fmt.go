package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"esd/internal/view"
	"esd/internal/workspace"
)

type fmtCommand struct {
	*app
	check, diff, recursive bool
}

func newFmtCommand(a *app) *cobra.Command {
	c := &fmtCommand{app: a}
	cmd := &cobra.Command{
		Use:   "fmt [PATH...]",
		Short: "Lay out configurations in the canonical style",
		Long: `Lays out *.hcl and *.esdvars files and lists those that changed. A PATH is a
file or a directory; the default is the working directory. With - standard input
is laid out to standard output.`,
		Example: `  esd fmt
  esd fmt --check --diff --recursive .     for CI: exits with 2 where something changes
  esd fmt - < main.hcl`,
		ValidArgsFunction: completePaths,
		RunE:              a.run(func(_ context.Context, args []string) error { return c.run(args) }),
	}
	f := cmd.Flags()
	f.BoolVar(&c.check, "check", false, "write nothing; exit with 2 if a file would change")
	f.BoolVar(&c.diff, "diff", false, "show what changes")
	f.BoolVarP(&c.recursive, "recursive", "r", false, "directories below too")
	return cmd
}

func (c *fmtCommand) run(args []string) error {
	if len(args) == 1 && args[0] == "-" {
		return c.stdin()
	}
	if len(args) == 0 {
		args = []string{"."}
	}
	list, diags, files := workspace.FormatFiles(args, c.recursive)
	changed := false
	for _, f := range list {
		if !f.Changed() {
			continue
		}
		changed = true
		if err := c.show(f); err != nil {
			return err
		}
		if c.check {
			continue
		}
		if err := f.Write(); err != nil {
			return fmt.Errorf("formatting %s: %w", f.Path, err)
		}
	}
	return c.end(diags, files, changed)
}

func (c *fmtCommand) show(f workspace.Formatting) error {
	if c.diff {
		return view.Diff(c.io.Out, diff.Diff(f.Path, f.Before, f.Path+" (formatted)", f.After), c.io.OutView)
	}
	return view.Text(c.io.Out, f.Path, c.io.OutView)
}

// stdin lays out one text.
func (c *fmtCommand) stdin() error {
	src, err := io.ReadAll(c.io.In)
	if err != nil {
		return err
	}
	const name = "<stdin>"
	f, diags := workspace.Format(src, name)
	switch {
	case diags.HasErrors():
	case c.diff && f.Changed():
		err = c.show(f)
	case !c.check && !c.diff:
		_, err = c.io.Out.Write(f.After)
	}
	if err != nil {
		return err
	}
	return c.end(diags, map[string]*hcl.File{name: {Bytes: src}}, f.Changed())
}

// end gives the exit code, after it has told of files with mistakes.
func (c *fmtCommand) end(diags hcl.Diagnostics, files map[string]*hcl.File, changed bool) error {
	if diags.HasErrors() {
		if err := view.Diagnostics(c.io.Err, diags, files, c.io.ErrView); err != nil {
			return err
		}
		return &codeError{code: ExitError}
	}
	if c.check && changed {
		return &codeError{code: ExitChanges}
	}
	return nil
}
