package filesystem_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"esd/internal/cli"
)

// asESD lets the program of the tests be esd.
const asESD = "ESD_TEST_AS_ESD"

func TestMain(m *testing.M) {
	if os.Getenv(asESD) != "" {
		os.Exit(cli.Main(os.Args[1:], cli.SystemIO()))
	}
	os.Exit(m.Run())
}

// lab is a real Spack with an environment of toys, and a padded cache of them
// that it made; all in the directory of the file that prepares a shell for it.
type lab struct{ variable, version, cache string }

func labs() map[string]lab {
	return map[string]lab{
		"Spack 1.x":  {"ESD_TEST_SPACK", "12", "v3-padded"},
		"Spack 0.23": {"ESD_TEST_SPACK_023", "023", "v2-padded"},
	}
}

// site is a configuration of a tree for the toys, in a directory of its own.
type site struct {
	testing.TB
	lab
	script, dir string
}

func (l lab) at(t testing.TB) *site {
	t.Helper()
	s := &site{TB: t, lab: l, script: os.Getenv(l.variable), dir: t.TempDir()}
	if s.script == "" {
		t.Skipf("%s names no file that prepares a shell for Spack", l.variable)
	}
	root := filepath.Dir(s.script)
	if err := os.CopyFS(s.path("toys"), os.DirFS(filepath.Join(root, "env-toy"+l.version))); err != nil {
		t.Skipf("the lab has no environment of toys: %v", err)
	}
	s.write("main.hcl", fmt.Sprintf(`
cache "buildcache" "lab" {
  url  = %q
  push = false
}
environment "toys" {
  from   = "toys"
  caches = [cache.buildcache.lab]
}
target "filesystem" "site" {
  packages = [environment.toys]
  path     = "tree"
}
`, filepath.Join(root, "caches", l.cache)))
	s.esd("lock", "--adopt", "--auto-approve")
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

func (s *site) write(name, content string) {
	s.Helper()
	if err := writeFile(s.path(name), content); err != nil {
		s.Fatal(err)
	}
}

// esd runs a command of esd, and gives the processor time that it took.
func (s *site) esd(arguments ...string) time.Duration {
	s.Helper()
	cmd := exec.Command(os.Args[0], arguments...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), asESD+"=1", "NO_COLOR=1")
	_, spent := s.run(cmd)
	return spent
}

// spack runs a command of Spack, with configuration of its own.
func (s *site) spack(arguments ...string) (string, time.Duration) {
	s.Helper()
	return s.run(exec.Command("bash", append([]string{"-c", `. "$0" && exec spack "$@"`, s.script, "-C", s.path("scope")}, arguments...)...))
}

func (s *site) run(cmd *exec.Cmd) (string, time.Duration) {
	s.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		s.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String(), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// found lists what Spack finds installed: names of packages.
func (s *site) found(arguments ...string) []string {
	s.Helper()
	var list []struct{ Name string }
	out, _ := s.spack(append([]string{"find", "--json"}, arguments...)...)
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		s.Fatalf("%v: %s", err, out)
	}
	names := []string{}
	for _, e := range list {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return names
}

func TestATreeIsAnUpstreamOfSpack(t *testing.T) {
	t.Parallel()
	for name, l := range labs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := l.at(t)
			s.esd("apply", "--auto-approve")
			s.write("scope/config.yaml", fmt.Sprintf("config:\n  install_tree:\n    root: %s\n", s.path("own")))
			s.write("scope/upstreams.yaml", fmt.Sprintf("upstreams:\n  site:\n    install_tree: %s\n", s.path("tree")))
			found := s.found()
			for _, name := range []string{"esd-app", "esd-bundle", "esd-conf", "esd-leaf00", "esd-leaf11", "esd-zed"} {
				if !slices.Contains(found, name) {
					t.Errorf("Spack does not find %s: %v", name, found)
				}
			}
			if diff := cmp.Diff([]string{"esd-bundle"}, s.found("--explicit")); diff != "" {
				t.Error(diff)
			}
			// A dependent of what the tree has: it is removed from there, and Spack
			// builds it into its own tree, with what the upstream has.
			out, _ := s.spack("-e", s.path("toys"), "find", "--json", "esd-bundle")
			var bundle []struct{ Hash string }
			if err := json.Unmarshal([]byte(out), &bundle); err != nil || len(bundle) != 1 {
				t.Fatal(out, err)
			}
			s.write("scope/upstreams.yaml", "")
			s.write("scope/config.yaml", fmt.Sprintf("config:\n  install_tree:\n    root: %s\n", s.path("tree")))
			s.spack("uninstall", "-y", "/"+bundle[0].Hash)
			s.write("scope/config.yaml", fmt.Sprintf("config:\n  install_tree:\n    root: %s\n", s.path("own")))
			s.write("scope/upstreams.yaml", fmt.Sprintf("upstreams:\n  site:\n    install_tree: %s\n", s.path("tree")))
			s.spack("-e", s.path("toys"), "install", "--only-concrete", "--no-add", "--no-cache")
			own, err := filepath.Glob(s.path("own/*/esd-*"))
			if err != nil || l.version == "023" {
				own, _ = filepath.Glob(s.path("own/*/*/esd-*"))
			}
			for _, dir := range own {
				if name := filepath.Base(dir); !strings.HasPrefix(name, "esd-bundle-") {
					t.Errorf("Spack has built %s, which the upstream has", name)
				}
			}
			if len(own) != 1 {
				t.Errorf("Spack has built %v", own)
			}
			// And what Spack took out of the tree is seen, and comes back.
			s.esd("apply", "--auto-approve")
			s.esd("plan", "--detailed-exitcode")
			s.esd("destroy", "--auto-approve")
			if _, err := os.Stat(s.path("tree")); err == nil {
				t.Error("something is left of the tree")
			}
		})
	}
}

func TestSpackWorksOnATreeAsOnItsOwn(t *testing.T) {
	t.Parallel()
	for name, l := range labs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := l.at(t)
			s.esd("apply", "--auto-approve")
			s.write("scope/config.yaml", fmt.Sprintf("config:\n  install_tree:\n    root: %s\n", s.path("tree")))
			s.spack("reindex") // Spack finds the same when it looks for itself
			s.esd("plan", "--detailed-exitcode")
			s.spack("-e", s.path("toys"), "install", "--only-concrete", "--no-add", "--no-cache") // nothing to do but build dependencies
			s.esd("plan", "--detailed-exitcode")
			s.esd("destroy", "--auto-approve")
			for _, name := range s.found() {
				if strings.HasPrefix(name, "esd-") && name != "esd-gen" {
					t.Errorf("%s is left", name)
				}
			}
		})
	}
}

// BenchmarkInstallingToys compares whole processes: esd apply, and Spack that
// installs from the same cache.
func BenchmarkInstallingToys(b *testing.B) {
	for name, l := range labs() {
		b.Run(name+"/esd apply", func(b *testing.B) {
			s := l.at(b)
			s.measure(b, func() time.Duration { return s.esd("apply", "--auto-approve") }, "tree", ".esd")
		})
		b.Run(name+"/esd apply of nothing", func(b *testing.B) {
			s := l.at(b)
			s.esd("apply", "--auto-approve")
			s.measure(b, func() time.Duration { return s.esd("apply", "--auto-approve") })
		})
		b.Run(name+"/spack install --cache-only", func(b *testing.B) {
			s := l.at(b)
			s.write("scope/config.yaml", fmt.Sprintf("config:\n  install_tree:\n    root: %s\n", s.path("own")))
			s.write("scope/mirrors.yaml", fmt.Sprintf("mirrors:\n  toys:\n    url: file://%s/caches/%s\n    signed: false\n", filepath.Dir(s.script), l.cache))
			s.measure(b, func() time.Duration {
				_, spent := s.spack("-e", s.path("toys"), "install", "--cache-only", "--only-concrete", "--no-add")
				return spent
			}, "own")
		})
	}
}

// measure reports the processor time of what f runs; what it made is removed.
func (s *site) measure(b *testing.B, f func() time.Duration, made ...string) {
	b.Helper()
	var spent time.Duration
	for b.Loop() {
		spent += f()
		b.StopTimer()
		for _, name := range made {
			if err := os.RemoveAll(s.path(name)); err != nil {
				b.Fatal(err)
			}
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(spent.Milliseconds())/float64(b.N), "cpu-ms/op")
}
