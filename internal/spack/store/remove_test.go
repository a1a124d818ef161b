package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack"
)

func installedStack(t *testing.T) (*dag, *Store) {
	t.Helper()
	d, s := stack(t), openStore(t, t.TempDir(), Options{})
	mustInstall(t, s, d.packages("lib", "left", "right", "top"), d.options())
	return d, s
}

func TestRemoveTakesRecordsAndPrefixes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		remove []string
		opts   RemoveOptions
		want   map[string]string
	}{
		"what nobody needs": {[]string{"top"}, RemoveOptions{}, map[string]string{
			"glibc": "installed refs=1", "cmake": "missing refs=2", "lib": "installed explicit refs=2",
			"left": "installed explicit refs=0", "right": "installed explicit refs=0",
		}},
		"with its dependents": {[]string{"lib", "left", "right", "top"}, RemoveOptions{}, map[string]string{"glibc": "installed refs=0"}},
		"what others need, by force": {[]string{"left"}, RemoveOptions{Force: true}, map[string]string{
			"glibc": "installed refs=1", "cmake": "missing refs=2", "lib": "installed explicit refs=2",
			"left": "missing explicit refs=1", "right": "installed explicit refs=1", "top": "installed explicit refs=0",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, s := installedStack(t)
			var hashes []spack.Hash
			for _, name := range c.remove {
				hashes = append(hashes, d.byName[name].Hash)
			}
			if err := s.Remove(t.Context(), hashes, c.opts); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, state(t, s)); diff != "" {
				t.Error(diff)
			}
			for _, name := range c.remove {
				if exists(prefixOf(t, s, d.byName[name])) {
					t.Errorf("the prefix of %s is still there", name)
				}
			}
		})
	}
}

func TestRemoveOfEverythingLeavesNoEmptyDirectories(t *testing.T) {
	t.Parallel()
	d, s := installedStack(t)
	if err := s.Remove(t.Context(), []spack.Hash{d.byName["top"].Hash, d.byName["left"].Hash, d.byName["right"].Hash, d.byName["lib"].Hash}, RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	if dir := filepath.Dir(prefixOf(t, s, d.byName["lib"])); exists(dir) {
		t.Errorf("%s is still there", dir)
	}
}

func TestRemoveRefuses(t *testing.T) {
	t.Parallel()
	d, s := installedStack(t)
	before := state(t, s)
	var used *InUseError
	err := s.Remove(t.Context(), []spack.Hash{d.byName["lib"].Hash, d.byName["left"].Hash}, RemoveOptions{})
	if !errors.As(err, &used) || used.Spec.Name != "lib" && used.Spec.Name != "left" {
		t.Errorf("what others need: got %v", err)
	}
	if err := s.Remove(t.Context(), []spack.Hash{d.byName["cmake"].Hash}, RemoveOptions{}); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("what is not installed: got %v", err)
	}
	if diff := cmp.Diff(before, state(t, s)); diff != "" {
		t.Error(diff)
	}
}

func TestAPrefixOutsideOfTheTreeIsNeverRemoved(t *testing.T) {
	t.Parallel()
	d, s := installedStack(t)
	outside := t.TempDir()
	spec := filepath.Join(outside, ".spack", "spec.json")
	if err := errors.Join(os.Mkdir(filepath.Dir(spec), 0o755), os.WriteFile(spec, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	h := d.byName["top"].Hash
	for _, path := range []string{outside, s.Root(), s.Root() + "/.spack-db", s.Root() + "/../x", ""} {
		err := s.update(t.Context(), func(r *Records) (bool, error) { r.change(h).Path = path; return true, nil })
		if err != nil {
			t.Fatal(err)
		}
		err = s.Remove(t.Context(), []spack.Hash{h}, RemoveOptions{})
		if path != "" && !errors.Is(err, ErrOutside) {
			t.Errorf("%q: got %v", path, err)
		}
	}
	if !exists(spec) || !exists(s.dbPath("index.json")) {
		t.Error("something was removed")
	}
}

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	d, s := installedStack(t)
	lib, left, right := prefixOf(t, s, d.byName["lib"]), prefixOf(t, s, d.byName["left"]), prefixOf(t, s, d.byName["right"])
	err := errors.Join(
		os.RemoveAll(lib),
		os.Remove(filepath.Join(left, ".spack", "spec.json")),
		os.CopyFS(filepath.Join(filepath.Dir(right), "stray"), os.DirFS(right)),
		os.WriteFile(filepath.Join(right, ".spack", "spec.json"), []byte(`{"spec":{"nodes":[{"hash":"x"}]}}`), 0o644),
		s.update(t.Context(), func(r *Records) (bool, error) {
			r.change(d.byName["cmake"].Hash).RefCount = 7
			r.change(d.byName["glibc"].Hash).Installed = false
			return true, nil
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	problems, err := s.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[ProblemKind]int{}
	for _, p := range problems {
		got[p.Kind]++
		t.Log(p)
	}
	want := map[ProblemKind]int{MissingPrefix: 1, MissingSpec: 1, WrongSpec: 1, WrongRefCount: 1, MissingDependency: 1, Unrecorded: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
