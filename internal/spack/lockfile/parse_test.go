package lockfile_test

import (
	"os"
	"path/filepath"
	"testing"

	"esd/internal/spack"
	"esd/internal/spack/lockfile"
)

// read reads a lock that real Spack wrote.
func read(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", "locks", name+".lock"))
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func TestLocksOfBothGenerationsAreRead(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		version, specfile, specs, roots, edges int
		spack                                  string
	}{
		"v12-small":   {6, 5, 21, 2, 105, "1.2.0.dev0"},
		"v12-medium":  {6, 5, 148, 13, 1116, "1.2.0.dev0"},
		"v023-small":  {5, 4, 19, 2, 74, "0.23.0"},
		"v023-medium": {5, 4, 135, 13, 915, "0.23.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lock, err := lockfile.Parse(read(t, name))
			if err != nil {
				t.Fatal(err)
			}
			got := want
			got.version, got.specfile, got.spack = lock.Version, lock.SpecfileVersion, lock.Spack.Version
			got.specs, got.roots, got.edges = len(lock.Specs), len(lock.Roots), 0
			for _, s := range lock.Specs {
				got.edges += len(s.Dependencies)
				if err := s.VerifyHash(lock.SpecfileVersion); err != nil {
					t.Error(err)
				}
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if reached := lock.Specs.Closure(spack.Build|spack.LinkRun|spack.Test, lock.Order...); len(reached) != want.specs {
				t.Errorf("%d of %d specs are reached", len(reached), want.specs)
			}
		})
	}
}
