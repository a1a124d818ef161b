// Package workspace opens a configuration together with all that stands beside
// it (lock file, state, journals, caches) and does to it what the commands ask
// for: resolve, plan, apply, lock. It is what the command line and any other
// front end share; it prints nothing.
package workspace

import (
	"cmp"
	"context"
	"path/filepath"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
	"esd/internal/config"
	"esd/internal/config/lockfile"
	"esd/internal/oci"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/providers/executor"
	"esd/internal/providers/registry"
	"esd/internal/state"
	"esd/internal/state/backend"
)

// Options says what to open.
type Options struct {
	// Path is a directory or one .hcl file; empty is the working directory.
	Path           string
	Vars, VarFiles []string
	Environ        func(name string) (string, bool)
	EnvironAll     []string
	Version        string
	// Sandbox is what --sandbox says.
	Sandbox string
	// Meter counts the traffic with registries; may be nil.
	Meter *oci.Meter
	Now   func() time.Time
	// Slow is told when the place of the state takes long to answer; may be nil.
	Slow func(Slow)
}

// Workspace is a configuration that is open.
type Workspace struct {
	Config  *config.Config
	Backend backend.Backend
	Kinds   registry.Kinds
	// WorkDir is the directory of working data, `.esd` beside the
	// configuration.
	WorkDir string

	opts Options
	lock *lockfile.Lock
}

// WorkDirName is the directory of working data beside a configuration.
const WorkDirName = ".esd"

// Open loads the configuration at opts.Path. The workspace is returned beside
// an error too, so that its files serve for snippets; the diagnostics hold
// warnings when there is no error.
func Open(opts Options) (*Workspace, hcl.Diagnostics) {
	opts.Path = cmp.Or(opts.Path, ".")
	if opts.Now == nil {
		opts.Now = time.Now
	}
	w := &Workspace{opts: opts}
	// The schemas do not depend on where the configuration is; the providers
	// do, and that is known only when it is loaded.
	cfg, diags := config.Load(config.Options{
		Path: opts.Path, Schemas: registry.New(registry.Options{}).Schemas(), Vars: opts.Vars, VarFiles: opts.VarFiles,
		Environ: opts.Environ, EnvironAll: opts.EnvironAll, Version: opts.Version,
	})
	w.Config = cfg
	if diags.HasErrors() {
		return w, diags
	}
	if err := w.locate(); err != nil {
		return w, append(diags, failure("Cannot find the state", err))
	}
	w.Kinds = registry.New(registry.Options{
		Dir: filepath.Dir(w.WorkDir), WorkDir: w.WorkDir, Platform: HostPlatform(), Sandbox: opts.Sandbox,
		OCI: oci.Options{UserAgent: "esd/" + opts.Version, Meter: opts.Meter},
	})
	lock, lockDiags := lockfile.Read(w.LockPath())
	w.lock = lock
	return w, append(diags, lockDiags...)
}

// locate finds the working data and the state of a configuration.
func (w *Workspace) locate() error {
	dir, err := filepath.Abs(w.Config.Dir)
	if err != nil {
		return err
	}
	w.WorkDir = filepath.Join(dir, WorkDirName)
	w.Backend, err = w.openBackend()
	return err
}

func failure(summary string, err error) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: err.Error()}
}

// LockPath is where the lock file of the configuration stands.
func (w *Workspace) LockPath() string {
	return filepath.Join(w.Config.Dir, w.Config.Name+".lock.hcl")
}

// journalDir is where the journals of runs on this state stand.
func (w *Workspace) journalDir() string {
	return filepath.Join(w.WorkDir, "journal", w.Config.Name)
}

// LogDir is where the logs of runs stand, a directory each.
func (w *Workspace) LogDir() string { return filepath.Join(w.WorkDir, "logs") }

// Resolved is a configuration with the identities of its objects.
type Resolved struct {
	Evaluated *config.Evaluated
	// Objects are those of Evaluated, in the same order, each behind the parts
	// that it brings along.
	Objects []*providers.Object
	index   map[addr.Address]*providers.Object
	parts   map[string]*providers.Object // by content key
	configs map[addr.Address]cty.Value   // of blocks that are no packages
	dir     string                       // of the configuration
}

func newResolved(dir string) *Resolved {
	return &Resolved{
		dir:   dir,
		index: map[addr.Address]*providers.Object{}, parts: map[string]*providers.Object{}, configs: map[addr.Address]cty.Value{},
	}
}

// Object finds an object by its address; nil if there is none.
func (r *Resolved) Object(a addr.Address) *providers.Object { return r.index[a] }

// Executor is what the executor block says.
func (r *Resolved) Executor() executor.Settings { return executor.Of(plan.NewSettings(r.Objects)) }

// Resolve evaluates the configuration and computes all content keys. It reads
// sources; it asks nobody and writes nothing. st is what was recorded; nil for
// nothing.
func (w *Workspace) Resolve(ctx context.Context, st *state.State) (*Resolved, hcl.Diagnostics) {
	r := newResolved(filepath.Dir(w.WorkDir))
	evaluated, diags := w.Config.Evaluate(ctx, func(o *config.Object) (cty.Value, hcl.Diagnostics) {
		return w.resolve(ctx, r, o, st)
	})
	r.Evaluated = evaluated
	return r, diags
}

func (w *Workspace) resolve(ctx context.Context, r *Resolved, o *config.Object, st *state.State) (cty.Value, hcl.Diagnostics) {
	var recorded *state.Object
	if st != nil {
		recorded = st.Get(o.Address.String())
	}
	object, diags := w.Kinds[o.Schema.Kind].Resolve(ctx, providers.ResolveRequest{
		Address: o.Address, Config: o.Config, Dependencies: o.Dependencies, ModuleDir: o.ModuleDir, Range: o.Range,
		AttributeRange: o.AttributeRange, Object: r.Object, Pins: pins{w.lock}, Recorded: recorded,
		Part: func(key string) *providers.Object { return r.parts[key] },
	})
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	object.PreventDestroy = o.PreventDestroy
	if !w.isPackage(object) {
		r.configs[o.Address] = o.Config
	}
	o.Config = cty.NilVal // nobody reads it any more, and thousands of them are large
	for _, part := range object.Parts {
		r.Objects = append(r.Objects, part)
		r.index[part.Address], r.parts[part.Key] = part, part
	}
	r.Objects = append(r.Objects, object)
	r.index[o.Address] = object
	return object.Attributes, diags
}

// pins reads what is pinned from a lock file.
type pins struct{ lock *lockfile.Lock }

func (p pins) Image(reference, platform string) (string, bool) {
	return p.lock.Image(lockfile.Image{Reference: reference, Platform: platform})
}

func (p pins) Commit(repository, ref string) (string, bool) {
	return p.lock.Git(lockfile.Git{URL: repository, Ref: ref})
}

func (p pins) Environment(address string) (providers.LockedEnvironment, bool) {
	e, ok := p.lock.Environment(address)
	return providers.LockedEnvironment(e), ok
}
