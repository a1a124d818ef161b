package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"esd/internal/addr"
	"esd/internal/state"
	"esd/internal/view"
	"esd/internal/workspace"
)

// maxState is the largest document that is read, in bytes.
const maxState = state.MaxSize

// stateCommand is what all commands about the state share.
type stateCommand struct {
	*app
	configOptions
	format      format
	lockTimeout string
	dryRun      bool
	force       bool
}

func newStateCommand(a *app) *cobra.Command {
	return groupOf(&cobra.Command{
		Use:   "state",
		Short: "Look at the record of what exists, and repair it",
		Long: `The state is an index of what was made, not the truth: caches and registries say
what exists. So these commands are needed rarely. Those that write take the
lock, and keep the version before: of a file as FILE.backup, elsewhere where the
place keeps versions.`,
	}, newStateList(a), newStateShow(a), newStateMove(a), newStateRemove(a), newStatePull(a), newStatePush(a), newStateMigrate(a), newStateRebuild(a), newStateAccept(a))
}

// command finishes a command about the state.
func (c *stateCommand) command(cmd *cobra.Command, run func(ctx context.Context, args []string) error) *cobra.Command {
	cmd.RunE = c.app.run(run)
	c.addWithPath(cmd)
	if cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = completeRecorded(&c.configOptions)
	}
	return cmd
}

// writes adds the options of commands that take the lock.
func (c *stateCommand) writes(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.lockTimeout, "lock-timeout", "", "how long to wait for the lock of the state, as `5m` (default: do not wait)")
}

// recorded reads the state, and tells what is worth knowing.
func (a *app) recorded(ctx context.Context, w *workspace.Workspace) (*state.State, error) {
	st, notices, err := w.Recorded(ctx)
	if err != nil {
		return nil, err
	}
	a.notices(notices)
	if st == nil {
		st = state.New("", Version)
	}
	return st, nil
}

// read opens the configuration and reads its state.
func (c *stateCommand) read(ctx context.Context) (*workspace.Workspace, *state.State, error) {
	w, err := c.openState(c.configOptions)
	if err != nil {
		return nil, nil, err
	}
	st, err := c.recorded(ctx, w)
	return w, st, err
}

func (c *stateCommand) lockOptions(operation string) (workspace.LockOptions, error) {
	timeout, err := parseTimeout("--lock-timeout", c.lockTimeout)
	return workspace.LockOptions{
		Operation: operation, Timeout: timeout, Job: c.job(), Waiting: c.waiting,
		Notice: func(n state.Notice) { c.notices([]state.Notice{n}) },
	}, err
}

// edit changes the state under its lock; with --dry-run a copy of it.
func (c *stateCommand) edit(ctx context.Context, operation string, change func(*state.State) error) error {
	if c.dryRun {
		_, st, err := c.read(ctx)
		if err != nil {
			return err
		}
		return change(st.Clone())
	}
	opts, err := c.lockOptions(operation)
	if err != nil {
		return err
	}
	w, err := c.openState(c.configOptions)
	if err != nil {
		return err
	}
	return w.EditState(ctx, opts, change)
}

func (c *stateCommand) say(text string) error { return view.Text(c.io.Out, text, c.io.OutView) }

func newStateList(a *app) *cobra.Command {
	c := &stateCommand{app: a}
	return c.command(&cobra.Command{
		Use:   "list [PATTERN...]",
		Short: "List the addresses of what is recorded",
		Long: `Lists addresses, sorted. A pattern is an address or the beginning of one:
target.image.lab means all its instances, module.x all in it. In names * stands
for anything, [*] for any instance. More patterns list what any of them means.`,
		Example: `  esd state list
  esd state list recipe
  esd state list 'target.image.lab[*]' --config examples/variants.hcl`,
	}, func(ctx context.Context, args []string) error {
		_, st, err := c.read(ctx)
		if err != nil {
			return err
		}
		addresses := st.Addresses()
		if len(args) > 0 {
			if addresses, err = selected(st, args); err != nil {
				return err
			}
		}
		return view.StateList(c.io.Out, addresses, c.io.OutView)
	})
}

// selected lists what the patterns mean, sorted. A pattern that means nothing
// is an error.
func selected(st *state.State, patterns []string) ([]string, error) {
	hit := map[string]bool{}
	for _, pattern := range patterns {
		list := st.Select(pattern)
		if len(list) == 0 {
			return nil, notRecorded(st, pattern)
		}
		for _, a := range list {
			hit[a] = true
		}
	}
	var list []string
	for _, a := range st.Addresses() {
		if hit[a] {
			list = append(list, a)
		}
	}
	return list, nil
}

func notRecorded(st *state.State, address string) error {
	return fmt.Errorf("nothing is recorded at %s%s", address, didYouMeanAddress(address, st.Addresses()))
}

func newStateShow(a *app) *cobra.Command {
	c := &stateCommand{app: a}
	cmd := c.command(&cobra.Command{
		Use:     "show ADDRESS",
		Short:   "Show what is recorded of one object",
		Example: `  esd state show 'target.image.lab["zen3"]'`,
		Args:    between(1, 1, "ADDRESS"),
	}, func(ctx context.Context, args []string) error {
		if err := c.format.check(formatJSON); err != nil {
			return err
		}
		_, st, err := c.read(ctx)
		if err != nil {
			return err
		}
		o := st.Get(args[0])
		if o == nil {
			return notRecorded(st, args[0])
		}
		if c.format == formatJSON {
			return view.ObjectJSON(c.io.Out, o)
		}
		return view.StateShow(c.io.Out, o, c.io.OutView)
	})
	c.format.add(cmd, "a `FORMAT`: json (default: for people)", formatJSON)
	return cmd
}

func newStateMove(a *app) *cobra.Command {
	c := &stateCommand{app: a}
	cmd := c.command(&cobra.Command{
		Use:     "mv FROM TO",
		Aliases: []string{"move"},
		Short:   "Give what is recorded another address",
		Long: `Gives an object, all instances of a block, or a whole module another address. A
moved block in the configuration does the same and is reviewed with it; this is
for what has no configuration any more.`,
		Example: `  esd state mv recipe.greet recipe.hello
  esd state mv --dry-run target.image.lab 'target.image.lab["zen3"]'`,
		Args: between(2, 2, "FROM TO"),
	}, func(ctx context.Context, args []string) error {
		for _, arg := range args {
			if _, err := addr.ParseTarget(arg); err != nil {
				return usageError(err)
			}
		}
		var moved []state.Moved
		err := c.edit(ctx, "state mv", func(st *state.State) (err error) {
			moved, err = st.Move(args[0], args[1])
			var missing *state.NotFoundError
			if errors.As(err, &missing) {
				err = notRecorded(st, args[0])
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, m := range moved {
			if err := c.say(c.done("moved", "would move") + " " + m.From + " to " + m.To); err != nil {
				return err
			}
		}
		return nil
	})
	c.writes(cmd)
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "only say what would be moved")
	return cmd
}

func (c *stateCommand) done(done, would string) string {
	if c.dryRun {
		return would
	}
	return done
}

func newStateRemove(a *app) *cobra.Command {
	c := &stateCommand{app: a}
	cmd := c.command(&cobra.Command{
		Use:     "rm ADDRESS...",
		Aliases: []string{"remove"},
		Short:   "Forget what is recorded; what exists stays",
		Long: `Forgets objects. What exists stays where it is; if it is still configured, the
next plan finds and adopts it. A removed block in the configuration does the
same and is reviewed with it.`,
		Example: `  esd state rm recipe.greet
  esd state rm --dry-run module.stack`,
		Args: between(1, 1<<20, "ADDRESS"),
	}, func(ctx context.Context, args []string) error {
		var gone []string
		err := c.edit(ctx, "state rm", func(st *state.State) (err error) {
			if gone, err = selected(st, args); err != nil {
				return err
			}
			return st.Remove(gone...)
		})
		if err != nil {
			return err
		}
		for _, a := range gone {
			if err := c.say(c.done("forgot", "would forget") + " " + a); err != nil {
				return err
			}
		}
		return nil
	})
	c.writes(cmd)
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "only say what would be forgotten")
	return cmd
}

func newStatePull(a *app) *cobra.Command {
	c := &stateCommand{app: a}
	return c.command(&cobra.Command{
		Use:     "pull",
		Short:   "Write the document of the state to standard output",
		Example: `  esd state pull > state.json`,
		Args:    between(0, 0, ""),
	}, func(ctx context.Context, _ []string) error {
		_, st, err := c.read(ctx)
		if err != nil {
			return err
		}
		if st.Lineage == "" {
			return workspace.ErrNoState
		}
		data, err := state.Encode(st)
		if err == nil {
			_, err = c.io.Out.Write(data)
		}
		return err
	})
}

func newStatePush(a *app) *cobra.Command {
	c := &stateCommand{app: a}
	cmd := c.command(&cobra.Command{
		Use:   "push FILE",
		Short: "Replace the state by a document",
		Long: `Replaces the state by a document, which esd state pull wrote; - reads standard
input. The document must be of the same lineage and have a higher serial than
what is recorded; --force replaces it all the same, even where what is recorded
cannot be read.`,
		Example: `  esd state push repaired.json
  esd state push --force .esd/esd.state.json.backup`,
		Args:              between(1, 1, "FILE"),
		ValidArgsFunction: completePaths,
	}, func(ctx context.Context, args []string) error { return c.push(ctx, args[0]) })
	c.writes(cmd)
	cmd.Flags().BoolVar(&c.force, "force", false, "also with another lineage or a lower serial")
	return cmd
}

func (c *stateCommand) push(ctx context.Context, path string) error {
	opts, err := c.lockOptions("state push")
	if err != nil {
		return err
	}
	pushed, err := c.document(path)
	if err != nil {
		return err
	}
	w, err := c.openState(c.configOptions)
	if err != nil {
		return err
	}
	now, err := w.Push(ctx, opts, pushed, c.force)
	if err != nil {
		return err
	}
	return c.say(fmt.Sprintf("The state has serial %d now, with %s.", now.Serial, view.Plural(len(now.Objects), "object")))
}

// document reads a state from a file or from standard input.
func (c *stateCommand) document(path string) (*state.State, error) {
	in, name := c.io.In, "standard input"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in, name = f, path
	}
	data, err := io.ReadAll(io.LimitReader(in, maxState+1))
	if err != nil {
		return nil, err
	}
	return state.Decode(data, name)
}

func isConfigName(path string) bool { return strings.HasSuffix(path, ".hcl") }
