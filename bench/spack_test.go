package bench

import (
	"os"
	"path/filepath"
	"testing"

	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/lockfile"
	"esd/internal/spack/spacktest"
)

// lab is a real Spack: a file that prepares a shell for it, beside which are
// environments, and caches that it made.
type lab struct {
	name, variable      string
	toys, toyCache      string
	medium, mediumCache string // the 148 packages of the example, or what 0.23 makes of them
	generation          int    // of its install database
}

func labs() []lab {
	return []lab{
		{"Spack 1.2", "ESD_TEST_SPACK", "env-toy12", "caches/v3-padded", "env-medium12", "caches/v3-medium", 8},
		{"Spack 0.23", "ESD_TEST_SPACK_023", "env-toy023", "caches/v2-padded", "env-medium023", "caches/v2-medium", 7},
	}
}

// need skips the benchmark where there is no such Spack.
func (l lab) need(b *testing.B) {
	b.Helper()
	if os.Getenv(l.variable) == "" {
		b.Skipf("%s names no file that prepares a shell for Spack: nothing to compare with", l.variable)
	}
}

func (l lab) path(name string) string {
	return filepath.Join(filepath.Dir(os.Getenv(l.variable)), name)
}

// copyTo copies an environment, because Spack writes into it.
func (l lab) copyTo(b *testing.B, environment, dir string) {
	b.Helper()
	if err := os.CopyFS(dir, os.DirFS(l.path(environment))); err != nil {
		b.Skipf("the lab has no environment %s: %v", environment, err)
	}
}

// run runs Spack and measures it, the shell that it is started from included.
func (l lab) run(b *testing.B, codes []int, arguments ...string) usage {
	b.Helper()
	return run(b, "", codes, "bash", append([]string{"-c", `. "$0" && exec spack "$@"`, os.Getenv(l.variable)}, arguments...)...)
}

func write(b testing.TB, dir, name, content string) {
	b.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		b.Fatal(err)
	}
}

// remove returns a function that removes names from a directory.
func remove(b *testing.B, dir string, names ...string) func() {
	return func() {
		for _, name := range names {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func readLock(b testing.TB, path string) *lockfile.Lock {
	b.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		b.Fatal(err)
	}
	lock, err := lockfile.Parse(data)
	if err != nil {
		b.Fatal(err)
	}
	return lock
}

// example copies the example of 148 packages, and fills a build cache with the
// 100 that come into its image.
func example(b *testing.B) (dir, cache string) {
	b.Helper()
	dir, cache = b.TempDir(), b.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "locks"), os.DirFS("../examples/locks")); err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"ebrains-lab.hcl", "ebrains-lab.lock.hcl"} {
		data, err := os.ReadFile(filepath.Join("../examples", name))
		if err != nil {
			b.Fatal(err)
		}
		write(b, dir, name, string(data))
	}
	lock := readLock(b, filepath.Join(dir, "locks/lab.spack.lock"))
	c, err := buildcache.Open(b.Context(), cache, buildcache.Options{})
	if err != nil {
		b.Fatal(err)
	}
	builder := &spacktest.Builder{Root: "/opt/ci/store", Specs: lock.Specs, Dir: b.TempDir()}
	for _, s := range lock.Specs.Closure(spack.LinkRun, lockfile.Hashes(lock.AllRoots())...) {
		if s.External == nil {
			if err := builder.Push(b.Context(), c, s); err != nil {
				b.Fatal(err)
			}
		}
	}
	if _, err := c.UpdateIndex(b.Context()); err != nil {
		b.Fatal(err)
	}
	return dir, cache
}
