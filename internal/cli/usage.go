package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"esd/internal/plan"
)

// elsewhere are options of similar programs, and what they are called here.
var elsewhere = map[string]string{
	"json":             "--format=json",
	"markdown":         "--format=markdown",
	"parallelism":      "--jobs N",
	"no-color":         "the environment variable NO_COLOR=1",
	"lock":             "nothing: plans take no lock, and apply always does",
	"input":            "nothing: without a terminal esd never asks",
	"state":            "the block esd { state \"local\" { path = … } } in the configuration",
	"compact-warnings": "nothing",
	"force-copy":       "nothing",
}

// checkDashes helps people who type long options with one dash, as Terraform
// has them.
func checkDashes(root *cobra.Command, args []string) error {
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		return nil
	}
	var rest []string
	for _, arg := range args {
		if arg == "--" {
			break
		}
		rest = append(rest, arg)
	}
	for i, arg := range rest {
		name, value, given := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if !strings.HasPrefix(arg, "-") || strings.HasPrefix(arg, "--") || len(name) < 2 || isValue(root, rest, i) {
			continue
		}
		flag := flagOf(root, rest, name)
		switch {
		case flag != nil && !given && flag.NoOptDefVal == "" && i+1 < len(rest):
			return fmt.Errorf("unknown option %s; did you mean -%s %s? Long options have two dashes", arg, arg, rest[i+1])
		case flag != nil:
			return fmt.Errorf("unknown option %s; did you mean -%s? Long options have two dashes", arg, arg)
		case elsewhere[name] != "":
			return fmt.Errorf("unknown option %s; esd has %s", strings.TrimSuffix(arg, "="+value), elsewhere[name])
		}
	}
	return nil
}

// flagOf finds an option of the command that the arguments name.
func flagOf(root *cobra.Command, args []string, name string) *pflag.Flag {
	for cmd := commandOf(root, args); cmd != nil; cmd = cmd.Parent() {
		if f := cmd.Flags().Lookup(name); f != nil {
			return f
		}
		if f := cmd.PersistentFlags().Lookup(name); f != nil {
			return f
		}
	}
	return nil
}

// commandOf finds the command that the arguments name. It does not mind options
// of the wrong form.
func commandOf(root *cobra.Command, args []string) *cobra.Command {
	cmd := root
	for _, arg := range args {
		for _, child := range cmd.Commands() {
			if child.Name() == arg || child.HasAlias(arg) {
				cmd = child
				break
			}
		}
	}
	return cmd
}

// isValue tells whether an argument is the value of the option before it.
func isValue(root *cobra.Command, args []string, i int) bool {
	if i == 0 || !strings.HasPrefix(args[i-1], "--") || strings.Contains(args[i-1], "=") {
		return false
	}
	f := flagOf(root, args, strings.TrimPrefix(args[i-1], "--"))
	return f != nil && f.NoOptDefVal == ""
}

// explainUsage adds to an error of the command line what was probably meant.
func explainUsage(root *cobra.Command, args []string, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		name, cmd := unknown.GetSpecifiedName(), commandOf(root, args)
		if here := elsewhere[name]; here != "" {
			return fmt.Errorf("unknown option --%s; esd has %s", name, here)
		}
		if cmd.Name() == "console" && strings.HasPrefix(name, "e") {
			return fmt.Errorf("unknown option %s; the expression is an argument: `esd console EXPRESSION`", dashed(unknown))
		}
		var known []string
		visit := func(f *pflag.Flag) { known = append(known, "--"+f.Name) }
		cmd.Flags().VisitAll(visit)
		cmd.InheritedFlags().VisitAll(visit)
		var near []string
		if s := plan.Suggest("--"+name, known); s != "" {
			near = []string{s}
		}
		return fmt.Errorf("unknown option %s for %q%s", dashed(unknown), cmd.CommandPath(), didYouMean(near))
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		cause := invalid.Unwrap().Error()
		if invalid.GetFlag().Value.Type() == "bool" {
			cause = "true or false is expected"
		}
		return fmt.Errorf("--%s %s: %s", invalid.GetFlag().Name, invalid.GetValue(), cause)
	}
	if text, _, unknown := strings.Cut(err.Error(), "\n"); unknown && strings.HasPrefix(text, "unknown command") {
		return fmt.Errorf("%s%s", text, didYouMean(root.SuggestionsFor(commandWord(args))))
	}
	return err
}

func dashed(e *pflag.NotExistError) string {
	if shorts := e.GetSpecifiedShortnames(); shorts != "" {
		return "-" + shorts
	}
	return "--" + e.GetSpecifiedName()
}

// commandWord is the first argument that is no option.
func commandWord(args []string) string {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
	}
	return ""
}

func didYouMean(list []string) string {
	if len(list) == 0 {
		return "; `esd --help` lists all commands, `esd COMMAND --help` the options of one"
	}
	return "; did you mean " + strings.Join(list, " or ") + "?"
}
