package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"esd/internal/state"
	"esd/internal/view"
)

type outputCommand struct {
	*app
	configOptions
	format format
	raw    bool
}

func newOutputCommand(a *app) *cobra.Command {
	c := &outputCommand{app: a}
	cmd := &cobra.Command{
		Use:   "output [NAME]",
		Short: "Show the outputs as of the last apply",
		Long: `Shows the values of the output blocks as the last apply recorded them.

Values that are sensitive are never recorded. One that is named is evaluated
anew from the configuration, for which its variables must be given as for a
plan.`,
		Example: `  esd output
  esd output --raw image
  esd output --format=json --config examples/quickstart.hcl`,
		Args:              atMostOne("name"),
		ValidArgsFunction: completeOutputs(&c.configOptions),
		RunE:              a.run(func(ctx context.Context, args []string) error { return c.run(ctx, first(args)) }),
	}
	c.addWithPath(cmd)
	c.format.add(cmd, "a `FORMAT`: json (default: for people)", formatJSON)
	cmd.Flags().BoolVar(&c.raw, "raw", false, "only the value, without quotes and line break, for scripts")
	return cmd
}

func (c *outputCommand) run(ctx context.Context, name string) error {
	if err := c.format.check(formatJSON); err != nil {
		return err
	}
	if c.raw && (name == "" || c.format != "") {
		return usageError(errors.New("--raw needs the name of one output, and no --format"))
	}
	w, err := c.openState(c.configOptions)
	if err != nil {
		return err
	}
	st, err := c.recorded(ctx, w)
	if err != nil {
		return err
	}
	if name != "" {
		return c.one(ctx, st, name)
	}
	switch {
	case c.format == formatJSON:
		return view.OutputsJSON(c.io.Out, st.Outputs)
	case len(st.Outputs) == 0:
		return view.Note(c.io.Err, "There are no outputs: none are configured, or nothing was applied yet.", c.io.ErrView)
	}
	return view.Outputs(c.io.Out, st.Outputs, c.io.OutView)
}

func (c *outputCommand) one(ctx context.Context, st *state.State, name string) error {
	out, ok := st.Outputs[name]
	if !ok {
		var names []string
		for n := range st.Outputs {
			names = append(names, n)
		}
		return fmt.Errorf("there is no output %q in the state%s", name, didYouMeanAddress(name, names))
	}
	if out.Sensitive() {
		w, err := c.open(c.configOptions)
		if err != nil {
			return err
		}
		if out, err = w.Output(ctx, st, name); err != nil {
			return err
		}
	}
	switch {
	case c.raw:
		return view.OutputRaw(c.io.Out, name, out)
	case c.format == formatJSON:
		return view.OutputJSON(c.io.Out, name, out)
	}
	return view.OutputValue(c.io.Out, out, c.io.OutView)
}
