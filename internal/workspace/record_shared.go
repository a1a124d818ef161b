package workspace

import (
	"path/filepath"
	"strings"

	"esd/internal/addr"
	"esd/internal/plan"
	"esd/internal/providers/cache"
	"esd/internal/providers/environment"
)

// shared reports whether all that a plan builds goes into caches which outlast
// the directory of working data: those that serve without a cache block lie in
// it.
func (w *Workspace) shared(p *Planned) bool {
	if p == nil || p.Resolved == nil {
		return false
	}
	for _, c := range p.Plan.Changes {
		if c.Action != plan.Build && c.Action != plan.Push {
			continue
		}
		if !w.outlast(w.takers(p.Resolved, c.Address)) {
			return false
		}
	}
	return true
}

// takers are the URLs of the caches that get the product of an object.
func (w *Workspace) takers(r *Resolved, address string) (urls []string) {
	a, err := addr.Parse(address)
	if err != nil {
		return nil
	}
	if a.Package != "" { // of an environment
		o := r.Object(a.Whole())
		if o == nil {
			return nil
		}
		e, _ := environment.Of(o)
		for _, c := range e.Caches {
			if c.Push {
				urls = append(urls, c.URL)
			}
		}
		return urls
	}
	for _, c := range cache.Of(plan.NewSettings(r.Objects), filepath.Join(w.WorkDir, "cache")) {
		if c.Push {
			urls = append(urls, c.URL)
		}
	}
	return urls
}

// outlast reports whether there is a cache, and none of them lies in the
// directory of working data.
func (w *Workspace) outlast(urls []string) bool {
	for _, url := range urls {
		rel, err := filepath.Rel(w.WorkDir, strings.TrimPrefix(url, "file://"))
		if err == nil && filepath.IsLocal(rel) {
			return false
		}
	}
	return len(urls) > 0
}
