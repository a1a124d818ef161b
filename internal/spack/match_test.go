package spack_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack"
	"esd/internal/spack/lockfile"
)

// specsOf reads the specs of a lock that real Spack wrote.
func specsOf(tb testing.TB, name string) *lockfile.Lock {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "locks", name+".lock"))
	if err != nil {
		tb.Fatal(err)
	}
	lock, err := lockfile.Parse(data)
	if err != nil {
		tb.Fatal(err)
	}
	return lock
}

// TestQueriesFindWhatSpackFinds compares with what Spack 1.2 found in the
// locks, and Spack 0.23 in its own.
func TestQueriesFindWhatSpackFinds(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/matches.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string]map[string]string
	if err := json.Unmarshal(data, &recorded); err != nil {
		t.Fatal(err)
	}
	for name, queries := range recorded {
		lock := specsOf(t, strings.TrimSuffix(name, " by 0.23"))
		syntax := spack.Syntax1
		if strings.HasSuffix(name, " by 0.23") {
			syntax = spack.Syntax023
		}
		for query, want := range queries {
			t.Run(name+" "+query, func(t *testing.T) {
				t.Parallel()
				m, err := spack.Match(query)
				if err != nil {
					t.Fatal(err)
				}
				m = m.In(syntax)
				got := []string{}
				for _, s := range lock.Specs {
					if m.Matches(s, lock.Specs) {
						got = append(got, s.Name)
					}
				}
				slices.Sort(got)
				if diff := cmp.Diff(strings.Fields(want), got); diff != "" {
					t.Errorf("-Spack +ours:\n%s", diff)
				}
			})
		}
	}
}

func TestWhatIsNoSpecIsNotLookedFor(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{
		"nothing":                  "",
		"blanks":                   "  ",
		"two specs":                "hdf5 zlib",
		"anonymous and then named": "+mpi hdf5",
		"dangling version":         "hdf5@",
		"bad version":              "hdf5@1..2:::3",
		"empty range":              "hdf5@3:1",
		"two versions":             "hdf5@1@2",
		"dangling dependency":      "hdf5 ^",
		"two sigils":               "hdf5 ^ %gcc",
		"dangling variant":         "hdf5+",
		"dangling value":           "hdf5 api=",
		"open quote":               "hdf5 cflags='-O2",
		"long hash":                "/" + strings.Repeat("a", 33),
		"no hash":                  "/0189",
		"two hashes":               "/a/b",
		"propagated variant":       "hdf5++mpi",
		"propagated value":         "hdf5 cflags==-O2",
		"preference":               "hdf5 %%gcc",
		"conditions":               "hdf5 ^[when=+mpi] openmpi",
		"range of targets":         "hdf5 target=x86_64:",
		"part of an arch":          "hdf5 arch=x86_64",
		"strange characters":       "hdf5 <zlib>",
		"more of them":             "hdf5 é",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := spack.Match(query); err == nil {
				t.Errorf("%q is taken for a spec", query)
			}
		})
	}
}

func TestVersionsAreOrderedAsInSpack(t *testing.T) {
	t.Parallel()
	// From the oldest to the newest.
	order := []string{
		"abc", "0.9", "1", "1.0alpha", "1.0beta2", "1.0-rc1", "1.0-rc2", "1.0", "1.0.a", "1.0.1", "1.2", "1.9", "1.10", "1.10.main",
		"2.0", "20250101", "123456789012345678901234567890", "stable", "master", "main", "develop", "develop.2",
	}
	for i := range order {
		for j := range order {
			want := min(max(i-j, -1), 1)
			if got := spack.CompareVersions(order[i], order[j]); got != want {
				t.Errorf("%s and %s are compared as %d", order[i], order[j], got)
			}
		}
	}
}

func FuzzMatch(f *testing.F) {
	for _, query := range []string{"hdf5@1.14:+mpi~x a=b", "%gcc@12 ^openmpi@5%gcc", "/abc", "a='b c' target=x,y", "builtin.hdf5@=1.2,3:", "%c,cxx=gcc"} {
		f.Add(query)
	}
	lock := specsOf(f, "v12-small")
	f.Fuzz(func(t *testing.T, query string) {
		m, err := spack.Match(query)
		if err != nil {
			return
		}
		for _, s := range lock.Specs {
			m.Matches(s, lock.Specs)
		}
	})
}
