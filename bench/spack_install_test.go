package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/lockfile"
	"esd/internal/spack/store"
)

// BenchmarkSpackInstall installs the twenty toys of a lab from a cache that its
// Spack made at a padded prefix: with esd, and with Spack.
func BenchmarkSpackInstall(b *testing.B) {
	bin := build(b)
	for _, l := range labs() {
		b.Run(l.name, func(b *testing.B) {
			l.need(b)
			dir := b.TempDir()
			l.copyTo(b, l.toys, filepath.Join(dir, "toys"))
			l.configure(b, dir)
			run(b, dir, []int{0}, bin, "lock", "--adopt", "--auto-approve")
			t := newTable(b, "Install 20 packages of "+l.name+"'s")
			apply := func(b *testing.B) usage { return run(b, dir, []int{0}, bin, "apply", "--auto-approve") }
			t.add(b, "esd apply", apply, remove(b, dir, "tree", ".esd"))
			l.addInProcess(b, t, dir)
			install := func(b *testing.B) usage {
				return l.run(b, []int{0}, "-C", filepath.Join(dir, "scope"), "-e", filepath.Join(dir, "toys"), "install", "--cache-only", "--only-concrete", "--no-add")
			}
			t.add(b, "spack install --cache-only", install, remove(b, dir, "own"))
			apply(b)
			t.add(b, "esd apply, nothing to do", apply, nil)
			install(b)
			t.add(b, "spack install, nothing to do", install, nil)
			t.add(b, "gunzip of the archives", func(b *testing.B) usage { return l.gunzip(b, dir) }, nil)
		})
	}
}

func (l lab) configure(b *testing.B, dir string) {
	cache := l.path(l.toyCache)
	write(b, dir, "scope/config.yaml", fmt.Sprintf("config:\n  install_tree:\n    root: %s/own\n", dir))
	write(b, dir, "scope/mirrors.yaml", fmt.Sprintf("mirrors:\n  toys:\n    url: file://%s\n    signed: false\n", cache))
	write(b, dir, "main.hcl", fmt.Sprintf(`
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
`, cache))
}

// addInProcess measures what esd apply does without what it is a program for.
func (l lab) addInProcess(b *testing.B, t *table, dir string) {
	packages, specs, entries, cache := l.toysIn(b, dir)
	for _, sync := range []bool{true, false} {
		name := "store.Install, in this process"
		if !sync {
			name += ", not synced"
		}
		t.add(b, name, func(b *testing.B) usage {
			start, before := time.Now(), self(b)
			s, err := store.Open(filepath.Join(dir, "tree"), store.Options{DatabaseVersion: l.generation})
			if err != nil {
				b.Fatal(err)
			}
			result, err := s.Install(b.Context(), packages, store.InstallOptions{
				Specs: specs, NoSync: !sync,
				Fetch: func(ctx context.Context, s *spack.Spec) (io.ReadCloser, error) {
					return cache.Archive(ctx, entries[s.Hash])
				},
			})
			if err != nil || len(result.Installed) != 20 {
				b.Fatal(len(result.Installed), err)
			}
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			return usage{cpu: self(b) - before, wall: time.Since(start)}
		}, remove(b, dir, "tree"))
	}
}

// toysIn are the packages that the toys need, and where they are in the cache.
func (l lab) toysIn(b *testing.B, dir string) ([]store.Package, spack.Specs, map[spack.Hash]buildcache.Entry, *buildcache.Cache) {
	b.Helper()
	lock := readLock(b, filepath.Join(dir, "toys/spack.lock"))
	cache, err := buildcache.Open(b.Context(), l.path(l.toyCache), buildcache.Options{})
	if err != nil {
		b.Fatal(err)
	}
	roots := lockfile.Hashes(lock.Roots)
	var packages []store.Package
	var wanted []*spack.Spec
	for _, s := range lock.Specs.Closure(spack.LinkRun, roots...) {
		packages = append(packages, store.Package{Spec: s, Explicit: slices.Contains(roots, s.Hash)})
		if s.External == nil {
			wanted = append(wanted, s)
		}
	}
	entries, err := cache.Lookup(b.Context(), wanted, buildcache.LookupOptions{Specs: lock.Specs, Details: true})
	if err != nil || len(entries) != 20 {
		b.Fatal(len(entries), err)
	}
	return packages, lock.Specs, entries, cache
}

// gunzip decompresses what is installed, one archive after the other: less than
// that cannot be done.
func (l lab) gunzip(b *testing.B, dir string) usage {
	_, _, entries, cache := l.toysIn(b, dir)
	files := b.TempDir()
	args := []string{"-c"}
	for h, e := range entries {
		r, err := cache.Archive(b.Context(), e)
		if err != nil {
			b.Fatal(err)
		}
		name := filepath.Join(files, string(h))
		f, err := os.Create(name)
		if err == nil {
			_, err = io.Copy(f, r)
		}
		if err != nil {
			b.Fatal(err)
		}
		r.Close()
		f.Close()
		args = append(args, name)
	}
	return run(b, "", []int{0}, "bash", "-c", `exec gzip -d `+strings.Join(args, " ")+` > /dev/null`)
}

// self is the processor time of this process so far.
func self(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
