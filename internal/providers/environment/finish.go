package environment

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"esd/internal/providers/cache"
)

// pushed notes the caches that got packages, so that their indexes are brought
// up to date once, at the end.
type pushed struct {
	mu     sync.Mutex
	caches map[string]cache.Buildcache // by URL
}

func (p *pushed) add(s cache.Buildcache) {
	if !s.Index {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.caches == nil {
		p.caches = map[string]cache.Buildcache{}
	}
	p.caches[s.URL] = s
}

// Finish brings the indexes of the caches up to date that got packages. Without
// it, esd and Spack find them by their hashes all the same; only lists and
// reuse by Spack's concretizer need an index.
func (p *Packages) Finish(ctx context.Context) error {
	p.pushed.mu.Lock()
	caches := p.pushed.caches
	p.pushed.caches = nil
	p.pushed.mu.Unlock()
	var errs []error
	for _, url := range slices.Sorted(maps.Keys(caches)) {
		settings := caches[url]
		c, err := p.opts.Caches.Open(ctx, settings)
		if err == nil {
			_, err = c.UpdateIndex(ctx)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("the index of build cache %q (%s) could not be brought up to date: %w; "+
				"`esd cache update-index %s` does it", settings.Name, settings.URL, err, settings.Name))
		}
	}
	return errors.Join(errs...)
}
