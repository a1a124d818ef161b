package store

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack"
	"esd/internal/spack/binary"
)

// stack has a library, two programs of it, one that needs a program to run,
// things that are needed to build only, and one of the system.
func stack(t testing.TB) *dag {
	d := newDAG(t)
	d.external("glibc", "/usr")
	d.add("cmake")
	d.add("lib", "cmake:build", "glibc:link")
	d.add("left", "cmake:build", "lib:build,link")
	d.add("right", "lib:link")
	d.add("top", "left:run", "right:link")
	return d
}

func TestInstallRecordsWhatIsThere(t *testing.T) {
	t.Parallel()
	d, s := stack(t), openStore(t, filepath.Join(t.TempDir(), "root"), Options{})
	packages := append(d.packages("top"), Package{Spec: d.byName["lib"]}, Package{Spec: d.byName["left"]}, Package{Spec: d.byName["right"]})
	result := mustInstall(t, s, packages, d.options())
	if diff := cmp.Diff([]string{"left", "lib", "right", "top"}, names(result.Installed)); diff != "" {
		t.Error(diff)
	}
	want := map[string]string{
		"glibc": "installed refs=1",
		"cmake": "missing refs=2",
		"lib":   "installed refs=2",
		"left":  "installed refs=1",
		"right": "installed refs=1",
		"top":   "installed explicit refs=0",
	}
	if diff := cmp.Diff(want, state(t, s)); diff != "" {
		t.Error(diff)
	}
	mustVerify(t, s)
	records, err := s.Records(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := records.Get(d.byName["top"].Hash).InstallationTime; !got.Equal(noon) {
		t.Errorf("installed at %v", got)
	}
}

func TestInstallAgainReusesEverythingAndWritesNothing(t *testing.T) {
	t.Parallel()
	d, s := stack(t), openStore(t, t.TempDir(), Options{})
	all := d.packages("lib", "left", "right", "top", "glibc")
	mustInstall(t, s, all, d.options())
	before, err := os.Stat(s.dbPath("index.json"))
	if err != nil {
		t.Fatal(err)
	}
	opts := d.options()
	opts.Fetch = func(context.Context, *spack.Spec) (io.ReadCloser, error) {
		return nil, errors.New("nothing may be fetched")
	}
	result := mustInstall(t, s, all, opts)
	if len(result.Reused) != 4 || len(result.External) != 1 || len(result.Installed) != 0 {
		t.Errorf("%+v", result)
	}
	after, err := os.Stat(s.dbPath("index.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("the database was written")
	}
}

func TestAskingForADependencyMakesItExplicit(t *testing.T) {
	t.Parallel()
	d, s := stack(t), openStore(t, t.TempDir(), Options{})
	mustInstall(t, s, append(d.packages("right"), Package{Spec: d.byName["lib"]}), d.options())
	result := mustInstall(t, s, d.packages("lib"), d.options())
	if len(result.Reused) != 1 {
		t.Errorf("%+v", result)
	}
	if got := state(t, s)["lib"]; got != "installed explicit refs=1" {
		t.Error(got)
	}
}

func TestAFailureStopsOnlyWhatNeedsIt(t *testing.T) {
	t.Parallel()
	broken := errors.New("the archive is broken")
	for name, fail := range map[string]func(*InstallOptions){
		"when it cannot be fetched": func(o *InstallOptions) {
			o.Fetch = func(ctx context.Context, s *spack.Spec) (io.ReadCloser, error) {
				if s.Name == "left" {
					return nil, broken
				}
				return fetchToy(ctx, s)
			}
		},
		"when it cannot be unpacked": func(o *InstallOptions) {
			o.Unpack = func(ctx context.Context, r io.Reader, req binary.Request) (binary.Installed, error) {
				if done, err := unpackToy(ctx, r, req); err != nil || req.Spec.Name != "left" {
					return done, err
				}
				return binary.Installed{}, broken
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, s := stack(t), openStore(t, t.TempDir(), Options{})
			opts := d.options()
			fail(&opts)
			result, err := s.Install(t.Context(), d.packages("lib", "left", "right", "top"), opts)
			var failed *InstallError
			if !errors.As(err, &failed) || !errors.Is(err, broken) || len(failed.Failures) != 2 {
				t.Fatalf("got %v", err)
			}
			if f := failed.Failures[1]; f.Spec.Name != "top" || f.Because.Name != "left" {
				t.Errorf("%+v", f)
			}
			if diff := cmp.Diff([]string{"lib", "right"}, names(result.Installed)); diff != "" {
				t.Error(diff)
			}
			mustVerify(t, s)
			if _, err := os.Lstat(prefixOf(t, s, d.byName["top"])); !errors.Is(err, fs.ErrNotExist) {
				t.Error("the prefix of top was left")
			}
			// With what was broken mended, the rest follows.
			result = mustInstall(t, s, d.packages("lib", "left", "right", "top"), d.options())
			if diff := cmp.Diff([]string{"left", "top"}, names(result.Installed)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func prefixOf(t testing.TB, s *Store, spec *spack.Spec) string {
	t.Helper()
	prefix, err := s.Prefix(spec)
	if err != nil {
		t.Fatal(err)
	}
	return prefix
}

func TestWhatSomebodyLeftBehindIsReplaced(t *testing.T) {
	t.Parallel()
	d, s := stack(t), openStore(t, t.TempDir(), Options{})
	stale := filepath.Join(prefixOf(t, s, d.byName["cmake"]), "read-only", "half")
	if err := os.MkdirAll(stale, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(stale), 0o555); err != nil {
		t.Fatal(err)
	}
	failures := s.dbPath("failures")
	mark := filepath.Join(failures, "cmake-"+string(d.byName["cmake"].Hash))
	if err := errors.Join(os.MkdirAll(failures, 0o755), os.WriteFile(mark, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(filepath.Dir(prefixOf(t, s, d.byName["cmake"])), ".tmp-"+string(d.byName["cmake"].Hash)+"-1")
	if err := os.MkdirAll(filepath.Join(work, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	mustInstall(t, s, d.packages("cmake"), d.options())
	for _, gone := range []string{stale, mark, work} {
		if _, err := os.Lstat(gone); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there", gone)
		}
	}
}

func TestARecordWithoutItsPrefixIsInstalledAgain(t *testing.T) {
	t.Parallel()
	d, s := stack(t), openStore(t, t.TempDir(), Options{})
	mustInstall(t, s, d.packages("lib", "right"), d.options())
	if err := os.RemoveAll(prefixOf(t, s, d.byName["lib"])); err != nil {
		t.Fatal(err)
	}
	installed, err := s.Installed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if installed[d.byName["lib"].Hash] != nil || installed[d.byName["right"].Hash] == nil {
		t.Error("lib counts as installed, or right does not")
	}
	result := mustInstall(t, s, d.packages("lib"), d.options())
	if len(result.Installed) != 1 {
		t.Errorf("%+v", result)
	}
	mustVerify(t, s)
}

func TestInstallSaysWhatItCannotDo(t *testing.T) {
	t.Parallel()
	old := newDAG(t)
	old.specfile = 4
	old.add("old")
	for name, c := range map[string]struct {
		opts    Options
		install func(*dag, *InstallOptions) []Package
		want    error
	}{
		"a dependency that is nowhere": {Options{}, func(d *dag, _ *InstallOptions) []Package { return d.packages("right") }, ErrNotInstalled},
		"a build dependency without spec": {Options{}, func(d *dag, o *InstallOptions) []Package {
			delete(o.Specs, d.byName["cmake"].Hash)
			return d.packages("lib")
		}, ErrMissingSpec},
		"a projection without hash": {Options{Projection: "{name}"}, func(d *dag, o *InstallOptions) []Package {
			other := newDAG(t)
			other.external("other", "/usr")
			other.add("lib", "other:build")
			o.Specs[other.byName["lib"].Hash], o.Specs[other.byName["other"].Hash] = other.byName["lib"], other.byName["other"]
			return append(d.packages("lib"), other.packages("lib")...)
		}, nil},
		"a projection onto the database": {Options{Projection: ".spack-db/{name}"}, func(d *dag, _ *InstallOptions) []Package { return d.packages("lib") }, nil},
		"a new spec for an old database": {Options{DatabaseVersion: 7}, func(d *dag, _ *InstallOptions) []Package { return d.packages("lib") }, ErrVersion},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, s := stack(t), openStore(t, t.TempDir(), c.opts)
			opts := d.options()
			packages := c.install(d, &opts)
			_, err := s.Install(t.Context(), packages, opts)
			var failed *InstallError
			if !errors.As(err, &failed) || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("got %v", err)
			}
			t.Log(err)
		})
	}
}

func TestADatabaseKeepsItsVersion(t *testing.T) {
	t.Parallel()
	old := newDAG(t)
	old.specfile = 4
	old.add("old")
	for version, want := range map[int]string{
		7: `"compiler":{"name":"gcc","version":"12.2.0"}`,
		8: `"annotations":{"original_specfile_version":4,"compiler":"gcc@=12.2.0"},"hash"`,
	} {
		root := t.TempDir()
		s := openStore(t, root, Options{DatabaseVersion: version})
		mustInstall(t, s, old.packages("old"), old.options())
		s = openStore(t, root, Options{})
		records, err := s.Records(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if records.Version != version {
			t.Errorf("version %d became %d", version, records.Version)
		}
		if got := string(records.Get(old.byName["old"].Hash).Spec.Raw); !contains(got, want) {
			t.Errorf("version %d: %s", version, got)
		}
	}
}

func TestCancelledInstallKeepsWhatIsDone(t *testing.T) {
	t.Parallel()
	d, s := stack(t), openStore(t, t.TempDir(), Options{})
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	opts := d.options()
	opts.Jobs = 1
	var count atomic.Int32
	opts.Fetch = func(ctx context.Context, s *spack.Spec) (io.ReadCloser, error) {
		if count.Add(1) == 3 {
			cancel(stopped)
			return nil, context.Cause(ctx)
		}
		return fetchToy(ctx, s)
	}
	result, err := s.Install(ctx, d.packages("lib", "left", "right", "top"), opts)
	if !errors.Is(err, stopped) || len(result.Installed) != 2 {
		t.Fatalf("%+v, %v", result, err)
	}
	mustVerify(t, s)
}

func TestOthersCanReadWhatIsInstalled(t *testing.T) {
	t.Parallel()
	d, s := stack(t), openStore(t, t.TempDir(), Options{})
	mustInstall(t, s, d.packages("lib"), d.options())
	prefix := prefixOf(t, s, d.byName["lib"])
	for path, want := range map[string]fs.FileMode{
		"":                          fs.ModeDir | fs.ModeSetgid | 0o755,
		"bin":                       fs.ModeDir | fs.ModeSetgid | 0o755,
		"bin/lib":                   0o755,
		".spack/spec.json":          0o644,
		".spack/install_times.json": 0o644,
	} {
		info, err := os.Stat(filepath.Join(prefix, path))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has %v, not %v", path, info.Mode(), want)
		}
	}
}

func TestReadOnlyTreesAreReadAndNotWritten(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	root := t.TempDir()
	d, s := stack(t), openStore(t, root, Options{})
	mustInstall(t, s, d.packages("lib"), d.options())
	for _, dir := range []string{s.dbPath(""), root} {
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
	}
	for _, file := range []string{"lock", "prefix_lock"} {
		if err := os.Chmod(s.dbPath(file), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	reader := openStore(t, root, Options{})
	if result := mustInstall(t, reader, d.packages("lib"), d.options()); len(result.Reused) != 1 {
		t.Errorf("%+v", result)
	}
	if _, err := reader.Install(t.Context(), d.packages("lib", "right"), d.options()); !errors.Is(err, ErrReadOnly) {
		t.Errorf("got %v", err)
	}
}
