package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"esd/internal/addr"
	"esd/internal/view"
	"esd/internal/workspace"
)

type depfileCommand struct {
	*app
	configOptions
	lock, output, prefix, generator string
	format                          format
	opts                            workspace.DepfileOptions
}

func newDepfileCommand(a *app) *cobra.Command {
	c := &depfileCommand{app: a}
	cmd := &cobra.Command{
		Use:   "depfile (ENVIRONMENT | --lock FILE) [SPEC...]",
		Short: "Write a Makefile that installs a Spack environment package by package",
		Long: `Writes what spack env depfile writes, without Spack: a Makefile in which each
concrete package is one call of spack install, after those it depends on. The
options are Spack's. ENVIRONMENT is the address of an environment of the
configuration, or the directory of a Spack environment, or its spack.lock. With
SPECs only packages that match them are installed, and what they need.

Like Spack's, the Makefile knows nothing of what is installed or cached already;
esd plan does.`,
		Example: `  esd depfile environment.sim > Makefile && make -j16
  esd depfile . > Makefile && make -j16
  esd depfile --lock spack.lock --use-buildcache=package:never,dependencies:only
  esd depfile --make-prefix=deps --output=deps.mk environments/sim py-numpy
  esd depfile --format=json environments/sim      the graph, for other programs`,
		ValidArgsFunction: completePaths,
		RunE: a.run(func(ctx context.Context, args []string) error {
			return c.run(ctx, args)
		}),
	}
	c.addOptions(cmd)
	c.addWithPath(cmd)
	cmd.PreRun = func(cmd *cobra.Command, _ []string) {
		if cmd.Flags().Changed("make-prefix") || cmd.Flags().Changed("make-target-prefix") {
			c.opts.Prefix = &c.prefix
		}
	}
	return cmd
}

func (c *depfileCommand) addOptions(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&c.lock, "lock", "", "the spack.lock, a `FILE`; all arguments are SPECs then")
	f.StringVar(&c.opts.UseBuildcache, "use-buildcache", "auto",
		"auto, only or never, a `MODE` for all packages, or package:MODE,dependencies:MODE; what comes from caches only needs no build dependencies")
	f.StringVar(&c.prefix, "make-prefix", "",
		"begin targets and variables with `TARGET`/, which may be empty (default: .spack-env/makedeps of the environment, absolute)")
	f.StringVar(&c.prefix, "make-target-prefix", "", "the same as --make-prefix, a `TARGET`")
	f.BoolVar(&c.opts.NoJobserver, "make-disable-jobserver", false, "do not let Spack share make's jobs")
	f.StringVarP(&c.output, "output", "o", "", "write to `FILE` instead of standard output")
	f.StringVarP(&c.generator, "generator", "G", "make", "the `KIND` of depfile: make")
	c.format.add(cmd, "a `FORMAT`: make (default) or json", "make", formatJSON)
	_ = cmd.MarkFlagFilename("lock", "lock")
	_ = cmd.MarkFlagFilename("output")
	_ = cmd.RegisterFlagCompletionFunc("use-buildcache", cobra.FixedCompletions([]string{"auto", "only", "never", "package:never,dependencies:only"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("generator", cobra.FixedCompletions([]string{"make"}, cobra.ShellCompDirectiveNoFileComp))
}

func (c *depfileCommand) run(ctx context.Context, args []string) error {
	if err := c.format.check("make", formatJSON); err != nil {
		return err
	}
	if c.generator != "make" {
		return usageError(fmt.Errorf("--generator=%s is not known; make is", c.generator))
	}
	lock, specs, err := c.read(ctx, args)
	if err != nil {
		return err
	}
	c.opts.Specs, c.opts.JSON = specs, c.format == formatJSON
	text, packages, err := workspace.Depfile(lock, c.opts)
	var usage *workspace.DepfileUsageError
	if errors.As(err, &usage) {
		return usageError(err)
	}
	if err != nil {
		return err
	}
	if packages == 0 {
		_ = view.Note(c.io.Err, nothingOf(lock.Path, specs), c.io.ErrView)
	}
	if c.output != "" && c.output != "-" {
		return workspace.WriteDepfile(c.output, text)
	}
	_, err = c.io.Out.Write(text)
	return err
}

func nothingOf(path string, specs []string) string {
	if len(specs) == 0 {
		return path + " has no packages; the depfile installs nothing."
	}
	return "No package of " + path + " matches " + strings.Join(specs, " or ") + "; the depfile installs nothing."
}

// read finds the lock; the arguments that are not the environment are specs.
func (c *depfileCommand) read(ctx context.Context, args []string) (workspace.SpackLock, []string, error) {
	if c.lock != "" {
		lock, err := workspace.ReadSpackLock(c.lock)
		return lock, args, err
	}
	if len(args) == 0 {
		return workspace.SpackLock{}, nil, usageError(errors.New("the environment is missing; name the directory of a Spack environment, or a lock with --lock FILE"))
	}
	lock, err := c.environment(ctx, args[0])
	return lock, args[1:], err
}

// environment finds the lock of an environment by the name that was typed.
func (c *depfileCommand) environment(ctx context.Context, name string) (workspace.SpackLock, error) {
	address, err := addr.Parse(name)
	if _, missing := os.Stat(name); missing == nil || err != nil || address.Kind != "environment" {
		return workspace.ReadSpackLock(name)
	}
	w, err := c.open(c.configOptions)
	if err != nil {
		return workspace.SpackLock{}, err
	}
	return w.EnvironmentLock(ctx, address)
}
