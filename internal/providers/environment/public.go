package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/lockfile"
	"esd/internal/spack/manifest"
)

// Environment is what targets may know of an environment, and what their steps
// carry of it. What the packages are made of stands in the lock.
type Environment struct {
	Address string `json:"address"`
	// Lock is the spack.lock by path and content.
	LockPath   string `json:"lock"`
	LockSHA256 string `json:"lock_sha256"`
	// Root is the install tree in deployments; Projection the directory of a
	// package below it.
	Root       string           `json:"root"`
	Projection spack.Projection `json:"projection"`
	// Caches are the build caches that may have the packages, in the order in
	// which they are asked.
	Caches []cache.Buildcache `json:"caches"`
}

// Member is one package that is needed to run an environment.
type Member struct {
	Address addr.Address
	Spec    *spack.Spec
	// Key is its content key; it does not cover where it is installed.
	Key string
	// Prefix is where it stands in deployments.
	Prefix string
	// Asked tells that the environment asks for it by a spec.
	Asked bool
}

// Of reads what targets may know of an environment; false if o is none, or is
// not locked.
func Of(o *providers.Object) (Environment, bool) {
	e, ok := o.Spec.(*env)
	if !ok || e.lock == nil {
		return Environment{}, false
	}
	return Environment{
		Address: e.address.String(), LockPath: e.lockPath, LockSHA256: e.sha256, Root: e.root, Projection: e.projection, Caches: e.readable(),
	}, true
}

// Claims is the file of the lock: of two environments each would overwrite that
// of the other.
func (p *Provider) Claims(o *providers.Object) []string { return []string{o.Spec.(*env).lockPath} }

// Members lists what is needed to run an environment, without what the system
// provides, sorted by name and hash. Specs is the whole DAG.
func Members(o *providers.Object) (members []Member, specs spack.Specs, err error) {
	e := o.Spec.(*env)
	var asked []spack.Hash
	for _, r := range e.lock.AllRoots() {
		asked = append(asked, r.Hash)
	}
	for _, s := range e.runSpecs {
		prefix, err := e.prefix(s)
		if err != nil {
			return nil, nil, err
		}
		part := e.packages[s.Hash]
		members = append(members, Member{part.Address, s, part.Key, prefix, slices.Contains(asked, s.Hash)})
	}
	return members, e.lock.Specs, nil
}

// ExternalPrefixes lists where the packages that the system provides are, by hash.
func ExternalPrefixes(specs spack.Specs) map[spack.Hash]string {
	out := map[spack.Hash]string{}
	for hash, s := range specs {
		if s.External != nil {
			out[hash] = s.External.Path
		}
	}
	return out
}

// ErrNotCached means that a package is in no build cache, or in none in a form
// that can be used.
var ErrNotCached = errors.New("is in no build cache any more")

// Provided lists what the system must provide for an environment to run, as
// "glibc 2.36", sorted: what is external, and linked or needed at run time.
func Provided(o *providers.Object) []string {
	e := o.Spec.(*env)
	if e.lock == nil {
		return nil
	}
	var list []string
	for _, s := range e.lock.Specs.Closure(spack.LinkRun, lockfile.Hashes(e.lock.AllRoots())...) {
		if s.External != nil {
			list = append(list, s.Name+" "+s.Version)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// Manifest is the spack.yaml of an environment: its specs and its configuration.
func Manifest(o *providers.Object) ([]byte, error) {
	e := o.Spec.(*env)
	if e.existing != nil {
		return e.existing.manifest, nil
	}
	var config map[string]any
	if len(e.config) > 0 {
		if err := json.Unmarshal(e.config, &config); err != nil {
			return nil, err
		}
	}
	if config == nil {
		config = map[string]any{}
	}
	config["view"] = false
	return manifest.Write(e.specs, config)
}

// Archives opens archives of packages for targets.
type Archives struct{ shared *shared }

// Archives gives the way to archives.
func (p *Packages) Archives() Archives { return Archives{p.shared} }

// Lock reads the lock of an environment; one that changed since the plan was
// made is an error.
func (a Archives) Lock(ctx context.Context, e Environment) (*lockfile.Lock, error) {
	return a.shared.locked(ctx, lockRef{e.LockPath, e.LockSHA256})
}

// Find looks for packages in the caches of an environment. Archives that can
// stand below its root, and that nothing is known against, come before others.
// A package that is in
// none, or only in a form that cannot be used, is an error that is
// [ErrNotCached].
func (a Archives) Find(ctx context.Context, e Environment, lock *lockfile.Lock, specs []*spack.Spec) (map[spack.Hash]Archive, error) {
	out := make(map[spack.Hash]Archive, len(specs))
	missing := specs
	doubtful := map[spack.Hash]Archive{} // better than nothing
	problems := map[spack.Hash][]error{}
	for _, settings := range e.Caches {
		if len(missing) == 0 {
			break
		}
		c, err := a.shared.opts.Caches.Open(ctx, settings)
		if err != nil {
			return nil, err
		}
		found, err := c.Lookup(ctx, missing, buildcache.LookupOptions{Specs: lock.Specs, Verify: true})
		if err != nil {
			return nil, fmt.Errorf("build cache %q (%s): %w", settings.Name, settings.URL, err)
		}
		if len(e.Caches) > 1 {
			if err := a.shared.finder.learn(ctx, c, found); err != nil {
				return nil, err
			}
		}
		var left []*spack.Spec
		for _, s := range missing {
			entry, ok := found[s.Hash]
			archive := Archive{Settings: settings, cache: c, entry: entry, known: a.shared.finder.known}
			switch {
			case ok && entry.Problem == nil && archive.speaksAgainst(e.prefix(s, lock.Specs)) == nil:
				out[s.Hash] = archive
				continue
			case ok && entry.Problem == nil:
				if _, another := doubtful[s.Hash]; !another {
					doubtful[s.Hash] = archive
				}
			case ok:
				problems[s.Hash] = append(problems[s.Hash], fmt.Errorf("build cache %q: %w", settings.Name, entry.Problem))
			}
			left = append(left, s)
		}
		missing = left
	}
	missing = slices.DeleteFunc(slices.Clone(missing), func(s *spack.Spec) bool {
		archive, ok := doubtful[s.Hash]
		if ok {
			out[s.Hash] = archive
		}
		return ok
	})
	if len(missing) > 0 {
		for _, settings := range e.Caches {
			a.shared.finder.trust.doubt(settings)
		}
	}
	var errs []error
	for _, s := range missing {
		errs = append(errs, fmt.Errorf("%s %s %w; the next plan will build it", s.Name, s.Version, ErrNotCached))
		errs = append(errs, problems[s.Hash]...)
	}
	return out, errors.Join(errs...)
}

// prefix is where a package stands below the root; empty where that is not known.
func (e Environment) prefix(s *spack.Spec, specs spack.Specs) string {
	rel, err := e.Projection.Path(s, specs)
	if err != nil || e.Root == "" {
		return ""
	}
	return path.Join(e.Root, rel)
}

// Archive is an archive of a package in a build cache.
type Archive struct {
	Settings cache.Buildcache
	cache    *buildcache.Cache
	entry    buildcache.Entry
	known    *learnt
}

// speaksAgainst says why the archive should not be the first choice for a prefix.
func (a Archive) speaksAgainst(prefix string) error {
	if err := a.known.damage(a.entry); err != nil {
		return err
	}
	return fits(prefix, a.known.prefix(a.entry))
}

// SHA256 and Size (in bytes) are of the archive as it is stored.
func (a Archive) SHA256() string { return a.entry.Archive.SHA256 }

// Size is the size of the archive in bytes.
func (a Archive) Size() int64 { return a.entry.Archive.Size }

// Location says where it is, for people.
func (a Archive) Location() string { return a.cache.Location() }

// Open reads the archive. Its checksum is verified: a wrong one is an error at
// the end. An archive that is gone or damaged is remembered, and the next plan
// does not use it.
func (a Archive) Open(ctx context.Context) (io.ReadCloser, error) {
	r, err := a.cache.Archive(ctx, a.entry)
	if err != nil {
		a.known.judge(a.SHA256(), err)
		return nil, err
	}
	return &judged{r, a.SHA256(), a.known}, nil
}

func (a Archive) reopen(ctx context.Context) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return a.Open(ctx) }
}
