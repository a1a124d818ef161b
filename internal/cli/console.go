package cli

import (
	"bufio"
	"context"
	"errors"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"esd/internal/config"
	"esd/internal/view"
	"esd/internal/workspace"
)

type consoleCommand struct {
	*app
	configOptions
}

func newConsoleCommand(a *app) *cobra.Command {
	c := &consoleCommand{app: a}
	cmd := &cobra.Command{
		Use:   "console [EXPR]",
		Short: "Evaluate expressions",
		Long: `Evaluates an expression in the root module, or each line of standard input; -
is standard input too. Variables, local values, blocks and functions can be
used. What is sensitive is not shown.`,
		Example: `  esd console 'var.release'
  esd console 'recipe.greet.prefix' --config examples/quickstart.hcl
  echo 'join("-", ["a", "b"])' | esd console`,
		Args: atMostOne("expression"),
		RunE: a.run(func(ctx context.Context, args []string) error { return c.run(ctx, first(args)) }),
	}
	c.addWithPath(cmd)
	return cmd
}

func (c *consoleCommand) run(ctx context.Context, expr string) error {
	w, err := c.open(c.configOptions)
	if err != nil {
		return err
	}
	recorded, _, err := w.Recorded(ctx)
	if err != nil {
		recorded = nil // values that are known after apply stay unknown
	}
	// What went wrong shows where an expression needs it.
	resolved, _ := w.Resolve(ctx, recorded)
	if expr != "" && expr != "-" {
		return c.evaluate(w, resolved.Evaluated, expr)
	}
	return c.lines(ctx, w, resolved.Evaluated)
}

// evaluate shows the value of one expression.
func (c *consoleCommand) evaluate(w *workspace.Workspace, evaluated *config.Evaluated, expr string) error {
	v, diags := w.Config.EvalExpression(expr, evaluated)
	if diags.HasErrors() {
		return diags
	}
	c.warn(diags)
	return view.Value(c.io.Out, v, c.io.OutView)
}

// lines evaluates line by line, and goes on after a mistake; the exit code
// tells of it in the end, unless somebody has seen it.
func (c *consoleCommand) lines(ctx context.Context, w *workspace.Workspace, evaluated *config.Evaluated) error {
	lines := make(chan string)
	go func() {
		defer close(lines)
		in := bufio.NewScanner(c.io.In)
		for in.Scan() {
			lines <- strings.TrimSpace(in.Text())
		}
	}()
	failed := false
	for {
		if c.io.CanAsk {
			_ = view.Prompt(c.io.Err, "> ", c.io.ErrView)
		}
		select {
		case <-ctx.Done():
			return nil
		case line, more := <-lines:
			switch {
			case !more || line == "exit":
				if failed && !c.io.CanAsk {
					return &codeError{code: ExitError}
				}
				return nil
			case line == "":
				continue
			}
			err := c.evaluate(w, evaluated, line)
			var diags hcl.Diagnostics
			if errors.As(err, &diags) {
				failed = true
				_ = view.Diagnostics(c.io.Err, diags, c.files(), c.io.ErrView)
			} else if err != nil {
				return err
			}
		}
	}
}
