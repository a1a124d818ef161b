package command

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"esd/internal/spack"
	"esd/internal/spack/mirror"
)

func TestRealSourcesAreAllThatBuildingNeeds(t *testing.T) {
	eachSpack(t, func(t *testing.T, l *lab) {
		var wanted []spack.Hash
		for _, h := range l.order {
			wanted = append(wanted, spack.Hash(h))
		}
		found, err := l.Sources(t.Context(), l.lock, wanted)
		if err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, s := range found {
			count[s.Package]++
		}
		// beta: source, resource and the patch with a URL; the other patch is beside the recipe.
		for name, n := range map[string]int{"toy-beta": 3, "toy-app": 1, "toy-all": 0, "gcc-runtime": 0} {
			if count[name] != n {
				t.Errorf("%s has %d sources, want %d", name, count[name], n)
			}
		}
	})
}

// TestRealBuildsNeedNoNetworkOnceSourcesAreFetched serves the toys' sources,
// fetches them, closes the server and builds.
func TestRealBuildsNeedNoNetworkOnceSourcesAreFetched(t *testing.T) {
	eachSpack(t, func(t *testing.T, l *lab) {
		sources := t.TempDir()
		if err := os.Rename(l.repo.Sources, filepath.Join(sources, "moved")); err != nil {
			t.Fatal(err)
		}
		defer os.Rename(filepath.Join(sources, "moved"), l.repo.Sources)
		var requests atomic.Int64
		files := http.FileServer(http.Dir(filepath.Join(sources, "moved")))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			files.ServeHTTP(w, r)
		}))
		defer server.Close()

		needed := l.needs(t, "toy-app")
		var wanted []spack.Hash
		for _, h := range needed {
			wanted = append(wanted, spack.Hash(h))
		}
		found, err := l.Sources(t.Context(), l.lock, wanted)
		if err != nil {
			t.Fatal(err)
		}
		for n := range found {
			if found[n].Package != "compiler-wrapper" { // whose source is in the repository
				found[n].URLs = []string{server.URL + "/" + filepath.Base(found[n].URLs[0])}
			}
		}
		dir := t.TempDir()
		for range 2 { // the second time, there is nothing to do
			if err := mirror.Fetch(t.Context(), dir, found, mirror.Options{}); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := int(requests.Load()), countDigests(found)-countOf(found, "compiler-wrapper"); got != want {
			t.Errorf("%d requests for %d files", got, want)
		}
		server.Close()
		l.settings.Mirrors = []Mirror{{Name: "sources", URL: "file://" + dir, Source: true}}
		l.renew(t)
		l.Instance.settings.SourceCache = t.TempDir()
		l.build(t, needed...)
	})
}

func TestRealCheckoutsAreStoredBySpack(t *testing.T) {
	eachSpack(t, func(t *testing.T, l *lab) {
		if l.hashes["toy-git"] == "" {
			t.Skip("git is not installed")
		}
		h := spack.Hash(l.hashes["toy-git"])
		found, err := l.Sources(t.Context(), l.lock, []spack.Hash{h})
		if err != nil || len(found) != 1 || found[0].Kind != mirror.Checkout {
			t.Fatalf("sources of a package from git: %+v, %v", found, err)
		}
		dir := t.TempDir()
		opts := mirror.Options{Others: l.Others(l.lock)}
		if err := mirror.Fetch(t.Context(), dir, found, opts); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, found[0].Path)); err != nil {
			t.Error(err)
		}
		hidden := l.repo.Sources + "/toy-git.git"
		if err := os.Rename(hidden, hidden+".gone"); err != nil {
			t.Fatal(err)
		}
		defer os.Rename(hidden+".gone", hidden)
		needed := l.needs(t, "toy-git")
		l.build(t, needed[:len(needed)-1]...)
		if _, err := l.Build(t.Context(), BuildRequest{Lock: l.lock, Hash: h}); !errors.Is(err, ErrFetch) {
			t.Errorf("without a mirror: %v", err)
		}
		l.settings.Mirrors = []Mirror{{Name: "sources", URL: "file://" + dir, Source: true}}
		l.renew(t)
		l.build(t, needed[len(needed)-1])
	})
}

func countDigests(sources []mirror.Source) int {
	var all []string
	for _, s := range sources {
		if !slices.Contains(all, s.Digest) {
			all = append(all, s.Digest)
		}
	}
	return len(all)
}

func countOf(sources []mirror.Source, name string) (n int) {
	for _, s := range sources {
		if s.Package == name {
			n++
		}
	}
	return n
}
