package environment

import (
	"context"
	"fmt"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/spack"
)

// Observe asks the caches for all packages that are needed to run each
// environment.
func (p *Provider) Observe(ctx context.Context, req providers.ObserveRequest) (map[addr.Address]providers.Observation, error) {
	out := make(map[addr.Address]providers.Observation, len(req.Objects))
	for _, o := range req.Objects {
		e := o.Spec.(*env)
		found, err := p.finder.locate(ctx, e, e.runSpecs)
		if err != nil {
			return nil, err
		}
		out[o.Address] = completeness(e, o, found)
	}
	return out, nil
}

func completeness(e *env, o *providers.Object, found map[spack.Hash]located) providers.Observation {
	missing, example := 0, ""
	for _, s := range e.runSpecs {
		if l := found[s.Hash]; l.cache == nil || len(l.lacks) > 0 {
			missing++
			example = s.Name
		}
	}
	obs := providers.Observation{
		Exists: missing < len(e.runSpecs), Attributes: attributes(e),
		Note: allCached(len(e.runSpecs)),
	}
	switch missing {
	case 0:
		obs.Key = o.Key
		obs.Forms = map[providers.Form]string{providers.Cached: "its build caches"}
	case 1:
		obs.Problem = example + " is not in its build caches"
	default:
		obs.Problem = fmt.Sprintf("%d of its %d packages are not in its build caches", missing, len(e.runSpecs))
	}
	return obs
}

// attributes is what is recorded of an environment.
func attributes(e *env) map[string]any {
	return map[string]any{"packages": len(e.runSpecs), "lock": "sha256:" + e.sha256}
}

// found is what Observe tells Plan of a package.
type found struct {
	located
	installed bool // in the store in which packages are built
	stuck     bool // what the cache has cannot stand in that store
}

// Entry is where an archive of a package is.
type Entry struct {
	Cache  cache.Buildcache
	SHA256 string
	Size   int64  // bytes as stored
	Prefix string // where the package was built; empty if that is not known
}

// notStored is said of what was built and is in no cache.
const notStored = "was built here, but is in no cache"

// EntryOf tells which cache has a package, and the size of its archive in bytes;
// false if none has it.
func EntryOf(obs providers.Observation) (f Entry, ok bool) {
	l, ok := obs.Data.(found)
	if !ok || l.cache == nil {
		return Entry{}, false
	}
	return Entry{Cache: *l.cache, SHA256: l.entry.Archive.SHA256, Size: l.entry.Archive.Size, Prefix: l.entry.Prefix}, true
}

// Observe asks the build caches, and whether a package stands in the store in
// which packages are built.
func (p *Packages) Observe(ctx context.Context, req providers.ObserveRequest) (map[addr.Address]providers.Observation, error) {
	byEnv := map[*env][]*providers.Object{}
	var order []*env
	for _, o := range req.Objects {
		e := o.Spec.(*pkg).env
		if byEnv[e] == nil {
			order = append(order, e)
		}
		byEnv[e] = append(byEnv[e], o)
	}
	out := make(map[addr.Address]providers.Observation, len(req.Objects))
	for _, e := range order {
		if err := p.observeIn(ctx, e, byEnv[e], out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (p *Packages) observeIn(ctx context.Context, e *env, objects []*providers.Object, out map[addr.Address]providers.Observation) error {
	specs := make([]*spack.Spec, len(objects))
	for i, o := range objects {
		specs[i] = o.Spec.(*pkg).spec
	}
	places, err := p.finder.locate(ctx, e, specs)
	if err != nil {
		return err
	}
	installed := p.standing(ctx, e)
	for _, o := range objects {
		hash := o.Spec.(*pkg).spec.Hash
		f := found{located: places[hash], installed: installed[hash]}
		if f.cache != nil {
			f.entry.Prefix = p.finder.known.prefix(f.entry)
			f.stuck = !f.installed && p.finder.known.stuck(f.entry.Archive.SHA256, p.storeOf(e).Root)
		}
		out[o.Address] = observation(o, f)
	}
	return nil
}

func observation(o *providers.Object, f found) providers.Observation {
	obs := providers.Observation{Data: f, Problem: f.problem, Forms: map[providers.Form]string{}}
	if f.cache != nil {
		obs.Exists, obs.Key = true, o.Key
		if len(f.lacks) == 0 {
			obs.Forms[providers.Archive] = "cache " + f.cache.Name
		} else {
			obs.Problem = fmt.Sprintf("is in cache %s, but not in cache %s yet", f.cache.Name, f.lacks[0].Name)
		}
	}
	switch {
	case f.installed && f.cache != nil:
		obs.Forms[providers.Installed] = "this machine"
	case f.installed:
		obs.Problem = notStored // who needs it has it stored first: a run was killed before it did
	}
	if f.stuck && obs.Problem == "" {
		obs.Problem = fmt.Sprintf("cache %s has it, but built at a path too short for the store in which packages are built", f.cache.Name)
	}
	return obs
}

func allCached(n int) string {
	if n == 1 {
		return "its package is in its build caches"
	}
	return fmt.Sprintf("all %d packages are in its build caches", n)
}
