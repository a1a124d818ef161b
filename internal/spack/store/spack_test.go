package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack"
)

func TestWeSeeWhatSpackInstalled(t *testing.T) {
	t.Parallel()
	for name, l := range labs() {
		for _, padded := range []int{0, 200} {
			t.Run(fmt.Sprintf("%s, padded to %d", name, padded), func(t *testing.T) {
				t.Parallel()
				s := l.at(t, padded)
				s.installCached()
				store := s.open()
				if diff := cmp.Diff(s.found(), s.ours(store)); diff != "" {
					t.Error(diff)
				}
				mustVerify(t, store)
				records, err := store.Records(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if records.Version != l.generation {
					t.Errorf("the database is of version %d", records.Version)
				}
				for _, rec := range records.All() {
					if got := prefixOf(t, store, rec.Spec); rec.Spec.External == nil && got != rec.Path {
						t.Errorf("we would put %s into %s, Spack into %s", rec.Spec.Name, got, rec.Path)
					}
				}
				// Written again, it is the same; also when it is made anew.
				want, err := os.ReadFile(store.dbPath("index.json"))
				if err != nil {
					t.Fatal(err)
				}
				for h := range records.All() {
					records.change(h)
				}
				got, err := appendRecords(nil, records)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(lines(want), lines(got)); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// lines makes differences short.
func lines(text []byte) []string { return strings.SplitAfter(string(text), ",") }

func TestSpackAndWeWriteOneTreeAtTheSameTime(t *testing.T) {
	t.Parallel()
	for name, l := range labs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := l.at(t, 0)
			cmd := s.command(s.install("--cache-only")...)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- cmd.Wait() }()
			// We add one package at a time, again and again until Spack is done.
			d, count := newDAG(t), 0
			if l.generation == Version7 {
				d.specfile = 4
			}
			store := s.open()
			for running := true; running || count < 20; {
				select {
				case err := <-done:
					if err != nil {
						t.Fatalf("%v\n%s", err, out.String())
					}
					running = false
				default:
				}
				d.add(fmt.Sprintf("ours%04d", count))
				mustInstall(t, store, d.packages(fmt.Sprintf("ours%04d", count)), d.options())
				count++
			}
			t.Logf("we installed %d at the same time", count)
			mustVerify(t, store)
			found := s.found()
			if diff := cmp.Diff(s.ours(store), found); diff != "" {
				t.Error(diff)
			}
			if want := count + 20; len(found) < want {
				t.Errorf("%d are installed, not %d", len(found), want)
			}
		})
	}
}

func TestSpackSeesWhatWeRemoved(t *testing.T) {
	t.Parallel()
	for name, l := range labs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := l.at(t, 0)
			s.installCached()
			store := s.open()
			if err := store.Remove(t.Context(), []spack.Hash{s.named("esd-bundle").Hash, s.named("esd-app").Hash}, RemoveOptions{}); err != nil {
				t.Fatal(err)
			}
			found := s.found()
			if _, there := found[s.named("esd-app").Hash]; there {
				t.Error("Spack still sees esd-app")
			}
			if diff := cmp.Diff(found, s.ours(store)); diff != "" {
				t.Error(diff)
			}
			mustVerify(t, store)
			s.installCached()
			if diff := cmp.Diff(s.found(), s.ours(store)); diff != "" {
				t.Error(diff)
			}
			mustVerify(t, store)
		})
	}
}

func TestSpackAgreesOnRefCounts(t *testing.T) {
	t.Parallel()
	for name, l := range labs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := l.at(t, 0)
			s.installCached()
			store := s.open()
			before := state(t, store)
			s.spack("reindex") // which counts anew, and checks
			if diff := cmp.Diff(before, state(t, store)); diff != "" {
				t.Error(diff)
			}
			if _, err := os.Stat(filepath.Join(s.root, "bin", "sbang")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSpackSeesWhatWeInstalled(t *testing.T) {
	t.Parallel()
	for name, l := range labs() {
		for _, padded := range []int{0, 200} {
			t.Run(fmt.Sprintf("%s, padded to %d", name, padded), func(t *testing.T) {
				t.Parallel()
				s := l.at(t, padded)
				store := s.open()
				result := mustInstall(t, store, s.packages(), s.options())
				if len(result.Installed) != 20 {
					t.Errorf("installed %v", names(result.Installed))
				}
				if diff := cmp.Diff(s.ours(store), s.found()); diff != "" {
					t.Error(diff)
				}
				mustVerify(t, store)
				s.sameAsSpacks(store)
				s.runs("esd-app", "esd-app", "yak=42")
				s.runs("esd-script", "hello-esd", "")
				before := state(t, store)
				s.spack("reindex")
				if diff := cmp.Diff(before, state(t, store)); diff != "" {
					t.Error(diff)
				}
				s.spack(s.install("--no-cache")...) // what was only recorded until now is installed too
				mustVerify(t, store)
				if diff := cmp.Diff(s.ours(store), s.found()); diff != "" {
					t.Error(diff)
				}
				before = state(t, store)
				s.installCached() // which finds nothing to do
				if diff := cmp.Diff(before, state(t, store)); diff != "" {
					t.Error(diff)
				}
				s.spack("uninstall", "-y", "/"+string(s.named("esd-bundle").Hash))
				if diff := cmp.Diff(s.ours(store), s.found()); diff != "" {
					t.Error(diff)
				}
				mustVerify(t, store)
			})
		}
	}
}

// sameAsSpacks lets Spack install the same packages, and compares the trees.
func (s *spackAt) sameAsSpacks(store *Store) {
	s.t.Helper()
	here, there := store.UnpaddedRoot(), store.UnpaddedRoot()+".ours"
	if err := os.Rename(here, there); err != nil {
		s.t.Fatal(err)
	}
	s.installCached()
	want := treeOf(s.t, here)
	if err := os.RemoveAll(here); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(there, here); err != nil {
		s.t.Fatal(err)
	}
	if diff := cmp.Diff(want, treeOf(s.t, here)); diff != "" {
		s.t.Errorf("Spack's tree is another one:\n%s", diff)
	}
}

// treeOf describes all files below root; of those that always differ, that
// they are there.
func treeOf(t testing.TB, root string) map[string]string {
	t.Helper()
	tree := make(map[string]string)
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, root)
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch {
		case strings.HasSuffix(name, "/.spack-db"):
			return filepath.SkipDir
		case name == "/bin/sbang", strings.HasSuffix(name, "install_times.json"):
			tree[name] = ""
			return nil
		case info.Mode()&os.ModeSymlink != 0:
			target, err := os.Readlink(path)
			tree[name] = "-> " + target
			return err
		case info.Mode().IsRegular():
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += fmt.Sprintf(" %x", sha256.Sum256(content))
		}
		tree[name] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// runs runs a program of a package and looks for what it prints.
func (s *spackAt) runs(name, program, says string) {
	s.t.Helper()
	path := filepath.Join(prefixOf(s.t, s.open(), s.named(name)), "bin", program)
	out, err := exec.Command(path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), says) {
		s.t.Errorf("%s: %v, %s", program, err, out)
	}
}

func TestSpackBuildsOnWhatWeInstalled(t *testing.T) {
	t.Parallel()
	for name, l := range labs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := l.at(t, 0)
			store := s.open()
			mustInstall(t, store, s.packages("esd-app", "esd-bundle"), s.options())
			s.spack(s.install("--no-cache")...)
			s.runs("esd-app", "esd-app", "yak=42")
			mustVerify(t, store)
			if diff := cmp.Diff(s.ours(store), s.found()); diff != "" {
				t.Error(diff)
			}
			records, err := store.Records(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			times, err := os.ReadFile(timesPath(records.Get(s.named("esd-zed").Hash).Path))
			if err != nil || !bytes.Contains(times, []byte(`"cache":true`)) {
				t.Errorf("esd-zed was installed anew: %v, %s", err, times)
			}
		})
	}
}

func TestSpackFindsNothingWrongWithWhatWeInstalled(t *testing.T) {
	t.Parallel()
	s := labs()["Spack 1.x"].at(t, 0)
	store := s.open()
	mustInstall(t, store, s.packages(), s.options())
	t.Log(s.spack("verify", "libraries"))
	t.Log(s.spack("find", "-dL", "esd-bundle"))
}

// Spack 1.x installs what Spack 0.23 concretized and built.
func TestOldSpecsAreRecordedAsNewSpackDoes(t *testing.T) {
	t.Parallel()
	l := labs()["Spack 1.x"]
	l.version, l.cache = "023", "v2-padded"
	s := l.at(t, 0)
	s.installCached()
	want := specTexts(t, s.open())
	if err := os.RemoveAll(s.root); err != nil {
		t.Fatal(err)
	}
	store := s.open()
	mustInstall(t, store, s.packages(), s.options())
	if diff := cmp.Diff(want, specTexts(t, store)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(s.ours(store), s.found()); diff != "" {
		t.Error(diff)
	}
}

func specTexts(t *testing.T, s *Store) map[spack.Hash]string {
	t.Helper()
	records, err := s.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[spack.Hash]string)
	for h, rec := range records.All() {
		texts[h] = fmt.Sprintf("%t %d %s", rec.Installed, rec.RefCount, rec.Spec.Raw)
	}
	return texts
}

func TestWhatWeInstalledIsAnUpstreamOfSpack(t *testing.T) {
	t.Parallel()
	for name, l := range labs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			upstream := l.at(t, 0)
			store := upstream.open()
			mustInstall(t, store, upstream.packages("esd-app", "esd-bundle"), upstream.options())
			// Nothing of it may be written from here on.
			before := treeOf(t, store.Root())
			below := l.at(t, 0)
			text := fmt.Sprintf("upstreams:\n  ours:\n    install_tree: %s\n", store.Root())
			if err := os.WriteFile(filepath.Join(below.scope, "upstreams.yaml"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			below.spack(below.install("--no-cache")...)
			below.runs("esd-app", "esd-app", "yak=42")
			installed, err := below.open().Installed(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if installed[below.named("esd-zed").Hash] != nil || installed[below.named("esd-app").Hash] == nil {
				t.Error("Spack did not take esd-zed from us, or did not build esd-app")
			}
			if diff := cmp.Diff(before, treeOf(t, store.Root())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSpackAndWeInstallTheSamePackagesAtTheSameTime(t *testing.T) {
	t.Parallel()
	for name, l := range labs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := l.at(t, 0)
			store := s.open()
			opts := s.options()
			fetch := opts.Fetch
			opts.Jobs = 1
			opts.Fetch = func(ctx context.Context, spec *spack.Spec) (io.ReadCloser, error) {
				time.Sleep(100 * time.Millisecond) // Spack needs a second to start
				return fetch(ctx, spec)
			}
			done := make(chan Result, 1)
			go func() {
				result, err := store.Install(t.Context(), s.packages(), opts)
				if err != nil {
					t.Error(err)
				}
				done <- result
			}()
			s.installCached()
			result := <-done
			t.Logf("%d were installed by us, %d by Spack", len(result.Installed), len(result.Reused))
			mustVerify(t, store)
			if diff := cmp.Diff(s.ours(store), s.found()); diff != "" {
				t.Error(diff)
			}
			s.runs("esd-app", "esd-app", "yak=42")
		})
	}
}
