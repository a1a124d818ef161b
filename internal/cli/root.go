// Package cli is the command line: a file for each command, flags in, exit code
// out. What commands do lives in the packages below; how it looks in view.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"esd/internal/view"
	"esd/internal/workspace"
)

// Version is the version of esd; the build sets it.
var Version = "0.1.0-dev"

// app is what all commands share.
type app struct {
	io        IO
	drain     chan struct{}        // closed by the first interrupt
	workspace *workspace.Workspace // the last one that was opened, for snippets
}

// Main runs the command line and returns the exit code.
func Main(args []string, io IO) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := &app{io: io, drain: make(chan struct{})}
	stop := a.watchSignals(cancel)
	defer stop()
	root := newRoot(a)
	root.SetArgs(args)
	if err := checkDashes(root, args); err != nil {
		return a.fail(usageError(err))
	}
	return a.fail(root.ExecuteContext(ctx))
}

// watchSignals lets the first interrupt drain a run, and the second end it.
func (a *app) watchSignals(cancel context.CancelFunc) (stop func()) {
	signals := make(chan os.Signal, 3)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		for n := 0; ; n++ {
			select {
			case <-signals:
				switch n {
				case 0:
					close(a.drain)
				case 1:
					cancel()
				default:
					signal.Reset(os.Interrupt, syscall.SIGTERM) // the next one ends the process
				}
			case <-ended:
				return
			}
		}
	}()
	return func() { signal.Stop(signals); close(ended) }
}

// interruptible is a context that the first interrupt ends: for work that
// leaves nothing behind.
func (a *app) interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-a.drain:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// fail shows an error and returns the exit code for it.
func (a *app) fail(err error) int {
	code := exitCode(err)
	var diags hcl.Diagnostics
	switch {
	case err == nil:
	case errors.As(err, &diags):
		_ = view.Diagnostics(a.io.Err, diags, a.files(), a.io.ErrView)
	case err.Error() != "":
		_ = view.Error(a.io.Err, err, a.io.ErrView)
	}
	return code
}

func (a *app) files() map[string]*hcl.File {
	if a.workspace == nil || a.workspace.Config == nil {
		return nil
	}
	return a.workspace.Config.Files()
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "esd",
		Short: "Plan and apply deployments of scientific software",
		Long: "esd takes a set of packages to a deployment and builds nothing twice: it compares what the configuration asks for\n" +
			"with what caches and registries really hold, shows what is missing and why, and does just that.",
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetOut(a.io.Out)
	root.SetErr(a.io.Err)
	root.SetIn(a.io.In)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError(err) })
	for _, add := range commands {
		root.AddCommand(add(a))
	}
	return root
}

// commands are all commands, in the order of the help.
var commands = []func(*app) *cobra.Command{
	newPlanCommand, newApplyCommand, newDestroyCommand,
}

// checkDashes helps people who type long options with one dash, as Terraform
// has them.
func checkDashes(root *cobra.Command, args []string) error {
	command, rest, err := root.Find(args)
	if err != nil {
		return nil // cobra says it
	}
	for _, arg := range rest {
		if arg == "--" {
			return nil
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if !strings.HasPrefix(arg, "-") || strings.HasPrefix(arg, "--") || len(name) < 2 {
			continue
		}
		if command.Flags().Lookup(name) != nil || command.InheritedFlags().Lookup(name) != nil {
			return fmt.Errorf("unknown option %s; did you mean -%s? Long options have two dashes", arg, arg)
		}
	}
	return nil
}

// oneArg accepts at most one argument, the path.
func atMostOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usageError(fmt.Errorf("one %s is accepted at most, and %d arguments are given: %s", what, len(args), strings.Join(args, " ")))
		}
		return nil
	}
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
