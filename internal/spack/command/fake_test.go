package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack"
)

const (
	libHash = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2"
	appHash = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb3"
)

// fakeLock has an application, the library that it links, and one more root.
const fakeLock = `{"_meta":{"file-type":"spack-lockfile","lockfile-version":6,"specfile-version":5},"spack":{"version":"1.2.0"},` +
	`"roots":[{"hash":"` + appHash + `","spec":"app"},{"hash":"ccccccccccccccccccccccccccccccc4","spec":"other"}],"concrete_specs":{` +
	`"` + appHash + `":{"name":"app","version":"1.0","dependencies":[{"name":"lib","hash":"` + libHash + `","parameters":{"deptypes":["link"],"virtuals":[]}}],"hash":"` + appHash + `"},` +
	`"` + libHash + `":{"name":"lib","version":"2.0","hash":"` + libHash + `"},` +
	`"ccccccccccccccccccccccccccccccc4":{"name":"other","version":"3.0","hash":"ccccccccccccccccccccccccccccccc4"}}}`

// fakeSpack makes a directory that looks like a Spack whose program is a shell
// script.
func fakeSpack(t *testing.T, version, script string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"lib/spack/spack/__init__.py":      "import os\n__version__ = \"" + version + "\"\n",
		"lib/spack/spack/schema/config.py": "\"installer\"",
		"bin/spack":                        "#!/bin/sh\n" + script + "\n",
	} {
		if err := writeFile(filepath.Join(root, name), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(root, "bin", "spack"), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

func fakeInstance(t *testing.T, script string) *Instance {
	t.Helper()
	s, err := Find(t.Context(), Location{Path: fakeSpack(t, "1.2.0", script)})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	i, err := New(s, Settings{Dir: filepath.Join(dir, "spack"), Store: Store{Root: filepath.Join(dir, "store")}})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// record makes the store say that the application is installed.
func record(t *testing.T, i *Instance) {
	t.Helper()
	prefix := filepath.Join(i.settings.Store.Root, "app")
	text := fmt.Sprintf(`{"database":{"version":"8","installs":{%q:{"path":%q,"installed":true}}}}`, appHash, prefix)
	if err := writeFile(filepath.Join(i.settings.Store.Root, ".spack-db", "index.json"), []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestFaultsOfSpackAreToldApart(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		script string
		change func(*BuildRequest)
		want   error
		says   string
	}{
		"an error of the build": {
			script: `echo "==> app: Executing phase: 'build'"; echo "==> Error: ProcessError: Command exited with status 2:" >&2; exit 1`,
			want:   ErrBuildFailed, says: "exited with status 2"},
		"a dependency that is missing": {
			script: `echo "==> Error: Cannot proceed with app-1.0: 1 uninstalled dependency: lib-2.0"; exit 1`, want: ErrMissingDependency},
		"a source that cannot be had": {
			script: `echo "==> Error: FetchError: All fetchers failed for spack-stage-app"; exit 1`, want: ErrFetch},
		"a source that is another one": {
			script: `echo "==> Error: ChecksumError: sha256 checksum failed for /x"; exit 1`, want: ErrFetch},
		"a recipe that is missing": {
			script: `echo "==> Error: UnknownPackageError: Package 'app' not found."; exit 1`, want: ErrUnknownPackage},
		"a store that others hold": {
			script: `echo "==> Error: LockTimeoutError: Timed out waiting for a write lock after 600.000s"; exit 1`, want: ErrStoreBusy},
		"an exception in Spack": {
			script: `echo 'Traceback (most recent call last):'; echo 'AssertionError'; exit 3`, want: ErrCrashed, says: "AssertionError"},
		"a compiler that the kernel killed": {
			script: `echo "==> Error: ProcessError: Command exited with status 2:"; echo "  >> 7 c++: fatal error: Killed signal terminated program cc1plus"; exit 1`, want: ErrOutOfMemory},
		"a shell that was killed":         {script: `exit 137`, want: ErrOutOfMemory},
		"Spack killed by the kernel":      {script: `kill -9 $$`, want: ErrOutOfMemory},
		"Spack terminated by somebody":    {script: `kill -15 $$`, want: ErrKilled},
		"too slow a build":                {script: `sleep 60`, change: func(r *BuildRequest) { r.Timeout = 200 * time.Millisecond }, want: ErrTimeout},
		"one that hangs":                  {script: `echo begin; sleep 60`, change: func(r *BuildRequest) { r.Silence = 300 * time.Millisecond }, want: ErrSilent},
		"one that hangs and will not end": {script: `trap '' TERM; sleep 60 & wait; sleep 60`, change: func(r *BuildRequest) { r.Timeout = 200 * time.Millisecond; r.Grace = 100 * time.Millisecond }, want: ErrTimeout},
		"success without a package":       {script: `head -c 300000 /dev/urandom; exit 0`, want: ErrNotInstalled},
		"an unknown exit code":            {script: `exit 99`, want: ErrCrashed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := BuildRequest{Lock: []byte(fakeLock), Hash: appHash, Keep: t.TempDir()}
			if test.change != nil {
				test.change(&r)
			}
			i := fakeInstance(t, test.script)
			_, err := i.Build(t.Context(), r)
			var failed *RunError
			if !errors.Is(err, test.want) || !errors.As(err, &failed) {
				t.Fatalf("error is %v, want %v", err, test.want)
			}
			if !strings.Contains(err.Error(), "app-1.0") || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error does not say which package, or not %q: %v", test.says, err)
			}
			if left, _ := os.ReadDir(i.work()); len(left) > 0 {
				t.Errorf("%s is left", left[0].Name())
			}
		})
	}
}

func TestTheCallersReasonToEndIsTheError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	time.AfterFunc(200*time.Millisecond, func() { cancel(enough) })
	_, err := fakeInstance(t, `sleep 60`).Build(ctx, BuildRequest{Lock: []byte(fakeLock), Hash: appHash})
	if !errors.Is(err, enough) {
		t.Error(err)
	}
}

func TestSpackSeesItsOwnConfigurationAndNothingOfTheUser(t *testing.T) {
	t.Setenv("LD_LIBRARY_PATH", "/somewhere")
	t.Setenv("SPACK_ENV", "/other")
	t.Setenv("CI_JOB_TOKEN", "geheim")
	i := fakeInstance(t, `env; echo "arguments: $*"; cat spack.yaml spack.lock; cat "$2"/*.yaml`)
	record(t, i)
	var out strings.Builder
	if _, err := i.Build(t.Context(), BuildRequest{Lock: []byte(fakeLock), Hash: appHash, Jobs: 3, Output: &out}); err != nil {
		t.Fatal(err)
	}
	said := out.String()
	for _, want := range []string{"SPACK_USER_CONFIG_PATH=" + i.scope, "SPACK_USER_CACHE_PATH=" + i.CachePath(), "HOME=" + i.home(),
		"install --verbose --only-concrete --only=package --no-add --use-buildcache=never --jobs=3 /" + appHash,
		`"view":false`, `"installer":"old"`, `{"mirrors:":{}}`, libHash} {
		if !strings.Contains(said, want) {
			t.Errorf("no %s in\n%s", want, said)
		}
	}
	for _, bad := range []string{"LD_LIBRARY_PATH", "SPACK_ENV", "geheim", `"name":"other"`} {
		if strings.Contains(said, bad) {
			t.Errorf("%s came through", bad)
		}
	}
}

func TestBadRequestsStartNothing(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]BuildRequest{
		"a hash that is none":          {Lock: []byte(fakeLock), Hash: "../../etc"},
		"a package that is not there":  {Lock: []byte(fakeLock), Hash: "ddddddddddddddddddddddddddddddd5"},
		"a lock that is cut":           {Lock: []byte(fakeLock[:len(fakeLock)/2]), Hash: appHash},
		"a lock without its libraries": {Lock: []byte(strings.Replace(fakeLock, `"`+libHash+`":{`, `"x":{`, 1)), Hash: appHash},
		"no lock":                      {Hash: appHash},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := fakeInstance(t, `exit 0`)
			i.settings.Run = func(context.Context, Command) (Exit, error) { t.Error("Spack was started"); return Exit{}, nil }
			if _, err := i.Build(t.Context(), r); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestFindRefusesWhatIsNoUsableSpack(t *testing.T) {
	for name, test := range map[string]struct {
		where func(t *testing.T) Location
		want  error
	}{
		"a directory without Spack": {func(t *testing.T) Location { return Location{Path: t.TempDir()} }, ErrNotFound},
		"a path that is not there":  {func(*testing.T) Location { return Location{Path: "/nowhere/at/all"} }, ErrNotFound},
		"none on the PATH":          {func(t *testing.T) Location { t.Setenv("PATH", t.TempDir()); return Location{} }, ErrNotFound},
		"an old one":                {func(t *testing.T) Location { return Location{Path: fakeSpack(t, "0.22.3", "")} }, ErrTooOld},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Find(t.Context(), test.where(t)); !errors.Is(err, test.want) {
				t.Errorf("error is %v, want %v", err, test.want)
			}
		})
	}
	for version, want := range map[string]Version{"0.23.0": {0, 23, 0, "0.23.0"}, "1.2.0.dev0": {1, 2, 0, "1.2.0.dev0"}} {
		root := fakeSpack(t, version, "")
		t.Setenv("PATH", filepath.Join(root, "bin")+":"+os.Getenv("PATH"))
		s, err := Find(t.Context(), Location{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, s.Version); diff != "" || s.Root != root {
			t.Errorf("%s: %s", s.Root, diff)
		}
	}
}

func TestConcretizingLeavesViewsAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ manifest, want string }{
		"one at a path":       {"spack:\n  specs: [zlib@1.10]\n  view: /opt/view\n", "view: false"},
		"several":             {"spack:\n  view:\n    default:\n      root: /opt/view\n  specs:\n  - zlib@1.10\n", "view: false"},
		"none":                {"spack:\n  specs: [zlib@1.10]\n", "specs: [zlib@1.10]"},
		"one in JSON":         {`{"spack":{"specs":["zlib@1.10"],"view":"/opt/view"}}`, "false"},
		"one with a comment":  {"# mine\nspack:\n  view: true # all\n  specs: [zlib@1.10]\n", "view: false"},
		"a version as number": {"spack:\n  view: true\n  packages:\n    zlib:\n      version: [1.10]\n", "[1.10]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := withoutView([]byte(test.manifest))
			if err != nil || !strings.Contains(string(got), test.want) || strings.Contains(string(got), "/opt/view") {
				t.Errorf("manifest is %q (%v)", got, err)
			}
		})
	}
	for _, bad := range []string{"", "specs: []", "spack: [", "a: 1\n---\nb: 2\n"} {
		if _, err := withoutView([]byte(bad)); err == nil {
			t.Errorf("%q was taken for a spack.yaml", bad)
		}
	}
}

func TestTheSameSettingsGiveTheSameConfiguration(t *testing.T) {
	t.Parallel()
	root, dir := fakeSpack(t, "1.2.0", ""), t.TempDir()
	s, err := Find(t.Context(), Location{Path: root})
	if err != nil {
		t.Fatal(err)
	}
	settings := Settings{Dir: dir, Store: Store{Root: dir + "/store", PaddedLength: 256, Projections: map[string]string{"all": "{name}-{hash}", "zlib": "z/{hash}"}},
		Repositories: []Repository{{"mine", "/repos/mine"}, {"builtin", "/repos/builtin"}},
		Mirrors:      []Mirror{{Name: "m", URL: "https://m.example.org", Source: true, IDVariable: "M_USER", PasswordVariable: "M_PASSWORD"}},
		Config:       map[string]any{"packages": map[string]any{"b": 1, "a": 2}}}
	first, err := New(s, settings)
	if err != nil {
		t.Fatal(err)
	}
	second, err := New(s, settings)
	if err != nil {
		t.Fatal(err)
	}
	if first.scope != second.scope || first.override != second.override || first.cache != second.cache {
		t.Error("two instances have two configurations")
	}
	for name, want := range map[string]string{
		first.override + "/repos.yaml":   `{"repos:":{"mine":"/repos/mine","builtin":"/repos/builtin"}}`,
		first.override + "/mirrors.yaml": `{"mirrors:":{"m":{"url":"https://m.example.org","source":true,"binary":false,"signed":false,"access_pair":{"id_variable":"M_USER","secret_variable":"M_PASSWORD"}}}}`,
		first.scope + "/packages.yaml":   `{"packages":{"a":2,"b":1}}`,
	} {
		if text, err := os.ReadFile(name); err != nil || string(text) != want {
			t.Errorf("%s is %s (%v)", filepath.Base(name), text, err)
		}
	}
	settings.Files = map[string][]byte{"../../x.yaml": nil}
	if _, err := New(s, settings); err == nil {
		t.Error("a file outside the scope was taken")
	}
}

func TestRootsArePaddedAsSpackDoes(t *testing.T) {
	t.Parallel()
	for length, want := range map[int]string{0: "/opt/s", 6: "/opt/s", 7: "/opt/s", 8: "/opt/s/_", 33: "/opt/s/__spack_path_placeholder__",
		34: "/opt/s/__spack_path_placeholder___", 36: "/opt/s/__spack_path_placeholder__/__"} {
		if got := PaddedRoot(Store{Root: "/opt/s", PaddedLength: length}); got != want {
			t.Errorf("padded to %d: %s", length, got)
		}
	}
}

func TestPartOfALockHasWhatAPackageReaches(t *testing.T) {
	t.Parallel()
	lock, err := readLock([]byte(fakeLock))
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := lock.part(spack.Hash(appHash))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Roots []lockRoot                 `json:"roots"`
		Specs map[string]json.RawMessage `json:"concrete_specs"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]lockRoot{{appHash, "app@=1.0"}}, got.Roots); diff != "" || len(got.Specs) != 2 {
		t.Errorf("%d specs, %s", len(got.Specs), diff)
	}
}

func FuzzParseLine(f *testing.F) {
	for _, line := range []string{"==> app: Executing phase: 'build'", "[+] /opt/x", "  Stage: 0.24s.  Build: 1m 2.50s.  Total: 1h 0m 3.73s",
		"==> Installing app-1.0-abc [24/25]", "==> Fetching https://x", "==> Applied patch x.patch", "==> Error: no"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if e, ok := parseLine(line); ok && e.Kind == "" {
			t.Errorf("%q is an event of no kind", line)
		}
	})
}

func FuzzPartOfLock(f *testing.F) {
	f.Add([]byte(fakeLock))
	f.Add([]byte(`{"_meta":{},"roots":[],"concrete_specs":{},"include_concrete":{"x":{}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		lock, err := readLock(data)
		if err != nil {
			return
		}
		if text, _, err := lock.part(appHash); err == nil && !json.Valid(text) {
			t.Errorf("not JSON: %q", text)
		}
	})
}
