package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"esd/internal/view"
	"esd/internal/workspace"
)

func newStateAccept(a *app) *cobra.Command {
	c := &stateCommand{app: a}
	cmd := c.command(&cobra.Command{
		Use:   "accept",
		Short: "Take the state as it is, although it is an older one or another one than before",
		Long: `Each machine remembers which version of the state it has seen, in .esd/seen. A
state that is older than that, of another lineage, or gone is refused by all
commands: somebody may have put an old copy back, or another server answers.
When that was on purpose, this forgets what contradicts the state that is there.
The state itself is not changed.`,
		Example: `  esd state accept
  esd state accept --force     do not ask`,
		Args: between(0, 0, ""),
	}, func(ctx context.Context, _ []string) error { return c.accept(ctx) })
	c.writes(cmd)
	cmd.Flags().BoolVar(&c.force, "force", false, "do not ask")
	return cmd
}

func (c *stateCommand) accept(ctx context.Context) error {
	opts, err := c.lockOptions("state accept")
	if err != nil {
		return err
	}
	w, err := c.openState(c.configOptions)
	if err != nil {
		return err
	}
	agreed := true
	a, err := w.Accept(ctx, opts, func(a workspace.Acceptance) (bool, error) {
		agreed, err = c.agrees("Take the state as it is?", "the state was not accepted", func() error {
			return view.Note(c.io.Err, "Refused so far: "+a.Untrusted.Problem+". There is "+foundState(a)+".", c.io.ErrView)
		})
		return agreed, err
	})
	switch {
	case err != nil || !agreed:
		return err
	case a.Untrusted == nil:
		return c.say("Nothing speaks against the state: there is " + foundState(a) + ".")
	}
	return c.say("The state is taken as it is: " + foundState(a) + ".")
}

func foundState(a workspace.Acceptance) string {
	if a.Found.Lineage == "" {
		return "none in " + a.Location
	}
	return fmt.Sprintf("serial %d in %s, with %s", a.Found.Serial, a.Location, view.Plural(a.Objects, "object"))
}

// agrees asks before something is done that cannot be taken back, after show has
// said what. With --force it does not ask. Who does not agree gets an error that
// says so.
func (c *stateCommand) agrees(question, otherwise string, show func() error) (bool, error) {
	return c.app.agrees(c.force, question, otherwise, show)
}

func (a *app) agrees(force bool, question, otherwise string, show func() error) (bool, error) {
	if err := show(); err != nil || force {
		return err == nil, err
	}
	if !a.io.CanAsk {
		return false, usageError(errors.New("nobody can be asked here: give --force"))
	}
	agreed, err := a.askYes(question)
	if err == nil && !agreed {
		err = &codeError{ExitDeclined, errors.New(otherwise)}
	}
	return agreed, err
}
