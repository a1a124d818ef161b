package examples

import (
	"os"
	"path/filepath"
	"testing"

	"esd/internal/cli"
	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/lockfile"
	"esd/internal/spack/spacktest"
)

func TestTheLabIsPlannedWithoutSpackAndWithoutACache(t *testing.T) {
	t.Parallel()
	config := filepath.Join(copyExamples(t), "ebrains-lab.hcl")
	code, printed := esd("plan", config)
	if code != cli.ExitOK {
		t.Fatalf("plan exits with %d:\n%s", code, printed)
	}
	wantText(t, printed, "Plan: 146 to build, 0 to fetch, 0 reused; 1 to create, 0 to update, 0 to destroy.")
}

func TestTheLabIsPutTogetherFromABuildCacheThatHasEverything(t *testing.T) {
	t.Parallel()
	dir := copyExamples(t)
	config := filepath.Join(dir, "ebrains-lab.hcl")
	fillBuildcache(t, filepath.Join(dir, "ebrains-lab/buildcache"), filepath.Join(dir, "locks/lab.spack.lock"))

	first := apply(t, config)
	wantText(t, first, "Plan: 0 to build, 0 to fetch, 100 reused; 1 to create, 0 to update, 0 to destroy.")
	wantText(t, apply(t, config), "No changes. Everything matches the configuration.")
}

// fillBuildcache stores all packages of a lock as somebody else's Spack would
// have: at a padded prefix, and without any package that only builds need.
func fillBuildcache(t *testing.T, dir, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lock, err := lockfile.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	c, err := buildcache.Open(t.Context(), dir, buildcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	builder := &spacktest.Builder{
		Root: "/opt/ci/a-store-with-a-padded-path/__spack_path_placeholder__/__spack_path_pl", Specs: lock.Specs, Dir: t.TempDir(),
	}
	for _, s := range lock.Specs.Closure(spack.LinkRun, lockfile.Hashes(lock.AllRoots())...) {
		if s.External != nil {
			continue
		}
		if err := builder.Push(t.Context(), c, s); err != nil {
			t.Fatal(err)
		}
	}
}
