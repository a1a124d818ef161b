package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/config/lockfile"
	"esd/internal/plan"
	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	spacklock "esd/internal/spack/lockfile"
	"esd/internal/spack/spacktest"
	"esd/internal/workspace"
)

// spackLock is a lock that Spack wrote.
func spackLock(t testing.TB, name string) ([]byte, *spacklock.Lock) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "spack", "testdata", "locks", name+".lock"))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := spacklock.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return data, lock
}

const simHCL = `cache "buildcache" "shared" { url = "cache" }
environment "sim" {
  specs  = ["hdf5~mpi", "zlib-ng"]
  caches = [cache.buildcache.shared]
}
`

// simStack is a configuration with one environment whose lock is the small one.
func simStack(t testing.TB, hcl string) (dir string, lock *spacklock.Lock) {
	t.Helper()
	dir = t.TempDir()
	data, lock := spackLock(t, "v12-small")
	for name, content := range map[string]string{"esd.hcl": hcl, "locks/sim.spack.lock": string(data)} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	result, err := openStack(t, dir).Lock(t.Context(), workspace.LockFileOptions{Adopt: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := result.Write(); err != nil {
		t.Fatal(err)
	}
	if _, diags := lockfile.Read(filepath.Join(dir, "esd.lock.hcl")); diags.HasErrors() {
		t.Fatal(diags)
	}
	return dir, lock
}

func openStack(t testing.TB, dir string) *workspace.Workspace {
	t.Helper()
	w, diags := workspace.Open(workspace.Options{Path: dir, Environ: os.LookupEnv, Version: "0.1.0"})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return w
}

func planStack(t testing.TB, dir string) *plan.Plan {
	t.Helper()
	p, err := openStack(t, dir).Plan(t.Context(), workspace.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return p.Plan
}

// fill stores packages in the build cache of a stack.
func fill(t testing.TB, dir string, lock *spacklock.Lock, specs ...*spack.Spec) {
	t.Helper()
	c, err := buildcache.Open(t.Context(), filepath.Join(dir, "cache"), buildcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	builder := &spacktest.Builder{Root: "/opt/built-here-with-a-long-path/spack/store", Specs: lock.Specs, Dir: t.TempDir()}
	if err := builder.Push(context.WithoutCancel(t.Context()), c, specs...); err != nil {
		t.Fatal(err)
	}
}

// work lists what a plan does to packages, as "build hdf5".
func work(p *plan.Plan) []string {
	var list []string
	for _, s := range p.Steps {
		if s.Kind == "package" {
			list = append(list, s.History)
		}
	}
	slices.Sort(list)
	return list
}

// neededToRun is what a lock's roots need to run, without what the system provides.
func neededToRun(lock *spacklock.Lock) []*spack.Spec {
	closure := lock.Specs.Closure(spack.LinkRun, spacklock.Hashes(lock.AllRoots())...)
	return slices.DeleteFunc(closure, func(s *spack.Spec) bool { return s.External != nil })
}

// reference says in the plainest way what must be done: what is to be in the
// cache and is not, is built; what is built needs all that it depends on
// installed, which is fetched or, if need be, built.
func reference(lock *spacklock.Lock, cached map[spack.Hash]bool) []string {
	done := map[string]bool{}
	var installed func(h spack.Hash)
	build := func(s *spack.Spec) {
		if done["build "+s.Name] {
			return
		}
		done["build "+s.Name] = true
		for _, e := range s.Dependencies {
			if e.Types&(spack.Build|spack.Link|spack.Run) != 0 {
				installed(e.Hash)
			}
		}
	}
	installed = func(h spack.Hash) {
		s := lock.Specs[h]
		switch {
		case s.External != nil || done["fetch "+s.Name]:
		case !cached[h]:
			build(s)
		default:
			done["fetch "+s.Name] = true
			for _, e := range s.Dependencies {
				if e.Types&spack.LinkRun != 0 {
					installed(e.Hash)
				}
			}
		}
	}
	for _, s := range neededToRun(lock) {
		if !cached[s.Hash] {
			build(s)
		}
	}
	return slices.Sorted(maps.Keys(done))
}

func TestOnlyWhatNoCacheHasIsBuiltAndOnlyWhatThatNeedsIsFetched(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 14))
	_, all := spackLock(t, "v12-small")
	for round := range 12 {
		dir, lock := simStack(t, simHCL)
		cached := map[spack.Hash]bool{}
		var specs []*spack.Spec
		for _, h := range all.Order {
			if s := lock.Specs[h]; s.External == nil && random.IntN(12) < round {
				cached[h] = true
				specs = append(specs, s)
			}
		}
		fill(t, dir, lock, specs...)
		if diff := cmp.Diff(reference(lock, cached), work(planStack(t, dir))); diff != "" {
			t.Errorf("with %d of %d packages in the cache: -want +got\n%s", len(cached), len(lock.Specs), diff)
		}
	}
}

func TestAnEnvironmentThatIsWhollyCachedNeedsNothing(t *testing.T) {
	t.Parallel()
	dir, lock := simStack(t, simHCL)
	fill(t, dir, lock, neededToRun(lock)...)
	p := planStack(t, dir)
	if len(p.Steps) != 0 || len(p.Changes) != 1 || p.Changes[0].Action != plan.Adopt {
		t.Errorf("%+v", p.Changes)
	}
}

func TestAnEnvironmentSaysWhyItsLockDoesNotFit(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]struct {
		edit func(dir string) error
		want string
	}{
		"a spec more": {replaceIn("esd.hcl", `"zlib-ng"`, `"zlib-ng", "zstd"`), "spec added: zstd"},
		"a spec less": {replaceIn("esd.hcl", `, "zlib-ng"`, ``), "spec removed: zlib-ng"},
		"a configuration": {
			replaceIn("esd.hcl", `caches =`, "config = { packages = { all = { require = \"target=x86_64\" } } }\n  caches ="), "its config changed",
		},
		"another Spack": {
			replaceIn("esd.hcl", `environment "sim" {`, "spack \"v1\" {\n  path = \"spack\"\n  package_repository \"builtin\" {\n    path = \"p\"\n  }\n}\nenvironment \"sim\" {\n  spack = spack.v1"),
			"concretized by another Spack",
		},
		"a lock that was edited": {replaceIn("locks/sim.spack.lock", `"version":"1.14.6"`, `"version":"1.14.7"`), "locks/sim.spack.lock"},
		"a lock cut short": {func(dir string) error {
			return os.Truncate(filepath.Join(dir, "locks/sim.spack.lock"), 5000)
		}, "locks/sim.spack.lock"},
		"no lock any more":      {func(dir string) error { return os.Remove(filepath.Join(dir, "locks/sim.spack.lock")) }, "is missing"},
		"no lock file any more": {func(dir string) error { return os.Remove(filepath.Join(dir, "esd.lock.hcl")) }, "--adopt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, _ := simStack(t, simHCL)
			if err := change.edit(dir); err != nil {
				t.Fatal(err)
			}
			_, err := openStack(t, dir).Plan(t.Context(), workspace.PlanOptions{})
			if err == nil || !strings.Contains(err.Error(), change.want) || !strings.Contains(err.Error(), "esd lock") {
				t.Errorf("got %v, want %q", err, change.want)
			}
		})
	}
}

func replaceIn(file, old, replacement string) func(dir string) error {
	return func(dir string) error {
		path := filepath.Join(dir, file)
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !strings.Contains(string(data), old) {
			return fmt.Errorf("%s has no %s", file, old)
		}
		return os.WriteFile(path, []byte(strings.Replace(string(data), old, replacement, 1)), 0o644)
	}
}

func TestAPackageBuiltAtAShorterPrefixIsBuiltAgainAndThePlanSaysWhy(t *testing.T) {
	t.Parallel()
	dir, lock := simStack(t, strings.Replace(simHCL, "caches =", "root = \"/opt/a-root-that-is-longer-than-that-of-the-store-of-the-cache\"\n  caches =", 1))
	fill(t, dir, lock, neededToRun(lock)...)
	p := planStack(t, dir)
	for _, c := range p.Changes {
		if c.Kind == "package" && strings.Contains(c.Address, "/zlib-ng@") {
			if c.Action != plan.Build || !strings.Contains(c.Reason, "paths in programs cannot be made longer") {
				t.Errorf("%s %s", c.Action, c.Reason)
			}
			return
		}
	}
	t.Errorf("zlib-ng is not planned: %+v", p.Changes)
}

func TestPlanningTwiceFindsTheSameConfiguration(t *testing.T) {
	t.Parallel()
	dir, lock := simStack(t, simHCL+`
target "image" "lab" {
  packages = [environment.sim]
  platform = "linux/amd64"
  publish  = ["oci:dist:1"]
}
target "filesystem" "tree" {
  packages = [environment.sim]
  path     = "/opt/not-applied"
}
`)
	fill(t, dir, lock, neededToRun(lock)...)
	first, second := planStack(t, dir), planStack(t, dir)
	if diff := cmp.Diff(first, second); diff != "" {
		t.Error(diff)
	}
}
