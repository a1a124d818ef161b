package buildcache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// List gives all entries of the cache, sorted by name, version and hash, with what
// their names or the index tell; [Cache.Resolve] tells the rest. Where names do not
// tell enough and the index does not either, the entry itself is read, and if that
// fails it has a Problem and no name. A cache that cannot be listed (http) is as its
// index says, and without an index [ErrUnlistable].
func (c *Cache) List(ctx context.Context) ([]Entry, error) {
	b, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	there, err := b.enumerate(ctx)
	if errors.Is(err, ErrUnlistable) {
		return c.listIndex(ctx, b, err)
	}
	if err != nil {
		return nil, err
	}
	var ix *reduced
	if b.layout() != V3 { // there names tell all
		if ix, err = c.currentIndex(ctx, b, IndexAlways, len(there)); err != nil {
			return nil, err
		}
	}
	entries, err := c.identifyAll(ctx, b, there, ix)
	sortEntries(entries)
	return entries, err
}

func (c *Cache) listIndex(ctx context.Context, b backend, cause error) ([]Entry, error) {
	ix, err := c.currentIndex(ctx, b, IndexAlways, 1)
	if err != nil {
		return nil, err
	}
	if ix == nil {
		return nil, fmt.Errorf("%w, and it has no index that could be read", cause)
	}
	var entries []Entry
	for i := range ix.n {
		e, ok := ix.at(i)
		if k := ix.key(e); ok && e.inCache && k.check() == nil {
			entries = append(entries, entryOf(k, b.layout()))
		}
	}
	sortEntries(entries)
	return entries, nil
}

// identifyAll finds out what a listing found.
func (c *Cache) identifyAll(ctx context.Context, b backend, there []located, ix *reduced) ([]Entry, error) {
	var mu sync.Mutex
	entries := make([]Entry, 0, len(there))
	keep := func(e Entry) {
		mu.Lock()
		defer mu.Unlock()
		entries = append(entries, e)
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(c.opts.Concurrency)
	for _, l := range there {
		if k, ok := l.known(ix); ok {
			e := entryOf(k, b.layout())
			e.ref = l.ref
			keep(e)
			continue
		}
		group.Go(func() error {
			e, err := b.identify(groupCtx, l)
			switch {
			case errors.Is(err, ErrNotFound):
				return nil // deleted since
			case isUnusable(err):
				keep(Entry{Hash: l.hash, Name: e.Name, Version: e.Version, Layout: b.layout(), Problem: err, key: e.key, ref: l.ref})
				return nil
			case err != nil:
				return err
			}
			keep(e)
			return nil
		})
	}
	return entries, group.Wait()
}

// known names an entry by its own name, or by the index.
func (l located) known(ix *reduced) (key, bool) {
	if l.key != nil {
		return *l.key, true
	}
	if ix == nil {
		return key{}, false
	}
	e, ok := ix.find(l.hash)
	if !ok {
		return key{}, false
	}
	k := ix.key(e)
	return k, k.check() == nil
}

func sortEntries(entries []Entry) {
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Hash, b.Hash))
	})
}

// Delete removes entries, and the blobs that no other entry has; registries collect
// those themselves. What is not there is no error. The index still lists the entries
// until it is updated.
func (c *Cache) Delete(ctx context.Context, entries ...Entry) error {
	b, err := c.writable(ctx)
	if err != nil {
		return err
	}
	resolved := make([]Entry, 0, len(entries))
	for _, e := range entries {
		if e.key.check() != nil && e.ref == "" {
			return fmt.Errorf("%s: %w: %q is no entry of this cache", c.where, ErrInvalid, abbreviate(e.ID()))
		}
		if full, err := c.Resolve(ctx, e); err == nil {
			e = full
		} else if !isAbsent(err) {
			return err
		}
		resolved = append(resolved, e)
	}
	if len(resolved) == 0 {
		return nil
	}
	return b.remove(ctx, resolved)
}
