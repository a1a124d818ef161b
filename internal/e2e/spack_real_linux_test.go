package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"esd/internal/spack/testrepo"
)

// realSpack is a Spack of this machine that concretizes and builds toys. Its
// compilers and what the system provides are those of the configuration that
// the file to source names.
type realSpack struct {
	vars   map[string]string // what the file sets
	api    testrepo.API
	layout string // of the build caches that this generation makes
}

// eachRealSpack runs a test with every generation that this machine has.
func eachRealSpack(t *testing.T, test func(t *testing.T, s realSpack)) {
	t.Helper()
	for name, g := range map[string]struct {
		variable string
		realSpack
	}{
		"Spack 1.x":  {"ESD_TEST_SPACK", realSpack{api: testrepo.V2, layout: "v3"}},
		"Spack 0.23": {"ESD_TEST_SPACK_023", realSpack{api: testrepo.V1, layout: "v2"}},
	} {
		t.Run(name, func(t *testing.T) {
			file := os.Getenv(g.variable)
			if file == "" {
				t.Skipf("%s names no file to source for a real Spack", g.variable)
			}
			t.Parallel()
			g.vars = sourced(t, file)
			test(t, g.realSpack)
		})
	}
}

// sourced are the variables that a shell has after it read a file.
func sourced(t testing.TB, file string) map[string]string {
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

// blocks are the Spack, the build cache "shared" and the mirror "mirror" of a
// machine on which the parts of a stack are beside the configuration.
func (s realSpack) blocks() string {
	return fmt.Sprintf(`spack "lab" {
  path   = %q
  python = %q
  env    = { PYTHONPATH = %q }
  package_repository "toys" { path = "../%s" }
  package_repository "builtin" { path = "../%s" }
}
cache "buildcache" "shared" {
  url    = "../cache"
  layout = %q
}
cache "sources" "mirror" { url = "../mirror" }
locals {
  config = merge(%s, {
    packages  = merge(yamldecode(file("packages.yaml")).packages, { all = { require = "target=x86_64" } })
    bootstrap = { enable = false }
  })
}
`, s.vars["SPACK_ROOT"], s.vars["SPACK_PYTHON"], s.vars["PYTHONPATH"], s.toys(), s.builtin(), s.layout, s.compilers())
}

// toys and builtin are the directories of the package repositories.
func (s realSpack) toys() string    { return s.repository("toys", testrepo.Namespace) }
func (s realSpack) builtin() string { return s.repository("builtin", "builtin") }

func (s realSpack) repository(top, name string) string {
	if s.api == testrepo.V1 {
		return filepath.Join(top, "repo", name)
	}
	return filepath.Join(top, "repo", "spack_repo", name)
}

func (s realSpack) compilers() string {
	if s.api == testrepo.V1 {
		return `yamldecode(file("compilers.yaml"))`
	}
	return "{}"
}

// environment is a block with the toys that are asked for.
func (s realSpack) environment(name, attributes string, specs ...string) string {
	return fmt.Sprintf("environment %q {\n  spack  = spack.lab\n  specs  = [%s]\n  config = local.config\n  %s\n}\n", name, quoted(specs), attributes)
}

const withBoth = "caches = [cache.buildcache.shared, cache.sources.mirror]"

func quoted(list []string) string {
	var b []string
	for _, s := range list {
		b = append(b, fmt.Sprintf("%q", s))
	}
	return strings.Join(b, ", ")
}

// writeBuiltin writes the few packages that toys need besides themselves. With
// all of Spack's recipes, each concretization takes ten times as long.
func (s realSpack) writeBuiltin(t testing.TB, dir string) {
	t.Helper()
	to := filepath.Join(dir, s.builtin())
	if s.api == testrepo.V1 {
		from := filepath.Join(s.vars["SPACK_ROOT"], "var", "spack", "repos", "builtin", "packages", "gcc-runtime")
		copyTree(t, from, filepath.Join(to, "packages", "gcc-runtime"))
		writeTree(t, to, map[string]string{
			"repo.yaml":                 "repo:\n  namespace: builtin\n",
			"packages/glibc/package.py": provided("Glibc", "2.36", "    tags = [\"runtime\"]\n    provides(\"libc\")\n"),
			"packages/gmake/package.py": provided("Gmake", "4.3", ""),
		})
		return
	}
	from := s.fullBuiltin(t)
	for _, name := range []string{"__init__.py", "repo.yaml"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		writeTree(t, to, map[string]string{name: string(text)})
	}
	writeTree(t, to, map[string]string{"packages/__init__.py": ""})
	copyTree(t, filepath.Join(from, "build_systems"), filepath.Join(to, "build_systems"))
	for _, name := range []string{"compiler_wrapper", "gcc", "gcc_runtime", "glibc", "gmake", "binutils", "elfutils", "libarchive", "mbedtls"} {
		copyTree(t, filepath.Join(from, "packages", name), filepath.Join(to, "packages", name))
	}
}

// provided is the recipe of a package that only the system has.
func provided(class, version, more string) string {
	return fmt.Sprintf("from spack.package import *\n\n\nclass %s(Package):\n    \"\"\"What the system has.\"\"\"\n\n    has_code = False\n    version(%q)\n%s",
		class, version, more)
}

// fullBuiltin is where the recipes of Spack 1.x are.
func (s realSpack) fullBuiltin(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.vars["SPACK_USER_CONFIG_PATH"], "repos.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for word := range strings.FieldsFuncSeq(string(text), func(r rune) bool { return strings.ContainsRune(" {},\n\"'", r) }) {
		if strings.HasSuffix(word, "/builtin") {
			return word
		}
	}
	t.Skip("the configuration of Spack does not name the directory of the builtin repository")
	return ""
}

// addPackage writes a recipe without sources, whose installation is Python
// code, into the toys below a directory.
func (s realSpack) addPackage(t testing.TB, dir, name, directives string, install ...string) {
	t.Helper()
	class, folder, imports := "", name, ""
	for part := range strings.SplitSeq(name, "-") {
		class += strings.ToUpper(part[:1]) + part[1:]
	}
	if s.api == testrepo.V2 {
		folder, imports = strings.ReplaceAll(name, "-", "_"), "from spack_repo.builtin.build_systems.generic import Package\n"
	}
	code := strings.Join(install, "\n        ")
	writeTree(t, filepath.Join(dir, s.toys()), map[string]string{
		"packages/" + folder + "/package.py": fmt.Sprintf(`%sfrom spack.package import *


class %s(Package):
    """A toy of one test."""

    has_code = False
    version("1.0")
    %s

    def install(self, spec, prefix):
        mkdirp(prefix.share)
        %s
        touch(prefix.share.done)
`, imports, class, directives, code),
	})
}

// run runs Spack with an install tree, and a build cache if there is one.
func (s realSpack) run(t testing.TB, root, mirror string, args ...string) string {
	t.Helper()
	out, err := s.try(t, root, mirror, args...)
	if err != nil {
		t.Fatalf("spack %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s realSpack) try(t testing.TB, root, mirror string, args ...string) (string, error) {
	t.Helper()
	dir := scratch(t)
	repos := fmt.Sprintf("{toys: %s, builtin: %s}", filepath.Join(s.vars["TOP"], s.toys()), filepath.Join(s.vars["TOP"], s.builtin()))
	if s.api == testrepo.V1 {
		repos = fmt.Sprintf("[%s, %s]", filepath.Join(s.vars["TOP"], s.toys()), filepath.Join(s.vars["TOP"], s.builtin()))
	}
	files := map[string]string{
		"config.yaml":    fmt.Sprintf("config:\n  install_tree:\n    root: %s\n  build_stage: [%s/stage]\n  source_cache: %s/sources\n", root, dir, dir),
		"repos.yaml":     "repos:: " + repos + "\n",
		"mirrors.yaml":   "mirrors:: {}\n",
		"bootstrap.yaml": "bootstrap:\n  enable: false\n",
	}
	if mirror != "" {
		files["mirrors.yaml"] = fmt.Sprintf("mirrors::\n  given: {url: %q, signed: false}\n", mirror)
	}
	for _, name := range []string{"packages.yaml", "linux/compilers.yaml"} {
		if text, err := os.ReadFile(filepath.Join(s.vars["SPACK_USER_CONFIG_PATH"], name)); err == nil {
			files[name] = string(text)
		}
	}
	writeTree(t, filepath.Join(dir, "config"), files)
	cmd := exec.Command(filepath.Join(s.vars["SPACK_ROOT"], "bin", "spack"), args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "SPACK_COLOR=never",
		"SPACK_USER_CONFIG_PATH=" + filepath.Join(dir, "config"), "SPACK_SYSTEM_CONFIG_PATH=" + filepath.Join(dir, "none"),
		"SPACK_USER_CACHE_PATH=" + filepath.Join(dir, "cache")}
	for _, name := range []string{"SPACK_ROOT", "SPACK_PYTHON", "PYTHONPATH"} {
		cmd.Env = append(cmd.Env, name+"="+s.vars[name])
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// spackEnvironment is a directory with an environment of Spack from a lock.
func spackEnvironment(t testing.TB, lock string, specs ...string) string {
	t.Helper()
	dir := filepath.Join(scratch(t), "env")
	text, err := os.ReadFile(lock)
	if err != nil {
		t.Fatal(err)
	}
	writeTree(t, dir, map[string]string{
		"spack.yaml": fmt.Sprintf("spack:\n  specs: [%s]\n  view: false\n", quoted(specs)), "spack.lock": string(text),
	})
	return dir
}

func writeTree(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// copyTree copies files and directories, but for what Python compiled.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		switch {
		case d.Name() == "__pycache__":
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// short are the names of packages from their addresses, sorted.
func short(addresses []string) []string {
	var names []string
	for _, a := range addresses {
		_, name, _ := strings.Cut(a, "/")
		name, _, _ = strings.Cut(name, "@")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
