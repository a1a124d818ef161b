package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"esd/internal/view"
	"esd/internal/workspace"
)

type cacheListCommand struct {
	cacheCommand
	long, names bool
}

func newCacheList(a *app) *cobra.Command {
	c := &cacheListCommand{cacheCommand: cacheCommand{app: a}}
	cmd := c.command(&cobra.Command{
		Use:     "list CACHE [SPEC...]",
		Aliases: []string{"ls"},
		Short:   "List the packages of a build cache",
		Long: `Lists packages, sorted: name, version, hash, target, compiler, size of the
archive, signature, variants. SIGNED says by which trusted key, yes for a
signature that was not checked, or no. On a terminal a column that is the same
for all stands in the last line instead.`,
		Example: `  esd cache list shared
  esd cache list shared hdf5+mpi target=zen3
  esd cache list oci://registry.example.org/esd/buildcache environment.sim
  esd cache list ./mirror --format=json`,
		Args: cacheArgs,
	}, c.run)
	c.reads(cmd)
	cmd.Flags().BoolVarP(&c.long, "long", "l", false, "whole hashes and specs, digests of archives")
	cmd.Flags().BoolVar(&c.names, "names", false, "only what names and the index tell; of a large cache, that is soon there")
	return cmd
}

func (c *cacheListCommand) run(ctx context.Context, args []string) error {
	if err := c.format.check(formatJSON); err != nil {
		return err
	}
	if c.names && len(args) > 1 {
		return usageError(errors.New("--names lists everything: SPECs need more than names"))
	}
	b, q, err := c.openFor(ctx, args)
	if err != nil {
		return err
	}
	var found *workspace.CacheListing
	if c.names {
		found, err = b.Names(ctx)
	} else {
		found, err = b.List(ctx, q)
	}
	if err != nil {
		return explainCache(err)
	}
	layout, err := b.Layout(ctx)
	if err != nil {
		return err
	}
	l := view.CacheListing{Location: b.Location(), Layout: layout, Packages: cachePackages(found.Packages), Absent: found.Absent}
	switch {
	case c.format == formatJSON:
		return view.CacheListJSON(c.io.Out, l)
	case c.long:
		return view.CacheListLong(c.io.Out, l, c.io.OutView)
	case c.names:
		return view.CacheNames(c.io.Out, l, c.io.OutView)
	}
	return view.CacheList(c.io.Out, l, c.io.OutView)
}

func newCacheShow(a *app) *cobra.Command {
	c := &cacheCommand{app: a}
	cmd := c.command(&cobra.Command{
		Use:   "show CACHE [SPEC...]",
		Short: "Show all that a build cache knows of packages",
		Long: `Shows of each package its whole spec, its archive and where that was built, its
signature, where its parts lie, and what it depends on: which of that the cache
has, which it lacks, and what the system is to provide.

Paths in binaries can be made shorter, not longer: a package can be installed at
any prefix that has no more characters than the one at which it was built.`,
		Example: `  esd cache show shared hdf5+mpi
  esd cache show ./mirror /5he7a76 --format=json`,
		Args: cacheArgs,
	}, func(ctx context.Context, args []string) error {
		if err := c.format.check(formatJSON); err != nil {
			return err
		}
		b, q, err := c.openFor(ctx, args)
		if err != nil {
			return err
		}
		found, absent, err := b.Show(ctx, q)
		if err != nil {
			return explainCache(err)
		}
		layout, err := b.Layout(ctx)
		if err != nil {
			return err
		}
		details := make([]view.CacheDetails, len(found))
		for i, d := range found {
			details[i] = cacheDetails(d)
		}
		if c.format == formatJSON {
			return view.CacheShowJSON(c.io.Out, view.CacheListing{Location: b.Location(), Layout: layout, Absent: absent}, details)
		}
		return view.CacheShow(c.io.Out, details, absent, c.io.OutView)
	})
	c.reads(cmd)
	return cmd
}

func cacheDetails(d workspace.CacheDetails) view.CacheDetails {
	out := view.CacheDetails{
		CachePackage: view.CachePackage(d.CachePackage), SpecSHA256: d.SpecSHA256, Prefix: d.Prefix, Padded: d.Padded, TarSize: d.TarSize,
		ChecksSignatures: d.ChecksSignatures, EntryURL: d.EntryURL, ArchiveURL: d.ArchiveURL, Needs: d.Needs, Lacks: d.Lacks,
	}
	for _, dep := range d.Dependencies {
		out.Dependencies = append(out.Dependencies, view.CacheDependency(dep))
	}
	return out
}

func newCacheCheck(a *app) *cobra.Command {
	c := &cacheCommand{app: a}
	archives := false
	cmd := c.command(&cobra.Command{
		Use:   "check CACHE [SPEC...]",
		Short: "Look for packages of a build cache that will not install",
		Long: `Looks for entries that are malformed or whose signature is not accepted, whose
archive is missing or wrong, which need to link or to run what the cache does
not have, and for what an index lists wrongly or not at all. Each kind of
finding is told with what to do about it. With SPECs only these and what they
need are looked at; with an environment, also whether all of it is there.

The exit code is 2 when something is wrong.`,
		Example: `  esd cache check shared
  esd cache check shared environment.sim
  esd cache check --archives s3://bucket/mirror     reads every archive`,
		Args: cacheArgs,
	}, func(ctx context.Context, args []string) error {
		if err := c.format.check(formatJSON); err != nil {
			return err
		}
		b, q, err := c.openFor(ctx, args)
		if err != nil {
			return err
		}
		found, err := b.Check(ctx, workspace.CacheCheckOptions{CacheQuery: q, Archives: archives})
		if err != nil {
			return explainCache(err)
		}
		layout, err := b.Layout(ctx)
		if err != nil {
			return err
		}
		return c.checked(view.CacheChecked{
			Location: b.Location(), Layout: layout, Name: args[0], Packages: found.Packages, Archives: archives, Findings: cacheFindings(found.Findings),
		})
	})
	c.reads(cmd)
	cmd.Flags().BoolVar(&archives, "archives", false, "read all archives and compare their digests")
	return cmd
}

// checked shows what a check found, and gives the exit code.
func (c *cacheCommand) checked(found view.CacheChecked) error {
	var err error
	if c.format == formatJSON {
		err = view.CacheCheckJSON(c.io.Out, found)
	} else {
		err = view.CacheCheck(c.io.Out, found, c.io.OutView)
	}
	if err == nil && len(found.Findings) > 0 {
		err = &codeError{code: ExitChanges}
	}
	return err
}
