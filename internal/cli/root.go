// Package cli is the command line: a file for each command, flags in, exit code
// out. What commands do lives in the packages below; how it looks in view.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

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
	out       *outlet              // what io.Out is, to ask whether its reader has gone
	drain     chan struct{}        // closed by the first interrupt
	workspace *workspace.Workspace // the last one that was opened, for snippets
	chdir     string
	started   bool   // a command was found and its options are right
	config    string // the configuration that was asked for last, for advice
	waited    string // what the user knows of the holder of the lock
}

// Main runs the command line and returns the exit code.
func Main(args []string, io IO) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := &app{io: io, out: &outlet{w: io.Out}, drain: make(chan struct{})}
	a.io.Out = a.out
	stop := a.watchSignals(cancel)
	defer stop()
	root := newRoot(a)
	root.SetArgs(args)
	if err := checkDashes(root, args); err != nil {
		return a.fail(usageError(err))
	}
	err := root.ExecuteContext(context.WithValue(ctx, appKey{}, a))
	if err != nil && !a.started {
		err = usageError(explainUsage(root, args, err))
	}
	return a.fail(err)
}

// fail shows an error and returns the exit code for it.
func (a *app) fail(err error) int {
	code := exitCode(err)
	if a.out.broken() && errors.Is(err, errReaderGone) {
		if code == ExitError {
			code = ExitReaderGone // as the signal would
		}
		return code // nobody is there to be told
	}
	var diags hcl.Diagnostics
	switch {
	case err == nil || err.Error() == "":
	case code == ExitInterrupted && errors.Is(err, context.Canceled):
		_ = view.Note(a.io.Err, "Interrupted; nothing was changed.", a.io.ErrView)
	case errors.As(err, &diags):
		_ = view.Diagnostics(a.io.Err, diags, a.files(), a.io.ErrView)
	default:
		_ = view.Error(a.io.Err, a.hintError(err), a.io.ErrView)
	}
	return code
}

func (a *app) files() map[string]*hcl.File {
	if a.workspace == nil || a.workspace.Config == nil {
		return nil
	}
	return a.workspace.Config.Files()
}

// Groups of commands in the help.
const (
	groupWork  = "work"
	groupLook  = "look"
	groupState = "state"
	groupOther = "other"
)

// commands are all commands.
var commands = []struct {
	group string
	make  func(*app) *cobra.Command
}{
	{groupWork, newInitCommand}, {groupWork, newImportCommand}, {groupWork, newValidateCommand}, {groupWork, newFmtCommand}, {groupWork, newLockCommand},
	{groupWork, newPlanCommand}, {groupWork, newApplyCommand}, {groupWork, newFetchCommand}, {groupWork, newPromoteCommand}, {groupWork, newDestroyCommand},
	{groupLook, newShowCommand}, {groupLook, newDiffCommand}, {groupLook, newOutputCommand}, {groupLook, newWhyCommand}, {groupLook, newGraphCommand}, {groupLook, newDepfileCommand},
	{groupLook, newLogsCommand}, {groupLook, newConsoleCommand},
	{groupState, newStateCommand}, {groupState, newLockInfoCommand}, {groupState, newForceUnlockCommand}, {groupState, newCacheCommand},
	{groupOther, newDoctorCommand}, {groupOther, newVersionCommand},
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "esd",
		Short: "Plan and apply deployments of scientific software",
		Long: `esd takes a set of packages to a deployment and builds nothing twice: it
compares what the configuration asks for with what caches and registries really
hold, shows what is missing and why, and does just that.

PATH is a directory (all its *.hcl files are one configuration; the default is
the working directory) or one .hcl file, which is then a whole configuration.`,
		Example: `  esd init stack && cd stack        begin with a small configuration that works
  esd plan                          see what is missing, why, and what it costs
  esd apply                         do it
  esd plan --out p && esd apply p   do exactly what was reviewed`,
		SilenceUsage: true, SilenceErrors: true,
		PersistentPreRunE:          func(*cobra.Command, []string) error { return a.start() },
		SuggestionsMinimumDistance: 2,
	}
	root.PersistentFlags().StringVar(&a.chdir, "chdir", "", "work in `DIR`, as if it were the working directory")
	_ = root.MarkPersistentFlagDirname("chdir")
	root.SetOut(a.io.Out)
	root.SetErr(a.io.Err)
	root.SetIn(a.io.In)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError(err) })
	root.AddGroup(
		&cobra.Group{ID: groupWork, Title: "Working:"}, &cobra.Group{ID: groupLook, Title: "Looking:"},
		&cobra.Group{ID: groupState, Title: "The record, and caches:"}, &cobra.Group{ID: groupOther, Title: "Besides:"},
	)
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	for _, c := range commands {
		cmd := c.make(a)
		cmd.GroupID = c.group
		root.AddCommand(cmd)
	}
	root.AddCommand(newExitCodesTopic(a))
	return root
}

// start is called before each command: from here on errors are the command's
// own.
func (a *app) start() error {
	a.started = true
	if a.chdir == "" {
		return nil
	}
	if err := os.Chdir(a.chdir); err != nil {
		return fmt.Errorf("--chdir: %w", err)
	}
	return nil
}

// run is the body of a command that the first interrupt ends.
func (a *app) run(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx, cancel := a.interruptible(cmd.Context())
		defer cancel()
		return f(ctx, args)
	}
}

// groupOf turns a command into one that only holds others.
func groupOf(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(children...)
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return usageError(fmt.Errorf("unknown command %q for %q%s", args[0], cmd.CommandPath(), didYouMean(cmd.SuggestionsFor(args[0]))))
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// atMostOne accepts at most one argument.
func atMostOne(what string) cobra.PositionalArgs { return between(0, 1, what) }

// between accepts so many arguments.
func between(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usageError(fmt.Errorf("%s is missing; usage: %s", what, cmd.UseLine()))
		case len(args) > most && most == 0:
			return usageError(fmt.Errorf("no arguments are accepted, and %s given", view.Plural(len(args), "argument")+isAre(len(args))))
		case len(args) > most:
			return usageError(fmt.Errorf("one %s is accepted at most, and %d arguments are given: %s; usage: %s", what, len(args), strings.Join(args, " "), cmd.UseLine()))
		}
		return nil
	}
}

func isAre(n int) string {
	if n == 1 {
		return " is"
	}
	return " are"
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}
