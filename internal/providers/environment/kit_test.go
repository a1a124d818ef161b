package environment_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
	"esd/internal/config"
	"esd/internal/providers"
	"esd/internal/providers/providertest"
	"esd/internal/providers/registry"
	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/lockfile"
	"esd/internal/spack/spacktest"
)

// stack is a configuration on disk with one environment, "sim", whose lock is
// one that Spack wrote.
type stack struct {
	testing.TB
	dir, work string
	lock      *lockfile.Lock
	locked    map[string]providers.LockedEnvironment
}

// newStack writes the configuration. The lock is a name in testdata of package spack.
func newStack(t testing.TB, lock, hcl string) *stack {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "spack", "testdata", "locks", lock+".lock"))
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{TB: t, dir: t.TempDir(), work: t.TempDir(), locked: map[string]providers.LockedEnvironment{}}
	if s.lock, err = lockfile.Parse(text); err != nil {
		t.Fatal(err)
	}
	s.write("locks/sim.spack.lock", string(text))
	s.write("main.hcl", hcl)
	for _, o := range s.open(t).Objects {
		if locker, ok := s.open(t).Kind(o.Kind).(providers.Locker); ok {
			locked, err := locker.Lock(t.Context(), providers.LockRequest{Object: o, Adopt: true, Log: io.Discard})
			if err != nil {
				t.Fatal(err)
			}
			s.locked[o.Address.String()] = locked.Environment
		}
	}
	return s
}

func (s *stack) write(name, text string) {
	s.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.Fatal(err)
	}
}

// The pins of the configuration.
func (s *stack) Image(string, string) (string, bool)  { return "", false }
func (s *stack) Commit(string, string) (string, bool) { return "", false }
func (s *stack) Environment(address string) (providers.LockedEnvironment, bool) {
	e, ok := s.locked[address]
	return e, ok
}

// open resolves the configuration with kinds of its own.
func (s *stack) open(t testing.TB) providertest.Configuration {
	t.Helper()
	kinds := registry.New(registry.Options{Dir: s.dir, WorkDir: s.work, Platform: "linux/amd64"})
	c, diags := config.Load(config.Options{Path: s.dir, Schemas: kinds.Schemas(), Version: "1.0.0"})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	out := providertest.Configuration{Kind: kinds.Kind}
	find := func(has func(*providers.Object) bool) *providers.Object {
		for _, o := range out.Objects {
			if has(o) {
				return o
			}
		}
		return nil
	}
	_, diags = c.Evaluate(t.Context(), func(o *config.Object) (cty.Value, hcl.Diagnostics) {
		object, diags := kinds[o.Schema.Kind].Resolve(t.Context(), providers.ResolveRequest{
			Address: o.Address, Config: o.Config, Dependencies: o.Dependencies, ModuleDir: o.ModuleDir, Range: o.Range,
			AttributeRange: o.AttributeRange, Pins: s,
			Object: func(a addr.Address) *providers.Object {
				return find(func(o *providers.Object) bool { return o.Address == a })
			},
			Part: func(key string) *providers.Object {
				return find(func(o *providers.Object) bool { return o.Key == key })
			},
		})
		if diags.HasErrors() {
			return cty.DynamicVal, diags
		}
		out.Objects = append(append(out.Objects, object.Parts...), object)
		return object.Attributes, diags
	})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return out
}

// fill stores packages in the build cache "cache" of the stack.
func (s *stack) fill(specs ...*spack.Spec) {
	s.Helper()
	c, err := buildcache.Open(s.Context(), filepath.Join(s.dir, "cache"), buildcache.Options{})
	if err != nil {
		s.Fatal(err)
	}
	projection := spack.DefaultProjection
	if s.lock.SpecfileVersion < 5 {
		projection = spack.DefaultProjection023
	}
	b := &spacktest.Builder{Root: "/opt/" + strings.Repeat("far-away/", 24) + "store", Projection: projection, Specs: s.lock.Specs, Dir: s.TempDir()}
	if err := b.Push(s.Context(), c, specs...); err != nil {
		s.Fatal(err)
	}
}

// packages are all of the lock that the system does not provide.
func (s *stack) packages() []*spack.Spec {
	var list []*spack.Spec
	for _, h := range s.lock.Order {
		if p := s.lock.Specs[h]; p.External == nil {
			list = append(list, p)
		}
	}
	return list
}
