package environment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"esd/internal/providers/cache"
	"esd/internal/spack"
	"esd/internal/spack/binary"
	"esd/internal/spack/buildcache"
)

// located is what the caches have of one package.
type located struct {
	// cache is the first that has it in a form that can be used; nil for none.
	cache *cache.Buildcache
	entry buildcache.Entry
	// lacks are the caches that get what is built and do not have it.
	lacks []cache.Buildcache
	// replaced are the URLs of those among them that have something that is of no
	// use.
	replaced []string
	// problem says why a cache that has it is of no use.
	problem string
}

// finder looks for packages in build caches.
type finder struct {
	caches *cache.BuildcacheOpener
	known  *learnt
	trust  trust
}

func newFinder(opts Options) *finder {
	return &finder{caches: opts.Caches, known: &learnt{dir: opts.WorkDir}, trust: trust{opts.WorkDir}}
}

// readable are the caches in which a package of an environment may be.
func (e *env) readable() []cache.Buildcache {
	list := slices.Clone(e.caches)
	if e.quarantine != nil && !slices.ContainsFunc(list, func(c cache.Buildcache) bool { return equal(c, *e.quarantine) }) {
		list = append(list, *e.quarantine)
	}
	return list
}

// writable are the caches that get what is built: the quarantine, or else all
// with push.
func (e *env) writable() []cache.Buildcache {
	if e.quarantine != nil {
		return []cache.Buildcache{*e.quarantine}
	}
	return slices.DeleteFunc(slices.Clone(e.caches), func(c cache.Buildcache) bool { return !c.Push })
}

func equal(a, b cache.Buildcache) bool {
	keys := slices.Equal(a.TrustedKeys, b.TrustedKeys)
	a.TrustedKeys, b.TrustedKeys = nil, nil
	return keys && fmt.Sprintf("%+v", a) == fmt.Sprintf("%+v", b)
}

// locate asks the caches of an environment, in their order: those that take
// packages for all, others for what none before them has.
func (f *finder) locate(ctx context.Context, e *env, specs []*spack.Spec) (map[spack.Hash]located, error) {
	out := make(map[spack.Hash]located, len(specs))
	takes := e.writable()
	for _, settings := range e.readable() {
		writable := slices.ContainsFunc(takes, func(c cache.Buildcache) bool { return equal(c, settings) })
		var ask []*spack.Spec
		for _, s := range specs {
			if writable || out[s.Hash].cache == nil {
				ask = append(ask, s)
			}
		}
		if len(ask) == 0 {
			continue
		}
		found, err := f.ask(ctx, e, settings, ask)
		if err != nil {
			return nil, fmt.Errorf("build cache %q (%s): %w", settings.Name, settings.URL, err)
		}
		for _, s := range ask {
			l := out[s.Hash]
			entry, has := found[s.Hash]
			switch {
			case !has && writable:
				l.lacks = append(l.lacks, settings)
			case has && entry.Problem != nil:
				l.problem = unusable(settings, s, entry.Problem)
				if writable {
					l.lacks, l.replaced = append(l.lacks, settings), append(l.replaced, settings.URL)
				}
			case has && l.cache == nil:
				l.cache, l.entry = &settings, entry
			}
			out[s.Hash] = l
		}
	}
	for hash, l := range out {
		// Of what is in the quarantine, the others get nothing before it is promoted.
		if l.cache != nil && e.quarantine != nil {
			l.lacks = nil
			out[hash] = l
		}
	}
	return out, nil
}

// unusable says why what a cache has of a package is of no use, in the same words
// for all packages of which that is true.
func unusable(settings cache.Buildcache, s *spack.Spec, problem error) string {
	switch {
	case errors.Is(problem, buildcache.ErrIndex):
		return fmt.Sprintf("not in any cache: the index of cache %s lists it, but it is not there", settings.Name)
	case errors.Is(problem, buildcache.ErrNotFound):
		return fmt.Sprintf("not in any cache: cache %s has an entry for it, but not its archive", settings.Name)
	}
	text := strings.ReplaceAll(problem.Error(), s.ID()+": ", "")
	return fmt.Sprintf("cache %s has it, but it cannot be used: %s", settings.Name, text)
}

// ask looks into one cache, and at where the packages in it were built.
func (f *finder) ask(ctx context.Context, e *env, settings cache.Buildcache, specs []*spack.Spec) (map[spack.Hash]buildcache.Entry, error) {
	c, err := f.caches.Open(ctx, settings)
	if err != nil {
		return nil, err
	}
	doubted := f.trust.doubted(settings)
	found, err := c.Lookup(ctx, specs, buildcache.LookupOptions{Specs: e.lock.Specs, Details: true, Verify: doubted})
	if err != nil {
		return nil, err
	}
	if doubted && !slices.ContainsFunc(slices.Collect(maps.Values(found)), func(e buildcache.Entry) bool { return e.Problem != nil }) {
		f.trust.believe(settings)
	}
	if err := f.learn(ctx, c, found); err != nil {
		return nil, err
	}
	for _, s := range specs {
		entry, has := found[s.Hash]
		if !has || entry.Problem != nil {
			continue
		}
		if entry.Problem = f.damage(ctx, c, settings, entry); entry.Problem == nil {
			if wanted, err := e.prefix(s); err == nil {
				entry.Problem = fits(wanted, f.known.prefix(entry))
			}
		}
		found[s.Hash] = entry
	}
	return found, nil
}

// maxAgain is how large an archive may be that is read again over a network, in a
// plan, to see whether it is still damaged.
const maxAgain = 64 << 20

// damage says what is wrong with an archive that was of no use before. Somebody may
// have mended it since, so it is read again.
func (f *finder) damage(ctx context.Context, c *buildcache.Cache, settings cache.Buildcache, entry buildcache.Entry) error {
	what := f.known.damage(entry)
	if what == nil || settings.Remote() && entry.Archive.Size > maxAgain {
		return what
	}
	r, err := c.Archive(ctx, entry)
	if err != nil {
		return what
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		return what
	}
	f.known.sound(entry.Archive.SHA256)
	return nil
}

// fits says why a package that was built at a prefix cannot stand where it is
// wanted: strings in binaries can be made shorter, not longer.
func fits(wanted, built string) error {
	if built == "" || len(wanted) <= len(built) {
		return nil // where it is not known, installing it will tell
	}
	// The difference is the same for all packages of a store, so that they can be
	// told of together; their paths are long and say nothing more.
	return fmt.Errorf("it was built at a path %d characters shorter than the one where it is wanted, and paths in programs cannot be made longer",
		len(wanted)-len(built))
}

// learn finds out at which prefixes the packages of entries were built, from the
// entries or from the first bytes of their archives. Entries without archive
// get that as their problem.
func (f *finder) learn(ctx context.Context, c *buildcache.Cache, entries map[spack.Hash]buildcache.Entry) error {
	var (
		mu    sync.Mutex
		group errgroup.Group
		gone  = map[spack.Hash]error{}
	)
	group.SetLimit(16)
	for hash, entry := range entries {
		if entry.Problem != nil || f.known.prefix(entry) != "" {
			continue
		}
		group.Go(func() error {
			prefix, err := readPrefix(ctx, c, entry)
			switch {
			case err == nil:
				f.known.setPrefix(entry.Archive.SHA256, prefix)
			case errors.Is(err, buildcache.ErrNotFound):
				mu.Lock()
				defer mu.Unlock()
				gone[hash] = err
			}
			return ctx.Err() // what cannot be read now will be told when it must be
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for hash, err := range gone {
		entry := entries[hash]
		entry.Problem = err
		entries[hash] = entry
	}
	f.known.save()
	return nil
}

// readPrefix reads as much of an archive as tells where its package was.
func readPrefix(ctx context.Context, c *buildcache.Cache, entry buildcache.Entry) (string, error) {
	for n := int64(4 << 10); ; n *= 8 {
		head, err := c.ArchiveHead(ctx, entry, n)
		if err != nil {
			return "", err
		}
		prefix, err := binary.Prefix(bytes.NewReader(head))
		if err == nil || !errors.Is(err, binary.ErrNotEnough) || int64(len(head)) < n || n > 1<<20 {
			return prefix, err
		}
	}
}
