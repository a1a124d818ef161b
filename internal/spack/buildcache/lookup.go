package buildcache

import (
	"context"
	"errors"
	"fmt"
	"maps"
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
	Index IndexUse
	// Details makes the archives of what is found known, and has signatures checked: by
	// reading the entries, or from what [Options.Directory] remembers of them. Where
	// signatures are verified or required it is always done.
	Details bool
	// Verify reads every entry that is found now: Details, and an index that lies is
	// found out.
	Verify bool
}

// Lookup tells which specs the cache has, in few requests. Those that are not in the
// result are not in the cache. Entries in the result with a Problem are, but cannot be
// used: their signature is not accepted, they are malformed, or the index lists what
// is not there ([ErrIndex]). Externals are in no cache and not asked for.
//
// What the index does not list is looked for by name, always: a missing or stale index
// never means that a package is built again.
//
// An error means that the cache could not be asked, not that something is missing.
func (c *Cache) Lookup(ctx context.Context, specs []*spack.Spec, opts LookupOptions) (map[spack.Hash]Entry, error) {
	b, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := keysOf(specs, opts.Specs)
	if err != nil || len(keys) == 0 {
		return map[spack.Hash]Entry{}, err
	}
	listed, rest, err := c.listed(ctx, b, keys, opts.Index)
	if err != nil {
		return nil, err
	}
	details := opts.Details || opts.Verify || c.opts.Trust.Mode != signature.Ignore
	known, unknown := listed, []key(nil)
	switch {
	case opts.Verify:
		known, unknown = nil, keysIn(listed)
	case details:
		known, unknown = c.recall(b, listed)
	}
	found, err := c.findAll(ctx, b, append(rest, unknown...))
	if err != nil {
		return nil, err
	}
	for _, k := range unknown {
		if _, there := found[k.hash]; !there {
			e := listed[k.hash]
			e.Problem = wrongIndex(k, fmt.Errorf("%s: %w", c.where, ErrNotFound))
			found[k.hash] = e
		}
	}
	if details {
		c.remember(b, found)
	}
	maps.Copy(found, known)
	return found, nil
}

func keysIn(entries map[spack.Hash]Entry) []key {
	var keys []key
	for _, e := range entries {
		keys = append(keys, e.key)
	}
	return keys
}

// manyTags is from how many packages on one listing of the tags of a repository is
// less than asking for each.
const manyTags = 24

// listed splits keys into those that an index or a listing has, and those that must
// be looked for by name. A listing of tags is the truth, so nothing is left over then.
func (c *Cache) listed(ctx context.Context, b backend, keys []key, use IndexUse) (map[spack.Hash]Entry, []key, error) {
	listed := map[spack.Hash]Entry{}
	if r, ok := b.(*registry); ok {
		if len(keys) < manyTags {
			return listed, keys, nil
		}
		tags, err := r.tags(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, k := range keys {
			if tags[k.ociTag()] {
				listed[k.hash] = entryOf(k, OCI)
			}
		}
		return listed, nil, nil
	}
	ix, err := c.currentIndex(ctx, b, use, len(keys))
	if err != nil || ix == nil {
		return listed, keys, err
	}
	var rest []key
	for _, k := range keys {
		if e, ok := ix.find(k.hash); ok && e.inCache {
			listed[k.hash] = entryOf(k, b.layout())
		} else {
			rest = append(rest, k)
		}
	}
	return listed, rest, nil
}

func entryOf(k key, layout Layout) Entry {
	return Entry{Hash: k.hash, Name: k.name, Version: k.version, Layout: layout, key: k}
}

// findAll reads entries, several at once. What is damaged is in the result with its
// problem.
func (c *Cache) findAll(ctx context.Context, b backend, keys []key) (map[spack.Hash]Entry, error) {
	var mu sync.Mutex
	var denied error
	found := make(map[spack.Hash]Entry, len(keys))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(c.opts.Concurrency)
	for _, k := range keys {
		group.Go(func() error {
			e, err := b.find(groupCtx, k)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, ErrNotFound):
				return nil
			case errors.Is(err, ErrDenied):
				denied = err
				return nil
			case isUnusable(err):
				e = entryOf(k, b.layout())
				e.Problem = err
			case err != nil:
				return err
			}
			found[k.hash] = e
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	// Where listing is not allowed S3 denies access to what does not exist.
	if denied != nil && len(found) == 0 && !b.readable(ctx) {
		return nil, denied
	}
	return found, nil
}

// isUnusable tells errors that are about one entry from those that are about the cache.
func isUnusable(err error) bool {
	return errors.Is(err, ErrInvalid) || errors.Is(err, signature.ErrUnsigned) ||
		errors.Is(err, signature.ErrUntrusted) || errors.Is(err, signature.ErrBad)
}

// isAbsent tells whether an error means that a package has to be made.
func isAbsent(err error) bool { return errors.Is(err, ErrNotFound) || isUnusable(err) }
