package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"esd/internal/addr"
	"esd/internal/compare"
	"esd/internal/oci"
	"esd/internal/view"
	"esd/internal/workspace"
)

type diffCommand struct {
	*app
	configOptions
	opts     workspace.DiffOptions
	targets  []string
	exitCode bool
	format   format
}

func newDiffCommand(a *app) *cobra.Command {
	c := &diffCommand{app: a}
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Show what is different between two plans, locks, states or images",
		Long: `Shows what was added, removed and changed from A to B, in the words of packages:
versions, variants, compilers, targets, dependencies, the base of an image.
Packages that are other builds only because of what they depend on are counted
under the change that is the cause.

A and B are each one of

  a saved plan, as of esd plan --out
  the lock file of a configuration (NAME.lock.hcl), with the locks that it names
  a spack.lock (of Spack 0.18 or later), or the directory of an environment
  a configuration, whose recorded state is taken, or a state (esd state pull)
  a published image: registry/repository:tag, …@digest, or oci:DIRECTORY:tag
  any of these files at a revision of git: REVISION:PATH
  - for standard input

Two of different kinds are reduced to what both can say. Of an image, manifest
and configuration are read, and two small parts of its layers: what Spack knows
of the packages, and the release of the distribution. --layers=false leaves
these out.`,
		Example: `  esd diff HEAD~1:esd.lock.hcl esd.lock.hcl
  esd diff registry.example.org/esd/lab:25.06 registry.example.org/esd/lab:25.11
  esd diff esd.lock.hcl .                        what is locked against what is deployed
  esd diff --format=markdown main:esd.lock.hcl esd.lock.hcl     a comment for a merge request
  esd diff --exit-code old/spack.lock new/spack.lock            0: the same, 2: different`,
		Args:              between(2, 2, "A or B"),
		ValidArgsFunction: completePaths,
		RunE:              a.run(c.run),
	}
	f := cmd.Flags()
	c.configOptions.add(cmd)
	c.format.add(cmd, "a `FORMAT`, json or markdown (default: for people)", formatJSON, formatMarkdown)
	f.StringArrayVar(&c.targets, "target", nil, "compare only this environment or target, an `ADDRESS` (repeatable)")
	f.BoolVar(&c.exitCode, "exit-code", false, "exit with 2 when there is a difference")
	f.BoolVar(&c.opts.Layers, "layers", true, "read small parts of the layers of images")
	f.BoolVar(&c.opts.System, "system", false, "compare the packages of the distribution in the bases of images too; reads their layers")
	f.StringVar(&c.opts.Platform, "platform", "", "which of several images a reference means, a `PLATFORM` such as linux/arm64 (default: that of this machine)")
	return cmd
}

func (c *diffCommand) run(ctx context.Context, args []string) error {
	if err := c.format.check(formatJSON, formatMarkdown); err != nil {
		return err
	}
	c.opts.From, c.opts.To = args[0], args[1]
	if err := c.narrow(); err != nil {
		return err
	}
	c.opts.State = c.workspaceOptions(c.configOptions)
	c.opts.OCI = oci.Options{UserAgent: "esd/" + Version}
	c.opts.Stdin = func(limit int64) ([]byte, error) { return readAtMost(c.io.In, limit) }
	d, err := workspace.Diff(ctx, c.opts)
	var usage *workspace.DiffUsageError
	if errors.As(err, &usage) {
		return usageError(err)
	}
	if err != nil {
		return err
	}
	if err := c.show(d); err != nil {
		return err
	}
	if c.exitCode && !d.Empty() {
		return &codeError{code: ExitChanges}
	}
	return nil
}

// narrow reads --target.
func (c *diffCommand) narrow() error {
	if len(c.targets) == 0 {
		return nil
	}
	var targets []addr.Target
	for _, written := range c.targets {
		t, err := addr.ParseTarget(written)
		if err != nil {
			return usageError(fmt.Errorf("--target: %w", err))
		}
		targets = append(targets, t)
	}
	c.opts.Wanted = func(address string) bool {
		a, err := addr.Parse(address)
		for _, t := range targets {
			if err == nil && t.Matches(a) {
				return true
			}
		}
		return false
	}
	return nil
}

func (c *diffCommand) show(d *compare.Difference) error {
	switch c.format {
	case formatJSON:
		return view.DifferenceJSON(c.io.Out, d)
	case formatMarkdown:
		return view.DifferenceMarkdown(c.io.Out, d, view.MarkdownOptions{})
	}
	return view.Difference(c.io.Out, d, c.io.OutView)
}

func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("standard input has more than %d MiB", limit>>20)
	}
	return data, err
}
