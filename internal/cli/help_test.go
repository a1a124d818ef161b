package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func eachCommand(cmd *cobra.Command, f func(*cobra.Command)) {
	for _, c := range cmd.Commands() {
		if c.Name() != "help" && c.Name() != "completion" && !c.IsAdditionalHelpTopicCommand() {
			f(c)
			eachCommand(c, f)
		}
	}
}

func TestEveryCommandIsExplained(t *testing.T) {
	t.Parallel()
	root := newRoot(&app{drain: make(chan struct{})})
	eachCommand(root, func(cmd *cobra.Command) {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: its short text is empty or a sentence: %q", cmd.CommandPath(), cmd.Short)
		}
		for line := range strings.SplitSeq(cmd.Long, "\n") {
			if len(line) > 80 {
				t.Errorf("%s: a line of its help is longer than 80 columns: %q", cmd.CommandPath(), line)
			}
		}
		if cmd.Example == "" && cmd.Name() != "version" && !cmd.HasSubCommands() {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s is not explained", cmd.CommandPath(), f.Name)
			}
		})
	})
}

func TestOptionsOfTheSameNameMeanTheSame(t *testing.T) {
	t.Parallel()
	types := map[string]string{}
	root := newRoot(&app{drain: make(chan struct{})})
	eachCommand(root, func(cmd *cobra.Command) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if before, ok := types[f.Name]; ok && before != f.Value.Type() {
				t.Errorf("%s --%s is a %s, elsewhere a %s", cmd.CommandPath(), f.Name, f.Value.Type(), before)
			}
			types[f.Name] = f.Value.Type()
		})
	})
}
