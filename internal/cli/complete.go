package cli

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"esd/internal/plan"
	"esd/internal/workspace"
)

// completionTime is how long a completion may take: who presses the tabulator
// waits for it.
const completionTime = 2 * time.Second

// completionFunc is what cobra asks for candidates.
type completionFunc = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective)

// completePaths leaves it to the shell: directories, configurations, plans.
func completePaths(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// completeAddresses offers what is configured or recorded.
func completeAddresses(o *configOptions) completionFunc {
	return completeFrom(o, func(ctx context.Context, w *workspace.Workspace) []string { return w.Addresses(ctx) })
}

// completeRecorded offers what is recorded.
func completeRecorded(o *configOptions) completionFunc {
	return completeFrom(o, func(ctx context.Context, w *workspace.Workspace) []string { return w.RecordedAddresses(ctx) })
}

// completeOutputs offers the names of recorded outputs.
func completeOutputs(o *configOptions) completionFunc {
	return completeFrom(o, func(ctx context.Context, w *workspace.Workspace) []string {
		if w.Backend == nil {
			return nil
		}
		st, _, err := w.Recorded(ctx)
		if err != nil || st == nil {
			return nil
		}
		var names []string
		for name := range st.Outputs {
			names = append(names, name)
		}
		return names
	})
}

// appKey finds the app in the context of a command: completions are set up by
// options, which know of none.
type appKey struct{}

// completeFrom opens the configuration, and is silent about all that is wrong
// with it.
func completeFrom(o *configOptions, list func(context.Context, *workspace.Workspace) []string) completionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(context.Background(), completionTime)
		defer cancel()
		opts := *o
		if opts.path == "" && !strings.Contains(cmd.Use, "ADDRESS") && !strings.Contains(cmd.Use, "NAME") && !strings.Contains(cmd.Use, "FROM") {
			opts.path = first(args)
		}
		if dir := cmd.Root().PersistentFlags().Lookup("chdir").Value.String(); dir != "" {
			if os.Chdir(dir) != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
		}
		var a app
		if known, ok := cmd.Context().Value(appKey{}).(*app); ok {
			a = *known
		}
		w, _ := workspace.OpenState(a.workspaceOptions(opts))
		var fit []string
		for _, candidate := range list(ctx, w) {
			if strings.HasPrefix(candidate, begun) {
				fit = append(fit, candidate)
			}
		}
		return fit, cobra.ShellCompDirectiveNoFileComp
	}
}

func didYouMeanAddress(written string, known []string) string {
	if s := plan.Suggest(written, known); s != "" {
		return "; did you mean " + s + "?"
	}
	return ""
}
