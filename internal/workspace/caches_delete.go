package workspace

import (
	"context"
	"fmt"
	"slices"

	"esd/internal/plan"
	"esd/internal/providers/environment"
	"esd/internal/spack"
	"esd/internal/spack/buildcache"
)

// CacheDeletion is what is to be deleted from a build cache.
type CacheDeletion struct {
	Packages []CachePackage
	Bytes    int64
	// Needed are those of them that other packages of the cache need to link or to
	// run.
	Needed []CacheNeed
	// Absent are packages of environments that are not there.
	Absent []string

	cache   *Buildcache
	entries []buildcache.Entry
}

// CacheNeed is a package that others need.
type CacheNeed struct {
	Package string
	By      []string
}

// LockedHashes is every package that the environments of a configuration refer
// to.
type LockedHashes struct {
	hashes       map[spack.Hash]bool
	Environments int
}

// LockedHashes collects what the environments are concretized to, what only
// builds need included. All must be locked: of others it is not known.
func (w *Workspace) LockedHashes(ctx context.Context) (*LockedHashes, error) {
	resolved, diags := w.Resolve(ctx, nil)
	if diags.HasErrors() {
		return nil, diags
	}
	out := &LockedHashes{hashes: map[spack.Hash]bool{}}
	for _, o := range resolved.Objects {
		if o.Kind != environment.Kind {
			continue
		}
		if o.Unlocked != "" {
			return nil, &plan.UnlockedError{Address: o.Address, Why: o.Unlocked}
		}
		_, specs, err := environment.Members(o)
		if err != nil {
			return nil, err
		}
		out.Environments++
		for h := range specs {
			out.hashes[h] = true
		}
	}
	if out.Environments == 0 {
		return nil, fmt.Errorf("the configuration %s has no environment, so everything would be unreferenced; name what to delete, or another configuration with --config", w.Config.Name)
	}
	return out, nil
}

// PlanDelete finds what a query means; with referenced, only what that does not
// refer to.
func (b *Buildcache) PlanDelete(ctx context.Context, q CacheQuery, referenced *LockedHashes) (*CacheDeletion, error) {
	meant, err := b.find(ctx, q)
	if err != nil {
		return nil, err
	}
	whole := &contents{packages: slices.Clone(meant.packages), specs: meant.specs}
	if referenced != nil {
		meant.packages = slices.DeleteFunc(meant.packages, func(p *cached) bool { return referenced.hashes[p.entry.Hash] })
	}
	d := &CacheDeletion{cache: b, Absent: written(meant.absent), Packages: meant.packagesOf(meant.packages)}
	order := meant.dependenciesFirst()
	slices.Reverse(order) // stopped halfway, nothing is left that lacks what it needs
	for _, p := range order {
		d.entries = append(d.entries, p.entry)
		d.Bytes += max(p.entry.Archive.Size, 0)
	}
	if len(d.entries) == 0 {
		return d, nil
	}
	if !q.all() {
		if whole, err = b.find(ctx, CacheQuery{}); err != nil {
			return nil, err
		}
	}
	d.Needed = whole.neededBy(meant)
	return d, nil
}

// neededBy lists which of the packages that go are needed by those that stay.
func (c *contents) neededBy(going *contents) []CacheNeed {
	goes := map[spack.Hash]bool{}
	for _, p := range going.packages {
		goes[p.entry.Hash] = true
	}
	by := map[spack.Hash][]*spack.Spec{}
	for _, p := range c.packages {
		if p.spec == nil || goes[p.entry.Hash] {
			continue
		}
		for _, e := range p.spec.Dependencies {
			if e.Types&spack.LinkRun != 0 && goes[e.Hash] {
				by[e.Hash] = append(by[e.Hash], p.spec)
			}
		}
	}
	var out []CacheNeed
	for _, p := range going.packages {
		if users := by[p.entry.Hash]; len(users) > 0 {
			out = append(out, CacheNeed{p.entry.Name + "@" + p.entry.Version + "/" + p.entry.Hash.Short(), written(users)})
		}
	}
	return out
}

// CacheDeleteOptions say how packages are deleted.
type CacheDeleteOptions struct {
	// Force deletes also what others need.
	Force   bool
	NoIndex bool
}

// NeededError refuses to delete what others need.
type NeededError struct {
	Location string
	Needed   []CacheNeed
}

func (e *NeededError) Error() string {
	return fmt.Sprintf("nothing was deleted: other packages of %s need %s of these to link or to run; delete those too, or give --force", e.Location, count(len(e.Needed)))
}

func count(n int) string {
	if n == 1 {
		return "one"
	}
	return fmt.Sprint(n)
}

// Check refuses what must not go without force.
func (d *CacheDeletion) Check(opts CacheDeleteOptions) error {
	if len(d.Needed) > 0 && !opts.Force {
		return &NeededError{Location: d.cache.Location(), Needed: d.Needed}
	}
	return nil
}

// Run deletes, and brings the index up to date.
func (d *CacheDeletion) Run(ctx context.Context, opts CacheDeleteOptions) error {
	if err := d.Check(opts); err != nil || len(d.entries) == 0 {
		return err
	}
	if err := d.cache.cache.Delete(ctx, d.entries...); err != nil {
		return err
	}
	if opts.NoIndex || !d.cache.settings.Index {
		return nil
	}
	if _, err := d.cache.cache.UpdateIndex(ctx); err != nil {
		return fmt.Errorf("the packages are deleted, but the index of %s is not up to date: %w", d.cache.Location(), err)
	}
	return nil
}
