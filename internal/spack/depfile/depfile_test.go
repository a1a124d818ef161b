package depfile_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack/depfile"
	"esd/internal/spack/lockfile"
)

// parse reads a lock that real Spack wrote.
func parse(tb testing.TB, name string) *lockfile.Lock {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("..", "testdata", "locks", name+".lock"))
	if err != nil {
		tb.Fatal(err)
	}
	lock, err := lockfile.Parse(data)
	if err != nil {
		tb.Fatal(err)
	}
	return lock
}

func graph(tb testing.TB, lock *lockfile.Lock, use string) *depfile.Graph {
	tb.Helper()
	u, err := depfile.ParseUseBuildcache(use)
	if err != nil {
		tb.Fatal(err)
	}
	return depfile.New(lock.Specs, lockfile.Hashes(lock.AllRoots()), u)
}

// TestGraphsEqualThoseOfSpack compares with what Spack 1.2 made of the locks,
// in all modes, byte for byte.
func TestGraphsEqualThoseOfSpack(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) != 14 {
		t.Fatalf("%d recorded graphs, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var head struct {
				Lock string
				Use  struct{ Package, Dependencies string } `json:"use_buildcache"`
			}
			if err := json.Unmarshal(want, &head); err != nil {
				t.Fatal(err)
			}
			lock := parse(t, filepath.Base(filepath.Dir(head.Lock)))
			got, err := graph(t, lock, "package:"+head.Use.Package+",dependencies:"+head.Use.Dependencies).JSON(head.Lock)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimSpace(string(want)), strings.TrimSpace(string(got))); diff != "" {
				t.Errorf("-Spack +ours:\n%.2000s", diff)
			}
		})
	}
}

func TestUseBuildcacheIsReadFromLeftToRight(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"only":                            "package:only,dependencies:only",
		"package:never":                   "package:never,dependencies:auto",
		"dependencies:only":               "package:auto,dependencies:only",
		"never,dependencies:only":         "package:never,dependencies:only",
		"dependencies:only,never":         "package:never,dependencies:never",
		"package:never,dependencies:only": "package:never,dependencies:only",
		" package : never , only ":        "package:only,dependencies:only",
	} {
		if got, err := depfile.ParseUseBuildcache(text); err != nil || got.String() != want {
			t.Errorf("%q is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "sometimes", "package", "package:", "root:only", ":only", "package:only:auto", "only,"} {
		if got, err := depfile.ParseUseBuildcache(text); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}

func TestAPackageThatWasAskedForTwiceIsInstalledOnce(t *testing.T) {
	t.Parallel()
	lock := parse(t, "v12-small")
	h := lock.Roots[0].Hash
	lock.Roots = append(lock.Roots, lockfile.Root{Hash: h, Spec: "again"})
	g := graph(t, lock, "only")
	if len(g.Roots) != 3 || len(g.Nodes) != 5 {
		t.Errorf("%d roots and %d nodes", len(g.Roots), len(g.Nodes))
	}
}
