package buildcache

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"esd/internal/spack"
	"esd/internal/spack/signature"
)

// LookupOptions say how thoroughly a cache is asked.
type LookupOptions struct {
	// Specs is where compilers of specs are found that have them as dependencies;
	// only caches of version 2 need it.
	Specs spack.Specs
	// Verify reads every entry that is found: then archives are known, signatures are
	// checked, and an index that lies is found out. Under [signature.Require] and
	// [signature.Verify] it is always done.
	Verify bool
}

type indexState struct{}

// Lookup tells which specs the cache has, in few requests. Those that are not in the
// result are not in the cache. Entries in the result with a Problem are, but cannot be
// used: their signature is not accepted, they are malformed, or the index lists what
// is not there.
//
// An error means that the cache could not be asked, not that something is missing.
func (c *Cache) Lookup(ctx context.Context, specs []*spack.Spec, opts LookupOptions) (map[spack.Hash]Entry, error) {
	b, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := keysOf(specs, opts.Specs)
	if err != nil {
		return nil, err
	}
	return c.findAll(ctx, b, keys)
}

// findAll reads entries, several at once. What is damaged is in the result with its
// problem.
func (c *Cache) findAll(ctx context.Context, b backend, keys []key) (map[spack.Hash]Entry, error) {
	var mu sync.Mutex
	found := make(map[spack.Hash]Entry, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(c.opts.Concurrency)
	for _, k := range keys {
		group.Go(func() error {
			e, err := b.find(ctx, k)
			switch {
			case errors.Is(err, ErrNotFound):
				return nil
			case isUnusable(err):
				e = Entry{Hash: k.hash, Name: k.name, Version: k.version, Layout: b.layout(), Problem: err, key: k}
			case err != nil:
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			found[k.hash] = e
			return nil
		})
	}
	return found, group.Wait()
}

// isUnusable tells errors that are about one entry from those that are about the cache.
func isUnusable(err error) bool {
	return errors.Is(err, ErrInvalid) || errors.Is(err, signature.ErrUnsigned) ||
		errors.Is(err, signature.ErrUntrusted) || errors.Is(err, signature.ErrBad)
}

// isAbsent tells whether an error means that a package has to be made.
func isAbsent(err error) bool { return errors.Is(err, ErrNotFound) || isUnusable(err) }
