// Package environment is the block `environment`: toplevel Spack packages that
// are concretized together, and the concrete packages that come of them, each
// of which is found in a build cache or built by Spack.
//
// Planning needs no Spack: it works from the lock file. What Spack does
// (concretize, build) is in package command of internal/spack; what it writes
// and reads, in the packages beside that.
package environment

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"sync"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	instance "esd/internal/providers/spack"
	"esd/internal/schema"
	"esd/internal/spack"
	"esd/internal/spack/lockfile"
)

// Options is what the providers need of their surroundings.
type Options struct {
	// Dir is the directory of the configuration; WorkDir that of its working
	// data (`.esd`). Both are absolute.
	Dir, WorkDir string
	// Caches opens build caches.
	Caches *cache.BuildcacheOpener
	// Sandbox is the level of encapsulation that is asked for; empty for what
	// the executor block says, or the best that there is.
	Sandbox string
}

// Provider serves the block. Its sibling [Packages] serves the packages.
type Provider struct{ *shared }

// Packages serves the concrete packages of all environments.
type Packages struct{ *shared }

// shared is what the two know together.
type shared struct {
	opts    Options
	finder  *finder
	lists   sourceLists
	mirrors cache.SourcesOpener
	pushed  pushed

	mu    sync.Mutex
	locks map[string]*readLock // by path
}

// readLock is a spack.lock that was read.
type readLock struct {
	sha256 string
	lock   *lockfile.Lock
	err    error
}

var (
	_ providers.Provider   = (*Provider)(nil)
	_ providers.Locker     = (*Provider)(nil)
	_ providers.Claimer    = (*Provider)(nil)
	_ providers.Provider   = (*Packages)(nil)
	_ providers.Unrecorded = (*Packages)(nil)
	_ providers.Finisher   = (*Packages)(nil)
)

// New gives both providers.
func New(opts Options) (*Provider, *Packages) {
	s := &shared{opts: opts, locks: map[string]*readLock{}, finder: newFinder(opts)}
	return &Provider{s}, &Packages{s}
}

// Schema describes the block.
func (p *Provider) Schema() *schema.Block { return blockSchema }

// Schema is nil: packages are not written in a configuration.
func (p *Packages) Schema() *schema.Block { return nil }

// DefaultForm is an environment all of whose packages are in a cache.
func (p *Provider) DefaultForm() providers.Form { return providers.Cached }

// DefaultForm is a package in a cache.
func (p *Packages) DefaultForm() providers.Form { return providers.Archive }

// Unrecorded says that the caches know all about packages.
func (p *Packages) Unrecorded() {}

// env is a decoded environment.
type env struct {
	address  addr.Address
	lockFile string // as the directory of the module was given
	lockPath string // absolute
	lock     *lockfile.Lock
	sha256   string // of the lock

	specs    []string
	from     string // absolute path of a spack.yaml
	existing *existing
	config   []byte // JSON
	instance instance.Instance

	caches     []cache.Buildcache
	quarantine *cache.Buildcache
	sources    []cache.Sources

	root           string
	projection     spack.Projection
	paddedLength   int
	network        bool
	buildDirectory string
	resources      []rule

	runSpecs []*spack.Spec  // what is needed to run it, without what the system provides; by name
	runs     []addr.Address // their addresses
	packages map[spack.Hash]*providers.Object
	inputs   providers.LockedEnvironment  // as they are now
	locked   *providers.LockedEnvironment // what the lock file of the configuration says; nil if nothing
}

// rule gives resources to the packages that match.
type rule struct {
	match     func(*spack.Spec, spack.Specs) bool // nil matches all
	resources providers.Resources
}

// pkg is one concrete package.
type pkg struct {
	env  *env
	spec *spack.Spec
	// runDeps are what it needs installed, buildDeps what it needs besides to
	// be built: without what the system provides.
	runDeps, buildDeps []addr.Address
	resources          providers.Resources
}

// prefix is where the package stands in deployments.
func (e *env) prefix(s *spack.Spec) (string, error) {
	if s.External != nil {
		return s.External.Path, nil
	}
	rel, err := e.projection.Path(s, e.lock.Specs)
	if err != nil {
		return "", err
	}
	return path.Join(e.root, rel), nil
}

// cleanAbsolute reports whether s is an absolute path in its simplest form
// with no characters that a shell or Spack would take for something else.
func cleanAbsolute(s string) bool {
	if !path.IsAbs(s) || path.Clean(s) != s || s == "/" {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '/', c == '.', c == '_', c == '+', c == '-':
		default:
			return false
		}
	}
	return true
}

// inDir makes a path absolute that is relative to a directory, which may itself be
// relative to the working directory.
func inDir(dir, p string) string {
	if !filepath.IsAbs(p) {
		p = filepath.Join(dir, p)
	}
	if abs, err := filepath.Abs(p); err == nil {
		return abs
	}
	return p
}

// PlanDestroy has no steps: what build caches hold is shared.
func (p *shared) PlanDestroy(providers.DestroyRequest) ([]providers.Step, error) { return nil, nil }

// read reads a spack.lock, each once as long as it is the same file.
func (p *shared) read(ctx context.Context, file string) (*lockfile.Lock, string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	data, err := readFile(file)
	if err != nil {
		return nil, "", err
	}
	sum := digest(data)
	if known := p.locks[file]; known != nil && known.sha256 == sum {
		return known.lock, sum, known.err
	}
	lock, err := lockfile.Parse(data)
	p.locks[file] = &readLock{sum, lock, err}
	return lock, sum, err
}

// String is what the environment says beside what its content key covers, in a
// form to compare: a plan is stale when that has changed.
func (e *env) String() string {
	quarantine := ""
	if e.quarantine != nil {
		quarantine = fmt.Sprintf("%+v", *e.quarantine)
	}
	return fmt.Sprintf("%s %s %+v %s %+v %+v %s %s %d %v %s", e.lockPath, e.sha256, e.caches, quarantine, e.sources, e.instance,
		e.config, e.projection, e.paddedLength, e.network, e.buildDirectory)
}
