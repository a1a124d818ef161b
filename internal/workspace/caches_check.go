package workspace

import (
	"context"
	"slices"
	"strings"

	"esd/internal/spack"
	"esd/internal/spack/buildcache"
)

// CacheFinding is something that is wrong with a build cache.
type CacheFinding struct {
	// Kind is one of those of [buildcache.FindingKind], or "absent" for a package
	// of an environment that is not there.
	Kind                string
	Name, Version, Hash string
	// NeedsName and NeedsHash are the dependency that is missing.
	NeedsName, NeedsHash string
	Detail               string
}

// CacheChecked is what a check found.
type CacheChecked struct {
	// Packages is how many were checked.
	Packages int
	Findings []CacheFinding
}

// CacheCheckOptions say how thorough a check is.
type CacheCheckOptions struct {
	CacheQuery
	// Archives reads all archives.
	Archives bool
}

// findingAbsent is a package of an environment that is not in the cache.
const findingAbsent = "absent"

// Check looks for packages that will not install.
func (b *Buildcache) Check(ctx context.Context, opts CacheCheckOptions) (*CacheChecked, error) {
	findings, err := b.cache.Check(ctx, buildcache.CheckOptions{Archives: opts.Archives})
	if err != nil {
		return nil, err
	}
	out := &CacheChecked{}
	meant := func(spack.Hash) bool { return true }
	if opts.all() {
		entries, err := b.cache.List(ctx)
		if err != nil {
			return nil, err
		}
		out.Packages = len(entries)
	} else {
		c, err := b.find(ctx, opts.CacheQuery)
		if err != nil {
			return nil, err
		}
		if err := b.toCheck(ctx, c, out); err != nil {
			return nil, err
		}
		meant = func(h spack.Hash) bool {
			return slices.ContainsFunc(c.packages, func(p *cached) bool { return p.entry.Hash == h })
		}
	}
	for _, f := range findings {
		if meant(f.Hash) {
			out.Findings = append(out.Findings, b.findingOf(f))
		}
	}
	return out, nil
}

// toCheck extends what is meant by what that needs, and reports what of an
// environment is not there.
func (b *Buildcache) toCheck(ctx context.Context, c *contents, out *CacheChecked) error {
	for _, s := range c.absent {
		out.Findings = append(out.Findings, CacheFinding{Kind: findingAbsent, Name: s.Name, Version: s.Version, Hash: string(s.Hash)})
	}
	_, err := b.closure(ctx, c)
	out.Packages = len(c.packages)
	return err
}

func (b *Buildcache) findingOf(f buildcache.Finding) CacheFinding {
	out := CacheFinding{
		Kind: f.Kind.String(), Name: f.Name, Version: f.Version, Hash: string(f.Hash), NeedsName: f.Needs.Name, NeedsHash: string(f.Needs.Hash),
	}
	if f.Err != nil {
		out.Detail = strings.TrimPrefix(f.Err.Error(), b.Location()+": ")
	}
	return out
}

// CacheIndexed tells what became of an index.
type CacheIndexed struct {
	Packages int
	// Read counts those that were not in the index before.
	Read int
	// Left are entries that cannot be read, and are not in the index.
	Left []CacheFinding
}

// UpdateIndex writes the index that Spack reads, from what is there.
func (b *Buildcache) UpdateIndex(ctx context.Context) (*CacheIndexed, error) {
	report, err := b.cache.UpdateIndex(ctx)
	if err != nil {
		return nil, err
	}
	out := &CacheIndexed{Packages: report.Packages, Read: report.Read}
	for _, f := range report.Left {
		out.Left = append(out.Left, b.findingOf(f))
	}
	return out, nil
}

// indexed tells whether the index is sure to list packages that are in the
// cache. It is found out where that costs little; registries have no such way.
func (b *Buildcache) indexed(ctx context.Context, c *contents) (bool, error) {
	layout, err := b.cache.Layout(ctx)
	if err != nil || layout == buildcache.OCI || b.checksSignatures() {
		return false, err
	}
	specs := make([]*spack.Spec, 0, len(c.packages))
	for _, p := range c.packages {
		if p.spec != nil {
			specs = append(specs, p.spec)
		}
	}
	found, err := b.cache.Lookup(ctx, specs, buildcache.LookupOptions{Specs: c.specs, Index: buildcache.IndexAlways})
	for _, e := range found {
		if e.Resolved() { // it was looked for by its name, as the index does not list it
			return false, err
		}
	}
	return err == nil, err
}
