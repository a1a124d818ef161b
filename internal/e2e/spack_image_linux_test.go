package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"esd/internal/spack"
	"esd/internal/spack/lockfile"
)

// spackLab is a real Spack, with an environment of toys and caches of them that
// it made. It is in the directory of the file that prepares a shell for it.
type spackLab struct {
	variable, generation string
	padded               []string // caches made in a padded root
	projection           string
}

func spackLabs() map[string]spackLab {
	return map[string]spackLab{
		"Spack 1.x":  {"ESD_TEST_SPACK", "12", []string{"v3-padded"}, string(spack.DefaultProjection)},
		"Spack 0.23": {"ESD_TEST_SPACK_023", "023", []string{"v2-padded"}, string(spack.DefaultProjection023)},
	}
}

func (l spackLab) script(t testing.TB) string {
	t.Helper()
	script := os.Getenv(l.variable)
	if script == "" {
		t.Skipf("%s names no file that prepares a shell for Spack", l.variable)
	}
	return script
}

// spack runs Spack on an install tree.
func (l spackLab) spack(t testing.TB, root string, args ...string) (string, error) {
	t.Helper()
	const script = `. "$0" && root=$1 && shift && exec spack -c "config:install_tree:root:$root" "$@"`
	cmd := exec.Command("sh", append([]string{"-c", script, l.script(t), root}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + scratch(t)}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// systemFiles are what programs of this machine need of its C library.
func systemFiles(t testing.TB, program string) map[string]string {
	t.Helper()
	need(t, "ldd")
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		t.Skip("ldd does not work:", err)
	}
	files := map[string]string{}
	for _, word := range strings.Fields(string(out)) {
		if strings.HasPrefix(word, "/") {
			files[word] = word
		}
	}
	return files
}

func TestImagesOfRealPackagesRun(t *testing.T) {
	for name, l := range spackLabs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := filepath.Dir(l.script(t))
			text, err := os.ReadFile(filepath.Join(lab, "env-toy"+l.generation, "spack.lock"))
			if err != nil {
				t.Skip("the laboratory has no toys:", err)
			}
			lock, err := lockfile.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			for _, cache := range l.padded {
				realImage(t, l, lock, string(text), filepath.Join(lab, "caches", cache))
			}
		})
	}
}

// realImage makes an image of the toys, runs a program in it, and lets Spack
// look at the install tree in it.
func realImage(t *testing.T, l spackLab, lock *lockfile.Lock, text, cache string) {
	t.Helper()
	top, err := os.MkdirTemp("/var/tmp", "esd-e2e-test-") // containers have a /tmp of their own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	root := filepath.Join(top, "sw") // Spack will look at it there
	var app *spack.Spec
	for _, s := range lock.Specs {
		if s.Name == "esd-app" {
			app = s
		}
	}
	rel, err := spack.Projection(l.projection).Path(app, lock.Specs)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(root, rel, "bin", "esd-app")
	var files []string
	for target, host := range systemFiles(t, "/bin/ls") {
		files = append(files, fmt.Sprintf("%q = %q", target, host))
	}
	slices.Sort(files)
	m := newMachine(t, map[string]string{"locks/toys.spack.lock": text, "esd.hcl": fmt.Sprintf(`
cache "buildcache" "lab" {
  url  = %q
  push = false
}
environment "toys" {
  specs  = [%q]
  caches = [cache.buildcache.lab]
  root   = %q
}
target "image" "toys" {
  packages   = [environment.toys]
  files      = { %s }
  entrypoint = [%q]
  publish    = ["oci:dist/toys:v1"]
  check "runs" { command = [%q] }
}
output "digest" { value = target.image.toys.digest }
`, cache, lock.Roots[0].Spec, root, strings.Join(files, ", "), program, program)})
	m.want(0, "lock", "--adopt", "--auto-approve")
	m.apply()
	m.wantNothingToDo()
	if said := runImage(t, m.path("dist/toys"), m.output("digest")); !strings.Contains(said, "yak=42") {
		t.Errorf("the program in the image says %q", said)
	}

	rootfs := unpackedImage(t, m.path("dist/toys"), "v1")
	if out, err := exec.Command("cp", "-a", filepath.Join(rootfs, root), root).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := l.spack(t, root, "find", "--format", "{name} {hash}")
	if err != nil {
		t.Fatalf("spack find: %v\n%s", err, out)
	}
	for _, s := range lock.Specs.Closure(spack.LinkRun, lock.Roots[0].Hash) {
		if !strings.Contains(out, s.Name+" "+string(s.Hash)) {
			t.Errorf("Spack does not find %s in the image:\n%s", s.ID(), out)
		}
	}
	if strings.Contains(out, "Missing") || strings.Contains(out, "Warning") {
		t.Errorf("Spack is not content:\n%s", out)
	}
	if out, err = l.spack(t, root, "find", "--explicit", "--format", "{name}"); strings.TrimSpace(out) != "esd-bundle" {
		t.Errorf("asked for were %q, want the bundle: %v", out, err)
	}
	if out, err = l.spack(t, root, "dependents", "--installed", "esd-zed"); err != nil || !strings.Contains(out, "esd-") {
		t.Errorf("spack dependents: %v\n%s", err, out)
	}
}
