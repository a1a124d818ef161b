package filesystem_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
	"esd/internal/apply"
	"esd/internal/config"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/providers/environment"
	"esd/internal/providers/providertest"
	"esd/internal/providers/registry"
	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/store"
	"esd/internal/state"
)

// place is a configuration on disk, with the packages that its environments
// consist of, the build cache `cache`, and the state that its applies leave.
type place struct {
	testing.TB
	dir    string
	work   string // working data; apart, so that it is seen what is written beside
	locked map[string]providers.LockedEnvironment
	state  *state.State
	logs   string
	specs  map[string]*spack.Spec // by name@version
}

func newPlace(t testing.TB) *place {
	t.Helper()
	return &place{
		TB: t, dir: t.TempDir(), work: t.TempDir(), locked: map[string]providers.LockedEnvironment{}, logs: t.TempDir(),
		state: state.New(state.NewID(), "1.0.0"), specs: map[string]*spack.Spec{},
	}
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

// configure writes the configuration: environments by name with their specs,
// and the rest. Locks are taken as they stand there.
func (p *place) configure(environments map[string][]string, rest string) {
	p.Helper()
	text := "cache \"buildcache\" \"c\" {\n  url = \"cache\"\n  push = false\n}\n"
	for name, roots := range environments {
		p.lock(name, roots...)
		specs, _ := json.Marshal(roots)
		text += fmt.Sprintf("environment %q {\n  specs = %s\n  caches = [cache.buildcache.c]\n}\n", name, specs)
	}
	if err := writeFile(p.path("main.hcl"), text+rest); err != nil {
		p.Fatal(err)
	}
	p.adopt()
}

// adopt takes the locks that stand there.
func (p *place) adopt() {
	p.Helper()
	clear(p.locked)
	c, diags := p.resolve()
	if diags.HasErrors() {
		return // the test will see it
	}
	for _, o := range c.Objects {
		if locker, ok := c.Kind(o.Kind).(providers.Locker); ok {
			locked, err := locker.Lock(context.Background(), providers.LockRequest{Object: o, Adopt: true, Log: io.Discard})
			if err != nil {
				p.Fatal(err)
			}
			p.locked[o.Address.String()] = locked.Environment
		}
	}
}

// one configures one environment and a tree for it at `tree`.
func (p *place) one(attributes string, roots ...string) {
	p.Helper()
	p.configure(map[string][]string{"sim": roots}, "target \"filesystem\" \"site\" {\n  packages = [environment.sim]\n"+attributes+"\n}\n")
}

const atTree = `  path = "tree"`

func (p *place) Image(string, string) (string, bool)  { return "", false }
func (p *place) Commit(string, string) (string, bool) { return "", false }
func (p *place) Environment(address string) (providers.LockedEnvironment, bool) {
	e, ok := p.locked[address]
	return e, ok
}

// resolve reads the configuration as a new process does.
func (p *place) resolve() (providertest.Configuration, hcl.Diagnostics) {
	p.Helper()
	kinds := registry.New(registry.Options{Dir: p.dir, WorkDir: p.work, Platform: "linux/amd64/test-1"})
	c, diags := config.Load(config.Options{Path: p.dir, Schemas: kinds.Schemas(), Version: "1.0.0"})
	if diags.HasErrors() {
		return providertest.Configuration{}, diags
	}
	out := providertest.Configuration{Kind: kinds.Kind}
	index, parts := map[addr.Address]*providers.Object{}, map[string]*providers.Object{}
	_, more := c.Evaluate(context.Background(), func(o *config.Object) (cty.Value, hcl.Diagnostics) {
		object, diags := kinds[o.Schema.Kind].Resolve(context.Background(), providers.ResolveRequest{
			Address: o.Address, Config: o.Config, Dependencies: o.Dependencies, ModuleDir: o.ModuleDir, Range: o.Range,
			AttributeRange: o.AttributeRange, Object: func(a addr.Address) *providers.Object { return index[a] },
			Pins: p, Recorded: p.state.Get(o.Address.String()), Part: func(key string) *providers.Object { return parts[key] },
		})
		if diags.HasErrors() {
			return cty.DynamicVal, diags
		}
		object.PreventDestroy = o.PreventDestroy
		for _, part := range object.Parts {
			index[part.Address], parts[part.Key] = part, part
		}
		out.Objects = append(append(out.Objects, object.Parts...), object)
		index[o.Address] = object
		return object.Attributes, diags
	})
	return out, append(diags, more...)
}

func (p *place) open(t testing.TB) providertest.Configuration {
	t.Helper()
	c, diags := p.resolve()
	if diags.HasErrors() {
		t.Fatal(diags.Error())
	}
	return c
}

func (p *place) plan(change ...func(*plan.Request)) (*plan.Plan, providertest.Configuration, error) {
	p.Helper()
	c := p.open(p)
	req := plan.Request{Mode: plan.Apply, Objects: c.Objects, Kind: c.Kind, State: p.state, ESDVersion: "1.0.0", CPUs: 2}
	for _, f := range change {
		f(&req)
	}
	made, err := plan.Make(context.Background(), req)
	return made, c, err
}

// nowhere is a journal that nobody reads.
type nowhere struct{}

func (nowhere) Append(apply.Entry) error { return nil }

func (p *place) carryOut(made *plan.Plan, c providertest.Configuration) *apply.Report {
	p.Helper()
	report, err := apply.Run(context.Background(), apply.Options{
		Plan: made, State: p.state, Journal: nowhere{}, CPUs: 2, LogDir: p.logs, Backoff: time.Millisecond,
		Provider: func(kind string) providers.Provider {
			provider, _ := c.Kind(kind).(providers.Provider)
			return provider
		},
	})
	if err != nil {
		p.Fatal(err)
	}
	return report
}

// apply plans and applies, and expects that it succeeds.
func (p *place) apply(change ...func(*plan.Request)) *plan.Plan {
	p.Helper()
	made, c, err := p.plan(change...)
	if err != nil {
		p.Fatal(err)
	}
	if r := p.carryOut(made, c); !r.OK() {
		for _, o := range r.Failed {
			log, _ := os.ReadFile(o.Log)
			p.Errorf("%s: %v\n%s", o.Step.ID, o.Err, log)
		}
		p.FailNow()
	}
	return made
}

func destroying(req *plan.Request) { req.Mode = plan.Destroy }

// nothingToDo expects that the next plan is empty.
func (p *place) nothingToDo() {
	p.Helper()
	made, _, err := p.plan()
	if err != nil {
		p.Fatal(err)
	}
	if !made.Empty() {
		p.Errorf("there is still to do: %+v", made.Changes)
	}
}

// change is what a plan says of an address.
func change(made *plan.Plan, address string) plan.Change {
	for _, c := range made.Changes {
		if c.Address == address {
			return c
		}
	}
	return plan.Change{}
}

// tree opens an install tree.
func (p *place) tree(name string) *store.Store {
	p.Helper()
	s, err := store.Open(p.path(name), store.Options{})
	if err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _ = s.Close() })
	return s
}

// installed lists what stands in a tree: "name@version", with a * for what
// somebody asked for.
func (p *place) installed(name string) []string {
	p.Helper()
	s := p.tree(name)
	records, err := s.Installed(context.Background())
	if err != nil {
		p.Fatal(err)
	}
	list := []string{}
	for _, rec := range records {
		if rec.Spec.IsExternal() {
			continue
		}
		text := rec.Spec.Name + "@" + rec.Spec.Version
		if rec.Explicit {
			text += "*"
		}
		list = append(list, text)
	}
	slices.Sort(list)
	problems, err := s.Verify(context.Background())
	if err != nil || len(problems) > 0 {
		p.Errorf("the tree is not sound: %v %v", problems, err)
	}
	return list
}

// asSomebodyElse installs packages into a tree as Spack would.
func (p *place) asSomebodyElse(name string, ids ...string) {
	p.Helper()
	if err := p.install(name, ids, func() {}); err != nil {
		p.Fatal(err)
	}
}

// installSlowly installs a package into `tree`, and waits in the middle of it.
func (p *place) installSlowly(id string, began, release chan struct{}) error {
	return p.install("tree", []string{id}, func() {
		close(began)
		<-release
	})
}

func (p *place) install(name string, ids []string, meanwhile func()) error {
	opened, err := buildcache.Open(context.Background(), p.path("cache"), buildcache.Options{})
	if err != nil {
		return err
	}
	s, err := store.Open(p.path(name), store.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	var list []store.Package
	for _, id := range ids {
		list = append(list, store.Package{Spec: p.specs[id], Explicit: true})
	}
	_, err = s.Install(context.Background(), list, store.InstallOptions{
		Specs: p.all(),
		Fetch: func(ctx context.Context, s *spack.Spec) (io.ReadCloser, error) {
			meanwhile()
			found, err := opened.Lookup(ctx, []*spack.Spec{s}, buildcache.LookupOptions{Specs: p.all()})
			if err != nil {
				return nil, err
			}
			return opened.Archive(ctx, found[s.Hash])
		},
	})
	return err
}

// archives is the way to the archives of environments.
func (p *place) archives() environment.Archives {
	_, packages := environment.New(environment.Options{
		Dir: p.dir, WorkDir: p.work, Caches: &cache.BuildcacheOpener{WorkDir: p.work},
	})
	return packages.Archives()
}

func wantError(t testing.TB, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("the error is %v, and should say %q", err, w)
		}
	}
}
