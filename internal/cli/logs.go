package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"esd/internal/view"
	"esd/internal/workspace"
)

type logsCommand struct {
	*app
	configOptions
	run          string
	list, follow bool
}

func newLogsCommand(a *app) *cobra.Command {
	c := &logsCommand{app: a}
	cmd := &cobra.Command{
		Use:   "logs [ADDRESS]",
		Short: "Show the logs of what was run",
		Long: `Lists the logs of the last run, or shows those of one object: of the last run
that has any, or of the one that --run names.`,
		Example: `  esd logs
  esd logs recipe.greet
  esd logs --follow recipe.greet      while it is built
  esd logs --list                     all runs
  esd logs --run 20260102T150405Z recipe.greet`,
		Args:              atMostOne("address"),
		ValidArgsFunction: completeAddresses(&c.configOptions),
		RunE:              a.run(func(ctx context.Context, args []string) error { return c.show(ctx, first(args)) }),
	}
	c.addPath(cmd)
	f := cmd.Flags()
	f.StringVar(&c.run, "run", "", "the `RUN`, or how its name begins (default: the last)")
	f.BoolVar(&c.list, "list", false, "list the runs that left logs")
	f.BoolVarP(&c.follow, "follow", "f", false, "go on as the log grows, until interrupted")
	return cmd
}

func (c *logsCommand) show(ctx context.Context, address string) error {
	w, err := c.openState(c.configOptions)
	if err != nil {
		return err
	}
	runs, err := w.Runs()
	if err != nil {
		return err
	}
	if c.list {
		table := view.NewTable("RUN", "LOGS")
		for _, r := range runs {
			table.Row(r.Run, fmt.Sprint(len(r.Logs)))
		}
		return table.Write(c.io.Out, c.io.OutView)
	}
	if address != "" {
		return c.object(ctx, runs, address)
	}
	run, err := workspace.PickRun(runs, c.run)
	if err != nil {
		return err
	}
	table := view.NewTable("LOG", "STEP", "SIZE", "FILE")
	for _, l := range run.Logs {
		name, operation := l.Name, ""
		if a, what, ok := l.Step(); ok {
			name, operation = a.String(), what
		}
		table.Row(name, operation, view.Bytes(l.Size), l.Path)
	}
	return table.Write(c.io.Out, c.io.OutView)
}

func (c *logsCommand) object(ctx context.Context, runs []workspace.RunLogs, address string) error {
	if c.run != "" {
		run, err := workspace.PickRun(runs, c.run)
		if err != nil {
			return err
		}
		runs = []workspace.RunLogs{run}
	}
	for _, run := range slices.Backward(runs) {
		logs, err := run.Matching(address)
		if err != nil {
			return usageError(err)
		}
		for i, log := range logs {
			_ = view.Note(c.io.Err, log.Path, c.io.ErrView)
			if err := c.copy(ctx, log.Path, c.follow && i == len(logs)-1); err != nil {
				return err
			}
		}
		if len(logs) > 0 {
			return nil
		}
	}
	return fmt.Errorf("there is no log of %s: it was reused, or was not among what was run (`esd logs --list` lists the runs)", address)
}

// followEvery is how often a log that is followed is looked at.
const followEvery = 200 * time.Millisecond

// copy shows a log as it is.
func (c *logsCommand) copy(ctx context.Context, path string, follow bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if err := view.Log(c.io.Out, f, c.io.OutView); err != nil || !follow {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
	}
}
