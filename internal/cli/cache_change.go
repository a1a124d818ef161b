package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"esd/internal/view"
	"esd/internal/workspace"
)

type cacheCopyCommand struct {
	cacheCommand
	copy workspace.CacheCopyOptions
}

func newCacheCopy(a *app) *cobra.Command {
	c := &cacheCopyCommand{cacheCommand: cacheCommand{app: a}}
	cmd := c.command(&cobra.Command{
		Use:     "copy SRC DST [SPEC...]",
		Aliases: []string{"cp"},
		Short:   "Copy packages from one build cache to another, of any layout",
		Long: `Copies packages and what they need to link and to run, archives byte for byte
and verified. What DST has is not copied again, so a copy that was stopped goes
on where it was. In the end the index of DST is brought up to date.

A package that cannot be copied does not keep the others from it; the exit code
is 6 then. An empty DST gets the layout of Spack 1.x, v3, unless --layout=v2,
which is for packages of Spack 0.23 only: it cannot read those of Spack 1.x.

Signatures are over texts of their layout. --signatures=auto, the default, signs
anew where DST has a key, and carries them over where both layouts are the same;
carry, sign and none insist on one way.`,
		Example: `  esd cache copy staging shared
  esd cache copy shared ./mirror environment.sim
  esd cache copy ./mirror oci://registry.example.org/esd/buildcache hdf5+mpi
  esd cache copy --layout=v2 built-by-0.23 ./for-spack-0.23`,
		Args: between(2, 1<<20, "SRC or DST"),
	}, c.run)
	f := cmd.Flags()
	f.BoolVar(&c.copy.OnlyPackage, "only-package", false, "not what the packages need")
	f.BoolVar(&c.copy.Force, "force", false, "replace what DST has")
	f.StringVar(&c.copy.Signatures, "signatures", workspace.SignaturesAuto, "what becomes of signatures, a `MODE`: auto, carry, sign or none")
	f.StringVar(&c.opts.SigningKey, "signing-key", "", "sign with the secret key in `FILE` (default: that of the block of DST)")
	f.StringVar(&c.opts.PassphraseVariable, "passphrase-variable", "", "the environment variable with the passphrase of the key, its `NAME`")
	f.StringVar(&c.opts.Layout, "layout", "", "the `LAYOUT` of DST if it is empty: v2 or v3")
	_ = cmd.RegisterFlagCompletionFunc("signatures", cobra.FixedCompletions([]string{"auto", "carry", "sign", "none"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("layout", cobra.FixedCompletions([]string{"v2", "v3"}, cobra.ShellCompDirectiveNoFileComp))
	c.trusts(cmd)
	c.writes(cmd)
	return cmd
}

// check refuses options that are not understood before anything is opened.
func (c *cacheCopyCommand) check() error {
	switch c.copy.Signatures {
	case workspace.SignaturesAuto, workspace.SignaturesCarry, workspace.SignaturesSign, workspace.SignaturesNone:
	default:
		return usageError(fmt.Errorf("--signatures=%s is not known; auto, carry, sign and none are", c.copy.Signatures))
	}
	switch {
	case c.opts.Layout != "" && c.opts.Layout != "v2" && c.opts.Layout != "v3":
		return usageError(fmt.Errorf("--layout=%s is not known; v2 and v3 are, and oci:// has its own", c.opts.Layout))
	case c.opts.SigningKey != "" && (c.copy.Signatures == workspace.SignaturesCarry || c.copy.Signatures == workspace.SignaturesNone):
		return usageError(fmt.Errorf("--signing-key does not go with --signatures=%s", c.copy.Signatures))
	}
	return nil
}

func (c *cacheCopyCommand) run(ctx context.Context, args []string) error {
	if err := c.check(); err != nil {
		return err
	}
	from, err := c.openCache(ctx, args[0], workspace.CacheOptions{TrustedKeys: c.opts.TrustedKeys})
	if err != nil {
		return err
	}
	opts := c.opts
	opts.TrustedKeys = nil
	opts.Unsigned = c.copy.Signatures == workspace.SignaturesNone
	to, err := c.openCache(ctx, args[1], opts)
	if err != nil {
		return err
	}
	if c.copy.CacheQuery, err = c.query(ctx, args[2:]); err != nil {
		return err
	}
	progress := c.newCopying()
	c.copy.NoIndex = c.noIndex
	c.copy.Progress = func(s workspace.CacheCopyStep) { progress.Step(cacheStep(s)) }
	copied, err := from.CopyTo(ctx, to, c.copy)
	if stopErr := progress.Stop(); err == nil {
		err = stopErr
	}
	return c.copied(copied, from.Location(), to.Location(), err)
}

func (a *app) newCopying() *view.CacheCopying {
	return view.NewCacheCopying(a.io.Err, view.LiveOptions{Options: a.io.ErrView, Size: a.io.Size})
}

func cacheStep(s workspace.CacheCopyStep) view.CacheCopyStep {
	return view.CacheCopyStep{Package: view.CachePackage(s.Package), Copied: s.Copied, Err: s.Err, Total: s.Total, Bytes: s.Bytes}
}

// copied shows what was copied, also when an error has ended it, and gives the
// exit code.
func (a *app) copied(r *workspace.CacheCopied, from, to string, err error) error {
	if r == nil || err != nil && r.Copied == 0 {
		return explainCache(err)
	}
	shown := view.CacheCopy(a.io.Out, view.CacheCopied{
		From: from, To: to, Copied: r.Copied, There: r.There, Bytes: r.Bytes, Failed: cachePackages(r.Failed), Lacking: r.Lacking,
		Unsigned: r.Unsigned, Indexed: r.Indexed,
	}, a.io.OutView)
	switch {
	case errors.Is(err, context.Canceled):
		_ = view.Note(a.io.Err, "Interrupted: the same command goes on from here.", a.io.ErrView)
		return &codeError{code: ExitInterrupted}
	case err != nil:
		return fmt.Errorf("not everything was copied: %w\n\nThe same command goes on from here", err)
	case shown == nil && len(r.Failed) > 0:
		return &codeError{code: ExitPartly}
	}
	return shown
}

type cacheDeleteCommand struct {
	cacheCommand
	unreferenced, autoApprove, force bool
}

func newCacheDelete(a *app) *cobra.Command {
	c := &cacheDeleteCommand{cacheCommand: cacheCommand{app: a}}
	cmd := c.command(&cobra.Command{
		Use:     "delete CACHE SPEC...",
		Aliases: []string{"rm"},
		Short:   "Delete packages from a build cache",
		Long: `Shows what is to be deleted, asks, deletes, and brings the index up to date.
What packages that stay need to link or to run is not deleted without --force.

--unreferenced means all packages that no locked environment of the
configuration refers to; with SPECs, those of them.`,
		Example: `  esd cache delete shared /5he7a76
  esd cache delete shared --unreferenced
  esd cache delete ./mirror hdf5@:1.12 --auto-approve`,
		Args: cacheArgs,
	}, c.run)
	f := cmd.Flags()
	f.BoolVar(&c.unreferenced, "unreferenced", false, "what no locked environment of the configuration refers to")
	f.BoolVar(&c.autoApprove, "auto-approve", false, "do not ask")
	f.BoolVar(&c.force, "force", false, "also what others need")
	c.writes(cmd)
	return cmd
}

func (c *cacheDeleteCommand) run(ctx context.Context, args []string) error {
	if len(args) == 1 && !c.unreferenced {
		return usageError(errors.New("name what to delete: SPECs, or --unreferenced"))
	}
	if err := c.checkCanAsk(c.autoApprove); err != nil {
		return err
	}
	b, q, err := c.openFor(ctx, args)
	if err != nil {
		return err
	}
	var referenced *workspace.LockedHashes
	if c.unreferenced {
		w, err := c.config()
		if err != nil {
			return err
		}
		if referenced, err = w.LockedHashes(ctx); err != nil {
			return err
		}
	}
	d, err := b.PlanDelete(ctx, q, referenced)
	if err != nil {
		return explainCache(err)
	}
	layout, err := b.Layout(ctx)
	if err != nil {
		return err
	}
	return c.delete(ctx, d, cacheDeletion(d, b.Location(), layout))
}

func cacheDeletion(d *workspace.CacheDeletion, location, layout string) view.CacheDeletion {
	out := view.CacheDeletion{Location: location, Layout: layout, Packages: cachePackages(d.Packages), Bytes: d.Bytes, Absent: d.Absent}
	for _, n := range d.Needed {
		out.Needed = append(out.Needed, view.CacheNeed(n))
	}
	return out
}

// delete shows, asks and deletes.
func (c *cacheDeleteCommand) delete(ctx context.Context, d *workspace.CacheDeletion, shown view.CacheDeletion) error {
	if len(d.Packages) == 0 {
		return view.Note(c.io.Err, "There is nothing to delete in "+shown.Location+".", c.io.ErrView)
	}
	if err := view.CacheDelete(c.io.Out, shown, c.io.OutView); err != nil {
		return err
	}
	opts := workspace.CacheDeleteOptions{Force: c.force, NoIndex: c.noIndex}
	if err := d.Check(opts); err != nil {
		return err
	}
	if !c.autoApprove {
		if err := c.agreeTo("Really delete them?"); err != nil {
			return err
		}
	}
	if err := d.Run(ctx, opts); err != nil {
		return err
	}
	return view.CacheDeleted(c.io.Out, shown, c.io.OutView)
}
