package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"esd/internal/addr"
	"esd/internal/schema"
	"esd/internal/view"
	"esd/internal/workspace"
)

// configOptions are the options of all commands that read a configuration.
type configOptions struct {
	path           string
	vars, varFiles []string
	sandbox        string
}

// add adds the options for commands that take PATH as argument.
func (o *configOptions) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&o.vars, "var", nil, "set a variable: `NAME=VALUE` (repeatable)")
	cmd.Flags().StringArrayVar(&o.varFiles, "var-file", nil, "read variables from `FILE` (repeatable)")
}

// addWithPath adds the options for commands whose arguments are something else
// than PATH.
func (o *configOptions) addWithPath(cmd *cobra.Command) {
	o.add(cmd)
	o.addPath(cmd)
}

func (o *configOptions) addPath(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.path, "config", "", "the configuration: a directory or a .hcl file, `PATH` (default: the working directory)")
}

// open opens the configuration and shows its warnings.
func (a *app) open(o configOptions) (*workspace.Workspace, error) {
	w, diags := workspace.Open(a.workspaceOptions(o))
	a.workspace = w
	if diags.HasErrors() {
		return w, diags
	}
	a.warn(diags)
	return w, nil
}

// openState opens a configuration for its state only; its mistakes matter only
// where they hide the state.
func (a *app) openState(o configOptions) (*workspace.Workspace, error) {
	w, diags := workspace.OpenState(a.workspaceOptions(o))
	a.workspace = w
	if diags.HasErrors() {
		return w, diags
	}
	return w, nil
}

func (a *app) workspaceOptions(o configOptions) workspace.Options {
	a.config = o.path
	return workspace.Options{
		Path: o.path, Vars: o.vars, VarFiles: o.varFiles, Environ: a.io.Getenv, EnvironAll: a.io.Environ,
		Version: Version, Sandbox: o.sandbox, Slow: a.slow,
	}
}

// slow tells that the place of the state does not answer.
func (a *app) slow(s workspace.Slow) {
	_ = view.Note(a.io.Err, fmt.Sprintf("Waiting for %s: no answer to %s for %s.", s.Location, s.Doing, s.For.Round(time.Second)), a.io.ErrView)
}

func (a *app) warn(diags hcl.Diagnostics) {
	if len(diags) > 0 {
		_ = view.Diagnostics(a.io.Err, diags, a.files(), a.io.ErrView)
	}
}

// planOptions are the options that narrow and steer planning.
type planOptions struct {
	configOptions
	targets, excludes, replaces []string
	refresh, refreshOnly        bool
	jobs                        jobs
	memory                      string
}

func (o *planOptions) add(cmd *cobra.Command) {
	o.configOptions.add(cmd)
	o.addSelection(cmd)
	f := cmd.Flags()
	f.Var(&o.jobs, "jobs", "how many processors steps may occupy together, `N` (default: the executor's, else all)")
	f.StringVar(&o.memory, "memory", "", "how much memory steps may occupy together, a `SIZE` such as 4GiB (default: the executor's, else no limit)")
	addSandbox(cmd, &o.sandbox)
}

func (o *planOptions) addSelection(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&o.targets, "target", nil, "only this `ADDRESS` and what it needs (repeatable)")
	f.StringArrayVar(&o.excludes, "exclude", nil, "not this `ADDRESS`, nor what needs it (repeatable)")
	complete := completeAddresses(&o.configOptions)
	_ = cmd.RegisterFlagCompletionFunc("target", complete)
	_ = cmd.RegisterFlagCompletionFunc("exclude", complete)
}

func addSandbox(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "sandbox", "", "how builds are kept apart from the machine: a `NAME`, namespace or none (default: the best that there is)")
	_ = cmd.RegisterFlagCompletionFunc("sandbox", cobra.FixedCompletions([]string{"namespace", "none"}, cobra.ShellCompDirectiveNoFileComp))
}

func (o *planOptions) addRefresh(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&o.replaces, "replace", nil, "make this `ADDRESS` anew although it is as wanted (repeatable)")
	_ = cmd.RegisterFlagCompletionFunc("replace", completeAddresses(&o.configOptions))
	f.BoolVar(&o.refresh, "refresh", true, "ask caches and registries what they have; --refresh=false trusts the state")
}

func (o *planOptions) addRefreshOnly(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.refreshOnly, "refresh-only", false, "only make the state match what caches and registries have")
}

// jobs is a number of processors that was given; 0 if none was.
type jobs int

// Set implements [pflag.Value].
func (j *jobs) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return errors.New("a number of processors is expected, at least 1; without --jobs it is that of the executor, else all")
	}
	*j = jobs(n)
	return nil
}

// String implements [pflag.Value].
func (j *jobs) String() string {
	if *j == 0 {
		return ""
	}
	return strconv.Itoa(int(*j))
}

// Type implements [pflag.Value].
func (*jobs) Type() string { return "int" }

// parse checks the options.
func (o *planOptions) parse() (workspace.PlanOptions, error) {
	out := workspace.PlanOptions{NoRefresh: !o.refresh, CPUs: int(o.jobs)}
	if o.memory != "" {
		n, err := schema.ParseSize(o.memory)
		if err != nil {
			return out, usageError(fmt.Errorf("--memory: %w", err))
		}
		out.Memory = n
	}
	for _, list := range []struct {
		option  string
		written []string
		parsed  *[]addr.Target
	}{{"--target", o.targets, &out.Targets}, {"--exclude", o.excludes, &out.Excludes}, {"--replace", o.replaces, &out.Replaces}} {
		for _, s := range list.written {
			t, err := addr.ParseTarget(s)
			if err != nil {
				return out, usageError(fmt.Errorf("%s: %w", list.option, err))
			}
			*list.parsed = append(*list.parsed, t)
		}
	}
	return out, nil
}

// format is what --format says.
type format string

const (
	formatJSON     = "json"
	formatMarkdown = "markdown"
)

func (f *format) add(cmd *cobra.Command, usage string, allowed ...string) {
	cmd.Flags().StringVar((*string)(f), "format", "", usage)
	_ = cmd.RegisterFlagCompletionFunc("format", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return allowed, cobra.ShellCompDirectiveNoFileComp
	})
}

func (f format) check(allowed ...string) error {
	for _, a := range append(allowed, "") {
		if string(f) == a {
			return nil
		}
	}
	return usageError(fmt.Errorf("--format=%s is not known here; --format=%s is", f, strings.Join(allowed, " or --format=")))
}

func parseTimeout(option, s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := schema.ParseDuration(s)
	if err != nil {
		return 0, usageError(fmt.Errorf("%s: %w", option, err))
	}
	return d, nil
}
