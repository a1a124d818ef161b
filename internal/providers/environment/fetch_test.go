package environment_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/providers/environment"
	"esd/internal/providers/providertest"
	"esd/internal/spack"
)

const sim = `cache "buildcache" "c" {
  url = "cache"
}
environment "sim" {
  specs  = ["hdf5~mpi", "zlib-ng"]
  caches = [cache.buildcache.c]
}
`

// What package providertest demands of objects that are recorded does not fit
// packages, which are not, and environments, whose one step only records.
func TestAFetchedPackageIsTheSameHoweverOftenAndAfterAnInterrupt(t *testing.T) {
	t.Parallel()
	for _, lock := range []string{"v12-small", "v023-small"} {
		t.Run(lock, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, lock, sim)
			s.fill(s.packages()...)
			if first, second := s.steps("zlib-ng"), s.steps("zlib-ng"); len(first) != 1 || string(first[0].Spec) != string(second[0].Spec) {
				t.Fatalf("%+v\n%+v", first, second)
			}
			stopped, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := s.fetch(stopped, "zlib-ng"); err == nil {
				t.Error("an interrupt is no error")
			}
			if r, err := s.fetch(t.Context(), "zlib-ng"); err != nil || r.Reused {
				t.Errorf("the first time: %+v, %v", r, err)
			}
			before := s.standing()
			if r, err := s.fetch(t.Context(), "zlib-ng"); err != nil || !r.Reused {
				t.Errorf("the second time: %+v, %v", r, err)
			}
			if diff := cmp.Diff(before, s.standing()); diff != "" || len(before) == 0 {
				t.Errorf("-first +second\n%s", diff)
			}
			if obs, _ := s.observe("zlib-ng"); obs.Forms[providers.Installed] == "" {
				t.Errorf("it is not seen: %+v", obs)
			}
		})
	}
}

// steps are those that bring a package into the store.
func (s *stack) steps(name string) []providers.Step {
	s.Helper()
	_, p, o, seen := s.look(name)
	planned, err := p.Plan(providers.PlanRequest{Object: o, Observed: seen, Demand: []providers.Form{providers.Installed}, Settings: plan.NewSettings(nil)})
	if err != nil {
		s.Fatal(err)
	}
	return planned.Steps
}

// fetch does them, after the same for what the package needs.
func (s *stack) fetch(ctx context.Context, name string) (result providers.Result, err error) {
	s.Helper()
	for _, d := range s.spec(name).Dependencies {
		if p := s.lock.Specs[d.Hash]; p.External == nil && d.Types&spack.LinkRun != 0 {
			if _, err := s.fetch(ctx, p.Name); err != nil {
				return result, err
			}
		}
	}
	_, p, o, _ := s.look(name)
	for _, step := range s.steps(name) {
		result, err = p.Apply(ctx, providers.Run{
			Address: o.Address, Op: step.Op, Key: o.Key, Spec: step.Spec, CPUs: 1, Attempt: 1, Log: io.Discard, Progress: func(_, _ int64) {},
		})
		if err != nil {
			return result, err
		}
	}
	return result, nil
}

// standing lists the files in the prefixes of the store, with their sizes.
func (s *stack) standing() map[string]int64 {
	s.Helper()
	found := map[string]int64{}
	err := filepath.WalkDir(filepath.Join(s.work, "spack"), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.Contains(path, ".spack-db") {
			return err
		}
		info, err := d.Info()
		found[path] = info.Size()
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	return found
}

// address is that of a package of the environment.
func (s *stack) address(name string) string {
	s.Helper()
	for _, o := range s.open(s).Objects {
		if o.Kind == environment.PackageKind && strings.HasPrefix(o.Address.Package, name+"@") {
			return o.Address.String()
		}
	}
	s.Fatalf("there is no %s", name)
	return ""
}

// look finds a package and observes it.
func (s *stack) look(name string) (providertest.Configuration, providers.Provider, *providers.Object, providers.Observation) {
	s.Helper()
	c := s.open(s)
	for _, o := range c.Objects {
		if o.Address.String() != s.address(name) {
			continue
		}
		p := c.Kind(o.Kind).(providers.Provider)
		seen, err := p.Observe(s.Context(), providers.ObserveRequest{Objects: []*providers.Object{o}})
		if err != nil {
			s.Fatal(err)
		}
		return c, p, o, seen[o.Address]
	}
	s.Fatalf("there is no %s", name)
	return c, nil, nil, providers.Observation{}
}

// observe gives what a plan is told of a package, and what it does to have it in
// the caches.
func (s *stack) observe(name string) (providers.Observation, []providers.Step) {
	s.Helper()
	c, p, o, seen := s.look(name)
	planned, err := p.Plan(providers.PlanRequest{
		Object: o, Observed: seen, Demand: []providers.Form{providers.Archive}, Settings: plan.NewSettings(c.Objects),
	})
	if err != nil {
		s.Fatal(err)
	}
	return seen, planned.Steps
}
