package command

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"esd/internal/spack"
	"esd/internal/spack/lockfile"
	"esd/internal/spack/testrepo"
)

// generations are the Spacks that tests can use, by the variables that name a
// file to source.
var generations = map[string]struct {
	variable string
	api      testrepo.API
}{
	"Spack 1.x":  {"ESD_TEST_SPACK", testrepo.V2},
	"Spack 0.23": {"ESD_TEST_SPACK_023", testrepo.V1},
}

// lab is a real Spack with the toy repository, and a lock of all toys.
type lab struct {
	*Instance
	found    *Spack
	settings Settings
	repo     *testrepo.Repo
	warm     string // what Spack learned of recipes
	lock     []byte
	hashes   map[string]string // by package name
	order    []string          // hashes of what is not external, dependencies first
}

// labs are shared by all tests: concretizing is what takes long.
var labs struct {
	sync.Mutex
	dir  string
	made map[string]*lab
}

func TestMain(m *testing.M) {
	code := m.Run()
	if labs.dir != "" {
		_ = os.RemoveAll(labs.dir)
	}
	os.Exit(code)
}

// eachSpack runs a test with every Spack that there is, each with a store and a
// stage of its own.
func eachSpack(t *testing.T, test func(*testing.T, *lab)) {
	t.Helper()
	for name, g := range generations {
		t.Run(name, func(t *testing.T) {
			file := os.Getenv(g.variable)
			if file == "" {
				t.Skipf("%s names no file to source for a real Spack", g.variable)
			}
			l := *sharedLab(t, file, g.api)
			dir := t.TempDir()
			l.settings.Dir, l.settings.Store.Root = filepath.Join(dir, "spack"), filepath.Join(dir, "store")
			l.renew(t)
			test(t, &l)
		})
	}
}

func sharedLab(t *testing.T, file string, api testrepo.API) *lab {
	t.Helper()
	labs.Lock()
	defer labs.Unlock()
	if labs.made[file] != nil {
		return labs.made[file]
	}
	if labs.dir == "" {
		dir, err := os.MkdirTemp("", "spack-command-test-")
		if err != nil {
			t.Fatal(err)
		}
		labs.dir, labs.made = dir, map[string]*lab{}
	}
	l := newLab(t, file, filepath.Join(labs.dir, strconv.Itoa(int(api))), api)
	labs.made[file] = l
	return l
}

// newLab takes compilers and externals from the configuration of the given
// Spack, and what it learned of the recipes.
func newLab(t *testing.T, file, dir string, api testrepo.API) *lab {
	t.Helper()
	vars := source(t, file)
	_, err := exec.LookPath("git")
	repo, err := testrepo.Write(dir, testrepo.Options{API: api, Git: err == nil, SlowSeconds: 60})
	if err != nil {
		t.Fatal(err)
	}
	found, err := Find(t.Context(), Location{Path: vars["SPACK_ROOT"]})
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{repo: repo, found: found, warm: vars["SPACK_USER_CACHE_PATH"]}
	l.settings = Settings{
		Dir: filepath.Join(dir, "spack"), Store: Store{Root: filepath.Join(dir, "store")},
		Repositories: repositories(t, vars["SPACK_USER_CONFIG_PATH"], repo, found),
		Python:       vars["SPACK_PYTHON"], Env: []string{"PYTHONPATH=" + vars["PYTHONPATH"]},
		Files: map[string][]byte{},
		Config: map[string]any{"bootstrap": map[string]any{"enable": true, "root": filepath.Join(dir, "bootstrap"),
			"sources:": []string{}, "trusted:": map[string]any{}}},
	}
	for _, name := range []string{"packages.yaml", "linux/compilers.yaml"} {
		if text, err := os.ReadFile(filepath.Join(vars["SPACK_USER_CONFIG_PATH"], name)); err == nil {
			l.settings.Files[name] = text
		}
	}
	l.renew(t)
	l.concretize(t)
	l.warm = l.CachePath()
	return l
}

// renew makes the instance anew after a change of settings.
func (l *lab) renew(t *testing.T) {
	t.Helper()
	i, err := New(l.found, l.settings)
	if err != nil {
		t.Fatal(err)
	}
	l.Instance = i
	if err := os.CopyFS(filepath.Join(i.CachePath(), "cache"), os.DirFS(filepath.Join(l.warm, "cache"))); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Logf("starting with an empty cache: %v", err)
	}
}

func (l *lab) concretize(t *testing.T) {
	t.Helper()
	lock, err := l.Concretize(t.Context(), ConcretizeRequest{Specs: l.repo.Packages, Timeout: 10 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := lockfile.Parse(lock)
	if err != nil {
		t.Fatal(err)
	}
	l.lock, l.hashes = lock, map[string]string{}
	seen := map[spack.Hash]bool{}
	var visit func(h spack.Hash)
	visit = func(h spack.Hash) {
		n := parsed.Specs[h]
		if seen[h] || n.IsExternal() {
			return
		}
		seen[h] = true
		for _, d := range n.Dependencies {
			visit(d.Hash)
		}
		l.hashes[n.Name] = string(h)
		l.order = append(l.order, string(h))
	}
	for _, r := range parsed.Roots {
		visit(r.Hash)
	}
}

// needs are the hashes of a package and all that it needs, dependencies first.
func (l *lab) needs(t *testing.T, name string) []string {
	t.Helper()
	doc, err := readLock(l.lock)
	if err != nil {
		t.Fatal(err)
	}
	_, nodes, err := doc.part(spack.Hash(l.hashes[name]))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(slices.Clone(l.order), func(h string) bool { _, ok := nodes[h]; return !ok })
}

func (l *lab) build(t *testing.T, hashes ...string) {
	t.Helper()
	for _, h := range hashes {
		if _, err := l.Build(t.Context(), BuildRequest{Lock: l.lock, Hash: spack.Hash(h), Jobs: 1, Timeout: 5 * time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
}

// repositories are the toys and, for 1.x, the repository that has the build systems.
func repositories(t *testing.T, config string, toys *testrepo.Repo, s *Spack) []Repository {
	t.Helper()
	all := []Repository{{testrepo.Namespace, toys.Path}}
	if !s.Version.HasPackageRepositories() {
		return append(all, Repository{"builtin", filepath.Join(s.Root, "var/spack/repos/builtin")})
	}
	text, err := os.ReadFile(filepath.Join(config, "repos.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for word := range strings.FieldsFuncSeq(string(text), func(r rune) bool { return strings.ContainsRune(" {},\n\"'", r) }) {
		if strings.HasSuffix(word, "/builtin") {
			return append(all, Repository{"builtin", word})
		}
	}
	t.Fatalf("%s/repos.yaml does not name the builtin repository", config)
	return nil
}

// source runs a shell file and reads the variables that it sets.
func source(t *testing.T, file string) map[string]string {
	t.Helper()
	out, err := exec.Command("sh", "-c", `. "$0" && env -0`, file).Output()
	if err != nil {
		t.Fatalf("sourcing %s: %v", file, err)
	}
	vars := map[string]string{}
	for e := range strings.SplitSeq(string(out), "\x00") {
		name, value, _ := strings.Cut(e, "=")
		vars[name] = value
	}
	return vars
}

func TestRealBuildsOnePackageAfterTheOther(t *testing.T) {
	eachSpack(t, func(t *testing.T, l *lab) {
		for _, h := range l.needs(t, "toy-all") {
			var kinds []EventKind
			r := BuildRequest{Lock: l.lock, Hash: spack.Hash(h), Jobs: 1, Keep: t.TempDir(), Events: func(e Event) { kinds = append(kinds, e.Kind) }}
			result, err := l.Build(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(kinds, Started) || !slices.Contains(kinds, Phase) || !slices.Contains(kinds, Installed) || result.Present {
				t.Errorf("events are %v, present %v", kinds, result.Present)
			}
			if log, err := os.ReadFile(result.BuildLog); err != nil || !strings.Contains(string(log), "Executing phase: 'install'") {
				t.Errorf("the build log has no phase (%v):\n%s", err, log)
			}
			if again, err := l.Build(t.Context(), r); err != nil || !again.Present || again.Prefix != result.Prefix {
				t.Errorf("a second time: %+v, %v", again, err)
			}
		}
		prefix, err := l.installedPrefix(spack.Hash(l.hashes["toy-app"]))
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(filepath.Join(prefix, "bin", "toy-app")).Output()
		if want := "beta=42 word=generated config="; err != nil || !strings.HasPrefix(string(out), want) {
			t.Errorf("toy-app says %q (%v)", out, err)
		}
	})
}

func TestRealFailuresAreToldApart(t *testing.T) {
	eachSpack(t, func(t *testing.T, l *lab) {
		request := func(name string) BuildRequest {
			return BuildRequest{Lock: l.lock, Hash: spack.Hash(l.hashes[name]), Keep: t.TempDir(), KeepStage: true}
		}
		if _, err := l.Build(t.Context(), request("toy-leaf0")); !errors.Is(err, ErrMissingDependency) {
			t.Errorf("without its dependencies: %v", err)
		}
		needed := l.needs(t, "toy-fail")
		l.build(t, needed[:len(needed)-1]...)
		_, err := l.Build(t.Context(), request("toy-fail"))
		var failed *RunError
		if !errors.Is(err, ErrBuildFailed) || !errors.As(err, &failed) {
			t.Fatalf("a package that cannot be built: %v", err)
		}
		log, err := os.ReadFile(failed.BuildLog)
		if err != nil || !strings.Contains(string(log), "meant to fail") || !strings.Contains(failed.Said, "meant to fail") {
			t.Errorf("the reason is not in the build log (%v) or not in the error:\n%s\n%v", err, log, failed)
		}
		if _, err := os.Stat(filepath.Join(failed.Stage, "spack-src", "install.sh")); err != nil {
			t.Errorf("the stage was not kept: %v", err)
		}
	})
}
