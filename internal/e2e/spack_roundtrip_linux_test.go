package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// wantInstallable lets Spack install everything from a build cache of a machine,
// and runs it.
func (s *spackStack) wantInstallable(t testing.TB, m *machine) {
	t.Helper()
	s.installed(t, m.path("locks/toys.spack.lock"), "file://"+m.top("cache"))
}

// installed lets Spack install the toys from a build cache only, and gives the
// root of the tree.
func (s *spackStack) installed(t testing.TB, lock, mirror string) (root string) {
	t.Helper()
	root = filepath.Join(scratch(t), "tree")
	env := spackEnvironment(t, lock, "toy-all")
	s.run(t, root, mirror, "-e", env, "install", "--use-buildcache=only", "--only-concrete", "--no-add", "--no-check-signature")
	s.wantRuns(t, root)
	return root
}

var slashes = regexp.MustCompile("/+")

// wantRuns runs the programs of the toys in an install tree, and expects Spack
// to find all that is needed to run them there.
func (s *spackStack) wantRuns(t testing.TB, root string) {
	t.Helper()
	prefixes := map[string]string{}
	found := s.run(t, root, "", "find", "--format", "{name} {hash} {prefix}")
	for line := range strings.Lines(found) {
		if fields := strings.Fields(line); len(fields) == 3 {
			prefixes[fields[0]] = fields[2]
		}
	}
	for _, p := range neededToRun(s.lock) {
		if !strings.Contains(found, p.Name+" "+string(p.Hash)) {
			t.Errorf("spack find does not know %s:\n%s", p.ID(), found)
		}
	}
	app := prefixes["toy-app"]
	out, err := exec.Command(filepath.Join(app, "bin", "toy-app")).CombinedOutput()
	out = slashes.ReplaceAll(out, []byte("/")) // Spack fills up what was longer with slashes
	if want := "beta=42 word=generated config=" + prefixes["toy-paths"] + "/etc/toy/conf.d search=" + prefixes["toy-paths"] + "/share/one:"; err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("toy-app says %q (%v), want %q", out, err, want)
	}
	out, err = exec.Command(filepath.Join(prefixes["toy-scripts"], "bin", "run-hello")).CombinedOutput()
	if want := "hello from " + prefixes["toy-scripts"]; err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("run-hello says %q (%v), want %q", out, err, want)
	}
}

func testSpackReadsOurCache(t *testing.T, s *spackStack) {
	m := s.copy(t, withCache)
	root := s.installed(t, m.path("locks/toys.spack.lock"), "file://"+m.top("cache"))
	if s.layout == "v2" {
		return // 0.23 looks only for files that changed, and takes all that moved for that
	}
	args := []string{"verify", "libraries"}
	for _, p := range neededToRun(s.lock) {
		args = append(args, "/"+string(p.Hash))
	}
	s.run(t, root, "", args...)
}

func testSpacksCacheIsUsed(t *testing.T, s *spackStack) {
	m := s.copy(t, withCache)
	deep := filepath.Join(scratch(t), strings.Repeat("a-long-directory/", 4)+"tree")
	env := spackEnvironment(t, m.path("locks/toys.spack.lock"), "toy-all")
	s.run(t, deep, "file://"+m.top("cache"), "-e", env, "install", "--use-buildcache=only", "--only-concrete", "--no-add", "--no-check-signature")
	theirs := filepath.Join(scratch(t), "theirs")
	push := []string{"-e", env, "buildcache", "push", "--unsigned", "--update-index", "--only=package", "file://" + theirs}
	for _, p := range neededToRun(s.lock) {
		push = append(push, "/"+string(p.Hash))
	}
	s.run(t, deep, "file://"+theirs, push...)

	site := filepath.Join(scratch(t), "site")
	hcl := strings.Replace(s.blocks(), `"../cache"`, fmt.Sprintf("%q", theirs), 1) + s.environment("toys", "caches = [cache.buildcache.shared]", "toy-all") + fmt.Sprintf(`
target "filesystem" "site" {
  packages = [environment.toys]
  path     = %q
}
target "image" "toys" {
  packages   = [environment.toys]
  files      = { %s }
  entrypoint = ["${environment.toys.packages["toy-all"]}/../../bin/none"]
  publish    = ["oci:dist/toys:v1"]
}
`, site, libraries(t))
	m.write(map[string]string{"esd.hcl": strings.Replace(hcl, "layout = \""+s.layout+"\"", "push = false", 1)})
	m.env["PATH"] = "/nowhere"
	if done := m.apply(); len(done.completed("build")) != 0 {
		t.Errorf("%v were built", done.completed("build"))
	}
	m.wantNothingToDo()
	s.wantRuns(t, site)
	rootfs := unpackedImage(t, m.path("dist/toys"), "v1")
	programs, _ := filepath.Glob(filepath.Join(rootfs, "opt/software/*/*/bin/toy-app"))
	if more, _ := filepath.Glob(filepath.Join(rootfs, "opt/software/*/*/*/bin/toy-app")); len(more)+len(programs) != 1 {
		t.Fatalf("the image has %v", append(programs, more...))
	} else {
		programs = append(programs, more...)
	}
	need(t, "chroot")
	if os.Getuid() != 0 {
		t.Log("only root can run the program in the image")
		return
	}
	out, err := exec.Command("chroot", rootfs, strings.TrimPrefix(programs[0], rootfs)).CombinedOutput()
	out = slashes.ReplaceAll(out, []byte("/"))
	if err != nil || !strings.HasPrefix(string(out), "beta=42 word=generated config=/opt/software/") {
		t.Errorf("the program in the image says %q (%v)", out, err)
	}
}

// libraries are the C library of this machine as files of an image.
func libraries(t testing.TB) string {
	t.Helper()
	var list []string
	for target, host := range systemFiles(t, "/bin/ls") {
		list = append(list, fmt.Sprintf("%q = %q", target, host))
	}
	return strings.Join(list, ", ")
}

func testRegistry(t *testing.T, s *spackStack) {
	if s.layout != "v3" {
		t.Skip("Spack 0.23 takes a registry without TLS for a directory")
	}
	host := startDistribution(t, "")
	m := s.copy(t, withCache)
	registry := fmt.Sprintf("cache \"buildcache\" \"registry\" { url = \"oci+http://%s/esd/toys\" }\n", host)
	m.write(map[string]string{"esd.hcl": s.blocks() + registry + s.environment("toys", "caches = [cache.buildcache.shared, cache.buildcache.registry]", "toy-all")})
	done := m.apply()
	if built, pushed := done.completed("build"), short(done.completed("push")); len(built) != 0 || len(pushed) == 0 {
		t.Errorf("built %v, stored %v in the registry", built, pushed)
	}
	m.wantNothingToDo()
	for name, directory := range map[string]string{"with": "", "without": m.top("cache")} {
		if directory != "" {
			if err := os.RemoveAll(directory); err != nil {
				t.Fatal(err)
			}
			m.write(map[string]string{"esd.hcl": s.blocks() + registry + s.environment("toys", "caches = [cache.buildcache.registry]", "toy-all")})
		}
		if done := m.apply(); len(done.completed("build")) != 0 {
			t.Errorf("%s the directory, %v are built", name, done.completed("build"))
		}
		m.wantNothingToDo()
	}
	s.installed(t, m.path("locks/toys.spack.lock"), "oci+http://"+host+"/esd/toys")
}
