package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"esd/internal/state"
	"esd/internal/view"
	"esd/internal/workspace"
)

func newStateMigrate(a *app) *cobra.Command {
	c := &stateCommand{app: a}
	from := ""
	cmd := c.command(&cobra.Command{
		Use:   "migrate",
		Short: "Bring the state from where it was to where the state block leads now",
		Long: `After the state block was changed, this copies the state from the old place to
the new one, with its lineage and under the next serial, and reads it back. Both
places are locked meanwhile. The old place keeps its state as it is: remove it
when nobody uses the older configuration any more.

Where the state was, this machine remembers (.esd/seen), but for secrets, which
are taken from the environment. Elsewhere, or where the old state block held
secrets, --from names a configuration that has the old state block; it is read
as if it stood in place of this one. Its other blocks do not matter.

A migration that was interrupted has changed nothing, or is done; repeat it.`,
		Example: `  esd state migrate --dry-run
  esd state migrate
  git show HEAD~:esd.hcl > /tmp/old.hcl && esd state migrate --from /tmp/old.hcl`,
		Args: between(0, 0, ""),
	}, func(ctx context.Context, _ []string) error { return c.migrate(ctx, from) })
	c.writes(cmd)
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "the state was where the state block of this configuration leads, `CONFIG` (default: where this machine has seen it last)")
	f.BoolVar(&c.dryRun, "dry-run", false, "only say what would be done")
	f.BoolVar(&c.force, "force", false, "do not ask before an older version at the new place is replaced")
	return cmd
}

func (c *stateCommand) migrate(ctx context.Context, from string) error {
	opts, err := c.lockOptions("state migrate")
	if err != nil {
		return err
	}
	w, err := c.openState(c.configOptions)
	if err != nil {
		return err
	}
	agreed := true
	m, err := w.Migrate(ctx, workspace.MigrateOptions{LockOptions: opts, From: from, DryRun: c.dryRun, Agree: func(m workspace.Migration) (bool, error) {
		agreed, err = c.agrees("Replace it?", "the state stays where it was", func() error {
			return view.Note(c.io.Err, fmt.Sprintf("There is an older version of the state in %s already: serial %d.", m.To, m.New.Serial), c.io.ErrView)
		})
		return agreed, err
	}})
	if err != nil || !agreed {
		return err
	}
	return c.migrated(m)
}

func (c *stateCommand) migrated(m workspace.Migration) error {
	if m.Done {
		return c.say(fmt.Sprintf("The state is in %s already, with serial %d; in %s it had serial %d.", m.To, m.New.Serial, m.From, m.Old.Serial))
	}
	if c.dryRun && m.New.Lineage != "" {
		if err := view.Note(c.io.Err, fmt.Sprintf("It would replace an older version there, with serial %d.", m.New.Serial), c.io.ErrView); err != nil {
			return err
		}
	}
	err := c.say(fmt.Sprintf("%s the state from %s to %s: serial %d, with %s.", c.done("Brought", "Would bring"), m.From, m.To, m.Written, view.Plural(m.Objects, "object")))
	if err != nil || c.dryRun {
		return err
	}
	return view.Notice(c.io.Err, state.Notice{
		Summary: "The state in " + m.From + " stays as it was",
		Detail:  fmt.Sprintf("It has serial %d. Remove it when nobody uses an older configuration any more: what is written there is not seen here.", m.Old.Serial),
	}, c.io.ErrView)
}
