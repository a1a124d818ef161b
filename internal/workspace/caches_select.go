package workspace

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"esd/internal/addr"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/providers/environment"
	"esd/internal/spack"
	"esd/internal/spack/buildcache"
)

// CacheQuery says which packages of a build cache are meant; the zero value means
// all.
type CacheQuery struct {
	// Specs are queries in Spack's syntax.
	Specs []string
	// Environments are those whose packages are meant.
	Environments []EnvironmentPackages
}

func (q CacheQuery) all() bool { return len(q.Specs)+len(q.Environments) == 0 }

// EnvironmentPackages are the packages of an environment: what is needed to run
// it, or a part of that.
type EnvironmentPackages struct {
	Address  string
	packages []*spack.Spec
	specs    spack.Specs
}

// CacheQueryError tells of a query that is not understood.
type CacheQueryError struct{ Err error }

func (e *CacheQueryError) Error() string { return e.Err.Error() }
func (e *CacheQueryError) Unwrap() error { return e.Err }

// EnvironmentPackages finds what an environment needs to run; with an address of
// a package in it, that package.
func (w *Workspace) EnvironmentPackages(ctx context.Context, a addr.Address) (EnvironmentPackages, error) {
	resolved, diags := w.Resolve(ctx, nil)
	if diags.HasErrors() {
		return EnvironmentPackages{}, diags
	}
	o := resolved.Object(a.Whole())
	if o == nil {
		var known []string
		for _, o := range resolved.Objects {
			if o.Kind == environment.Kind {
				known = append(known, o.Address.String())
			}
		}
		return EnvironmentPackages{}, unknownAddress(a.Whole().String(), known)
	}
	return packagesOf(o, a)
}

func unknownAddress(written string, known []string) error {
	text := fmt.Sprintf("there is no %s in the configuration", written)
	if near := plan.Suggest(written, known); near != "" {
		return fmt.Errorf("%s; did you mean %s?", text, near)
	}
	return fmt.Errorf("%s; `esd graph` shows the addresses", text)
}

// packagesOf lists the packages of an environment's object that a names.
func packagesOf(o *providers.Object, a addr.Address) (EnvironmentPackages, error) {
	if o.Unlocked != "" {
		return EnvironmentPackages{}, &plan.UnlockedError{Address: o.Address, Why: o.Unlocked}
	}
	members, specs, err := environment.Members(o)
	if err != nil {
		return EnvironmentPackages{}, err
	}
	out := EnvironmentPackages{Address: a.String(), specs: specs}
	for _, m := range members {
		if m.Address.Within(a) || a.Package == "" {
			out.packages = append(out.packages, m.Spec)
		}
	}
	if len(out.packages) == 0 && a.Package != "" {
		return out, fmt.Errorf("%s has no package %s that is needed to run it", a.Whole(), a.Package)
	}
	return out, nil
}

// find finds and reads the packages that a query means. A query that means none
// is an error.
func (b *Buildcache) find(ctx context.Context, q CacheQuery) (*contents, error) {
	matchers := make([]spack.Matcher, len(q.Specs))
	for i, s := range q.Specs {
		m, err := spack.Match(s)
		if err != nil {
			return nil, &CacheQueryError{err}
		}
		matchers[i] = m
	}
	out := &contents{specs: spack.Specs{}}
	if len(matchers) > 0 || q.all() {
		entries, err := b.cache.List(ctx)
		if err != nil {
			return nil, err
		}
		if out, err = b.read(ctx, mayMatch(entries, matchers)); err != nil {
			return nil, err
		}
		if err := out.filter(matchers, func(m spack.Matcher) error { return b.noMatch(m, entries) }); err != nil {
			return nil, err
		}
	}
	for _, e := range q.Environments {
		if err := b.addEnvironment(ctx, out, e); err != nil {
			return nil, err
		}
	}
	out.sort()
	return out, nil
}

// mayMatch leaves out entries of which the name or the hash tells that they are
// not meant, so that they need not be read.
func mayMatch(entries []buildcache.Entry, matchers []spack.Matcher) []buildcache.Entry {
	if len(matchers) == 0 {
		return entries
	}
	return slices.DeleteFunc(slices.Clone(entries), func(e buildcache.Entry) bool {
		return !slices.ContainsFunc(matchers, func(m spack.Matcher) bool {
			return (m.Name() == "" || m.Name() == e.Name) && strings.HasPrefix(string(e.Hash), m.HashPrefix())
		})
	})
}

// filter keeps what any matcher matches. none is asked for the error of one that
// matches nothing.
func (c *contents) filter(matchers []spack.Matcher, none func(spack.Matcher) error) error {
	if len(matchers) == 0 {
		return nil
	}
	hit := make([]bool, len(matchers))
	c.packages = slices.DeleteFunc(c.packages, func(p *cached) bool {
		any := false
		for i, m := range matchers {
			if p.matches(m, c.specs) {
				hit[i], any = true, true
			}
		}
		return !any
	})
	for i, m := range matchers {
		if !hit[i] {
			return none(m)
		}
	}
	return nil
}

// matches reports whether a query means a package. Of one that cannot be read
// only name, version and hash are known.
func (p *cached) matches(m spack.Matcher, all spack.Specs) bool {
	if p.spec == nil {
		return m.Matches(&spack.Spec{Name: p.entry.Name, Version: p.entry.Version, Hash: p.entry.Hash}, nil)
	}
	if p.spec.SpecfileVersion < 5 {
		m = m.In(spack.Syntax023)
	}
	return m.Matches(p.spec, all)
}

func (b *Buildcache) noMatch(m spack.Matcher, entries []buildcache.Entry) error {
	text := fmt.Sprintf("no package of %s matches %s", b.Location(), m)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	slices.Sort(names)
	if len(entries) == 0 {
		return fmt.Errorf("%s: it is empty", text)
	}
	if _, known := slices.BinarySearch(names, m.Name()); m.Name() != "" && !known {
		if near := plan.Suggest(m.Name(), slices.Compact(names)); near != "" {
			return fmt.Errorf("%s; did you mean %s?", text, near)
		}
	}
	return fmt.Errorf("%s; `esd cache list` lists what there is", text)
}

// addEnvironment adds the packages of an environment, as far as they are there.
func (b *Buildcache) addEnvironment(ctx context.Context, c *contents, e EnvironmentPackages) error {
	found, err := b.cache.Lookup(ctx, e.packages, buildcache.LookupOptions{Specs: e.specs, Verify: true})
	if err != nil {
		return err
	}
	for h, s := range e.specs {
		if c.specs[h] == nil {
			c.specs[h] = s
		}
	}
	have := map[spack.Hash]bool{}
	for _, p := range c.packages {
		have[p.entry.Hash] = true
	}
	for _, s := range c.absent {
		have[s.Hash] = true
	}
	for _, s := range e.packages {
		entry, ok := found[s.Hash]
		switch {
		case have[s.Hash]:
		case ok:
			c.packages = append(c.packages, &cached{entry: entry, spec: s, problem: entry.Problem})
		default:
			c.absent = append(c.absent, s)
		}
	}
	return nil
}
