package cli

import (
	"context"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"esd/internal/view"
	"esd/internal/workspace"
)

type validateCommand struct {
	*app
	configOptions
	format format
}

func newValidateCommand(a *app) *cobra.Command {
	c := &validateCommand{app: a}
	cmd := &cobra.Command{
		Use:   "validate [PATH]",
		Short: "Check the configuration, without state and network",
		Long: `Checks all that can be checked without a state and without asking anybody:
syntax, names, types, references, sources on this machine. All mistakes are
told, not the first only.

With --format=json the diagnostics are a document on standard output, in the
form of Terraform's validate -json, whether there are any or not.`,
		Example: `  esd validate
  esd validate --format=json examples/quickstart.hcl`,
		Args:              atMostOne("path"),
		ValidArgsFunction: completePaths,
		RunE: a.run(func(ctx context.Context, args []string) error {
			c.path = first(args)
			return c.run(ctx)
		}),
	}
	c.configOptions.add(cmd)
	c.format.add(cmd, "a `FORMAT`: json (default: for people)", formatJSON)
	return cmd
}

func (c *validateCommand) run(ctx context.Context) error {
	if err := c.format.check(formatJSON); err != nil {
		return err
	}
	diags := c.diagnose(ctx)
	if c.format == formatJSON {
		if err := view.DiagnosticsJSON(c.io.Out, diags, c.files()); err != nil {
			return err
		}
	}
	if diags.HasErrors() {
		return diags
	}
	c.warn(diags)
	if c.format == formatJSON {
		return nil
	}
	return view.Text(c.io.Out, "The configuration is valid.", c.io.OutView)
}

// diagnose collects all diagnostics, those of opening too.
func (c *validateCommand) diagnose(ctx context.Context) hcl.Diagnostics {
	w, diags := workspace.Open(c.workspaceOptions(c.configOptions))
	c.workspace = w
	if diags.HasErrors() {
		return diags
	}
	return append(diags, w.Validate(ctx)...)
}
