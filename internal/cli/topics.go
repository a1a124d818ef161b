package cli

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"esd/internal/view"
)

// newExitCodesTopic is `esd help exit-codes`.
func newExitCodesTopic(a *app) *cobra.Command {
	topic := &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", GroupID: groupOther}
	topic.Long = "Exit codes are part of the interface; scripts can rely on them.\n\n" + exitCodeTable(a.io.OutView)
	topic.SetUsageFunc(func(*cobra.Command) error { return nil })
	// A topic is a command that cannot be run.
	return topic
}

func exitCodeTable(o view.Options) string {
	table := view.NewTable("CODE", "NAME", "MEANING")
	for _, c := range ExitCodes {
		table.Row(strconv.Itoa(c.Code), c.Name, c.Meaning)
	}
	var b strings.Builder
	_ = table.Write(&b, o)
	return b.String()
}
