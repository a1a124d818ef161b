package workspace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/providers/environment"
	"esd/internal/spack"
)

// environment finds what of one environment is to be copied, and whereto.
func (p *promoter) environment(ctx context.Context, o *providers.Object, targets []*providers.Object) (PromotedEnvironment, error) {
	out := PromotedEnvironment{Address: o.Address.String()}
	packages, err := packagesOf(o, o.Address)
	if err != nil {
		return out, err
	}
	e, _ := environment.Of(o)
	quarantine := p.resolved.Object(p.quarantines[o.Address]).Spec.(cache.Buildcache)
	out.Quarantine, out.Location, out.Packages = quarantine.Name, quarantine.URL, len(packages.packages)
	for _, t := range targets {
		if slices.Contains(p.environmentsOf(t), o.Address) && len(p.unchecked([]*providers.Object{t})) == 0 {
			out.CheckedBy = append(out.CheckedBy, t.Address.String())
		}
	}
	isDestination := func(s cache.Buildcache) bool { return s.Push && s.URL != quarantine.URL }
	if !slices.ContainsFunc(e.Caches, isDestination) {
		return out, errors.New("none of its build caches has push = true, so there is nowhere to promote to")
	}
	have, err := p.holdings(ctx, e.Caches, packages)
	if err != nil {
		return out, err
	}
	from := have[quarantine.URL]
	from.contents.packages = slices.DeleteFunc(from.contents.packages, func(k *cached) bool { return k.problem != nil })
	for _, s := range e.Caches {
		if !isDestination(s) {
			continue
		}
		c, err := p.destination(ctx, from, have[s.URL])
		if err != nil {
			return out, fmt.Errorf("build cache %q: %w", s.Name, err)
		}
		c.Elsewhere = len(packages.packages) - c.There - len(c.Packages)
		out.Caches = append(out.Caches, c)
	}
	return out, nil
}

// holding is what a cache has of an environment.
type holding struct {
	*Buildcache
	contents *contents
}

// holdings asks all caches of an environment, by URL. What none has is an error.
func (p *promoter) holdings(ctx context.Context, caches []cache.Buildcache, e EnvironmentPackages) (map[string]holding, error) {
	out := map[string]holding{}
	have := map[spack.Hash]bool{}
	for _, s := range caches {
		opened, err := p.caches.Open(ctx, s)
		if err != nil {
			return nil, err
		}
		b := &Buildcache{Name: s.Name, settings: s, cache: opened}
		c, err := b.find(ctx, CacheQuery{Environments: []EnvironmentPackages{e}})
		if err != nil {
			return nil, fmt.Errorf("build cache %q: %w", s.Name, err)
		}
		for _, k := range c.packages {
			have[k.entry.Hash] = have[k.entry.Hash] || k.problem == nil
		}
		out[s.URL] = holding{b, c}
	}
	var missing []*spack.Spec
	for _, s := range e.packages {
		if !have[s.Hash] {
			missing = append(missing, s)
		}
	}
	if len(missing) > 0 {
		return nil, &MissingPackagesError{written(missing)}
	}
	return out, nil
}

// MissingPackagesError tells of packages that no cache has.
type MissingPackagesError struct{ Packages []string }

func (e *MissingPackagesError) Error() string {
	const most = 10
	list := strings.Join(e.Packages[:min(most, len(e.Packages))], ", ")
	if n := len(e.Packages) - most; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("no build cache has %s: run `esd apply` to build what is missing", list)
}

// destination finds what one cache is to get, and what it has.
func (p *promoter) destination(ctx context.Context, from, to holding) (PromotedCache, error) {
	out := PromotedCache{Name: to.Name, Location: to.Location()}
	j := &copying{to: to.Buildcache, from: from.Buildcache, contents: from.contents, opts: CacheCopyOptions{NoIndex: p.opts.NoIndex, Progress: p.opts.Progress}}
	if err := j.prepare(ctx); err != nil {
		return out, err
	}
	j.packages = slices.DeleteFunc(j.packages, func(k *cached) bool {
		id := to.settings.URL + " " + string(k.entry.Hash)
		known := p.planned[id]
		p.planned[id] = true
		if known {
			j.bytes -= max(k.entry.Archive.Size, 0)
			j.there = append(j.there, k)
		}
		return known
	})
	// What the quarantine does not have the cache may have all the same.
	held := map[spack.Hash]bool{}
	for _, k := range from.contents.packages {
		held[k.entry.Hash] = true
	}
	out.There = len(j.there)
	for _, k := range to.contents.packages {
		if !held[k.entry.Hash] && k.problem == nil {
			out.There++
		}
	}
	shown := slices.Clone(j.packages)
	slices.SortFunc(shown, func(a, b *cached) int { return strings.Compare(a.entry.ID(), b.entry.ID()) })
	out.Packages, out.Bytes, out.copying = from.contents.packagesOf(shown), j.bytes, j
	return out, nil
}

// Run copies. It can be stopped at any time and run again.
func (p *Promotion) Run(ctx context.Context) (*CacheCopied, error) {
	sum := &CacheCopied{}
	for _, e := range p.Environments {
		for _, c := range e.Caches {
			copied, err := c.copying.run(ctx)
			if copied != nil {
				sum.add(copied)
			}
			if err != nil {
				return sum, fmt.Errorf("promoting %s to build cache %q: %w", e.Address, c.Name, err)
			}
		}
	}
	return sum, nil
}

func (c *CacheCopied) add(more *CacheCopied) {
	c.Copied += more.Copied
	c.There += more.There
	c.Bytes += more.Bytes
	c.Failed = append(c.Failed, more.Failed...)
	c.Unsigned += more.Unsigned
	c.Indexed = c.Indexed || more.Indexed
}
