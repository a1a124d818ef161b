package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"esd/internal/addr"
	"esd/internal/providers/cache"
	"esd/internal/view"
	"esd/internal/workspace"
)

// cacheCommand is what all commands about build caches share.
type cacheCommand struct {
	*app
	configOptions
	format  format
	opts    workspace.CacheOptions
	noIndex bool
	opened  *workspace.Workspace // the configuration, once it was needed
}

func newCacheCommand(a *app) *cobra.Command {
	return groupOf(&cobra.Command{
		Use:   "cache",
		Short: "Look into build caches, and keep them in order",
		Long: `CACHE is the name of a block cache "buildcache" of the configuration (shared, or
cache.buildcache.shared), or a place: a URL (https://, s3://, oci://, file://),
or a directory, written with a slash (./mirror). For a place no configuration is
needed, and none is read. All layouts of Spack are understood.

SPEC is in Spack's syntax: hdf5@1.12:+mpi, target=zen3, /5he7a76. The address of
an environment of the configuration, environment.sim, means the packages that
are needed to run it. Several SPECs mean what any of them means; none means all.`,
	}, newCacheList(a), newCacheShow(a), newCacheCheck(a), newCacheCopy(a), newCacheDelete(a), newCacheUpdateIndex(a))
}

// command finishes a command about build caches.
func (c *cacheCommand) command(cmd *cobra.Command, run func(ctx context.Context, args []string) error) *cobra.Command {
	cmd.RunE = c.app.run(run)
	c.addWithPath(cmd)
	cmd.ValidArgsFunction = c.complete
	return cmd
}

// reads adds the options of commands that only read.
func (c *cacheCommand) reads(cmd *cobra.Command) {
	c.format.add(cmd, "a `FORMAT`: json (default: for people)", formatJSON)
	c.trusts(cmd)
}

func (c *cacheCommand) trusts(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&c.opts.TrustedKeys, "trusted-key", nil, "take only what a key in `FILE` has signed (repeatable)")
}

// writes adds the options of commands that write.
func (c *cacheCommand) writes(cmd *cobra.Command) {
	c.opts.Write = true
	cmd.Flags().BoolVar(&c.noIndex, "no-index", false, "leave the index as it is; esd cache update-index writes it")
}

// complete offers the caches and environments of the configuration, besides
// directories.
func (c *cacheCommand) complete(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	opts := c.configOptions
	if opts.path == "" {
		opts.path = "." // not the first argument
	}
	prefix := cache.BuildcacheKind + "."
	fit, _ := completeFrom(&opts, func(ctx context.Context, w *workspace.Workspace) []string {
		var list []string
		for _, address := range w.Addresses(ctx) {
			if name, ok := strings.CutPrefix(address, prefix); ok {
				list = append(list, name, address)
			} else if len(args) > 0 && strings.HasPrefix(address, "environment.") {
				list = append(list, address)
			}
		}
		return list
	})(cmd, args, begun)
	return fit, cobra.ShellCompDirectiveDefault
}

// config opens the configuration, once.
func (c *cacheCommand) config() (*workspace.Workspace, error) {
	if c.opened != nil {
		return c.opened, nil
	}
	w, err := c.open(c.configOptions)
	if err == nil {
		c.opened = w
	}
	return w, err
}

// openCache opens the cache that an argument names.
func (c *cacheCommand) openCache(ctx context.Context, name string, opts workspace.CacheOptions) (*workspace.Buildcache, error) {
	opts.Version = Version
	if workspace.IsCacheLocation(name) {
		return workspace.OpenCacheAt(ctx, name, opts)
	}
	w, err := c.config()
	if err != nil {
		return nil, err
	}
	return w.OpenCache(ctx, name, opts)
}

// query reads SPECs.
func (c *cacheCommand) query(ctx context.Context, args []string) (workspace.CacheQuery, error) {
	var q workspace.CacheQuery
	for _, arg := range args {
		address, err := addr.Parse(arg)
		if err != nil || address.Kind != "environment" {
			q.Specs = append(q.Specs, arg)
			continue
		}
		w, err := c.config()
		if err != nil {
			return q, err
		}
		packages, err := w.EnvironmentPackages(ctx, address)
		if err != nil {
			return q, err
		}
		q.Environments = append(q.Environments, packages)
	}
	return q, nil
}

// openFor opens the cache and reads the SPECs of a command.
func (c *cacheCommand) openFor(ctx context.Context, args []string) (*workspace.Buildcache, workspace.CacheQuery, error) {
	b, err := c.openCache(ctx, args[0], c.opts)
	if err != nil {
		return nil, workspace.CacheQuery{}, err
	}
	q, err := c.query(ctx, args[1:])
	return b, q, err
}

// explain gives an error of a query the exit code of the command line.
func explainCache(err error) error {
	var query *workspace.CacheQueryError
	if errors.As(err, &query) {
		return usageError(err)
	}
	return err
}

// cachePackages are packages as they are shown.
func cachePackages(list []workspace.CachePackage) []view.CachePackage {
	out := make([]view.CachePackage, len(list))
	for i, p := range list {
		out[i] = view.CachePackage(p)
	}
	return out
}

func cacheFindings(list []workspace.CacheFinding) []view.CacheFinding {
	out := make([]view.CacheFinding, len(list))
	for i, f := range list {
		out[i] = view.CacheFinding(f)
	}
	return out
}

// agreeTo asks whether to do what was shown.
func (a *app) agreeTo(question string) error {
	yes, err := a.askYes(question)
	if err == nil && !yes {
		err = &codeError{ExitDeclined, errors.New("nothing was done: it was not agreed to")}
	}
	return err
}

// checkCanAsk refuses what would have to ask where nobody answers.
func (a *app) checkCanAsk(autoApprove bool) error {
	if autoApprove || a.io.CanAsk {
		return nil
	}
	return usageError(errors.New("nobody can be asked here: give --auto-approve"))
}

func newCacheUpdateIndex(a *app) *cobra.Command {
	c := &cacheCommand{app: a}
	c.opts.Write = true
	return c.command(&cobra.Command{
		Use:   "update-index CACHE",
		Short: "Write the index of a build cache anew",
		Long: `Writes the index that Spack reads, from what is in the cache. What the present
index lists already is taken from it, all else is read. esd itself needs no
index: it finds packages without.`,
		Example: `  esd cache update-index shared
  esd cache update-index s3://bucket/mirror`,
		Args: between(1, 1, "CACHE"),
	}, func(ctx context.Context, args []string) error {
		b, err := c.openCache(ctx, args[0], c.opts)
		if err != nil {
			return err
		}
		r, err := b.UpdateIndex(ctx)
		if err != nil {
			return err
		}
		out := view.CacheIndexed{Location: b.Location(), Packages: r.Packages, Read: r.Read, Left: cacheFindings(r.Left)}
		if err := view.CacheIndex(c.io.Out, out, c.io.OutView); err != nil || len(r.Left) == 0 {
			return err
		}
		return &codeError{code: ExitPartly}
	})
}

// cacheArgs wants CACHE, and takes any number of SPECs.
func cacheArgs(cmd *cobra.Command, args []string) error {
	if slices.Contains(args, "") {
		return usageError(errors.New("an argument is empty"))
	}
	return between(1, 1<<20, "CACHE")(cmd, args)
}
