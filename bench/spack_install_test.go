package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
// Spack made at a padded prefix: with esd, and with Spack. Each time they go to
// another directory, and nothing is removed before the end: ext4 is slow to make
// files where others were removed a moment ago.
func BenchmarkSpackInstall(b *testing.B) {
	bin := build(b)
	all := b.TempDir()
	for _, l := range labs() {
		b.Run(l.name, func(b *testing.B) {
			l.need(b)
			s := l.site(b, bin, filepath.Join(all, l.variable))
			t := newTable(b, "Install 20 packages of "+l.name+"'s")
			t.add(b, "esd apply", func(b *testing.B) usage { return s.apply(b, s.fresh(b)) }, nil)
			for _, sync := range []bool{true, false} {
				name := map[bool]string{true: "store.Install, in this process", false: "the same, not synced"}[sync]
				t.add(b, name, func(b *testing.B) usage { return s.inProcess(b, s.fresh(b), sync) }, nil)
			}
			t.add(b, "spack install --cache-only", func(b *testing.B) usage { return s.install(b, s.fresh(b)) }, nil)
			t.add(b, "gzip -d of the archives", s.gunzip, nil)
			dir := s.fresh(b)
			s.apply(b, dir)
			s.install(b, dir)
			t.add(b, "esd apply, nothing to do", func(b *testing.B) usage { return s.apply(b, dir) }, nil)
			t.add(b, "spack install, nothing to do", func(b *testing.B) usage { return s.install(b, dir) }, nil)
		})
	}
}

// site is a lab with directories into which its toys are installed.
type site struct {
	lab
	bin, dir string
	template string // what each of the directories begins with
	count    int

	packages []store.Package
	specs    spack.Specs
	entries  map[spack.Hash]buildcache.Entry
	cache    *buildcache.Cache
}

func (l lab) site(b *testing.B, bin, dir string) *site {
	b.Helper()
	s := &site{lab: l, bin: bin, dir: dir, template: filepath.Join(dir, "template")}
	l.copyTo(b, l.toys, filepath.Join(s.template, "toys"))
	write(b, s.template, "scope/mirrors.yaml", fmt.Sprintf("mirrors:\n  toys:\n    url: file://%s\n    signed: false\n", l.path(l.toyCache)))
	write(b, s.template, "main.hcl", fmt.Sprintf(`
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
`, l.path(l.toyCache)))
	run(b, s.template, []int{0}, bin, "lock", "--adopt", "--auto-approve")
	s.find(b)
	return s
}

// fresh makes another directory.
func (s *site) fresh(b *testing.B) string {
	b.Helper()
	s.count++
	dir := filepath.Join(s.dir, strconv.Itoa(s.count))
	if err := os.CopyFS(dir, os.DirFS(s.template)); err != nil {
		b.Fatal(err)
	}
	write(b, dir, "scope/config.yaml", fmt.Sprintf("config:\n  install_tree:\n    root: %s/own\n", dir))
	return dir
}

func (s *site) apply(b *testing.B, dir string) usage {
	b.Helper()
	return run(b, dir, []int{0}, s.bin, "apply", "--auto-approve")
}

func (s *site) install(b *testing.B, dir string) usage {
	b.Helper()
	return s.run(b, []int{0}, "-C", filepath.Join(dir, "scope"), "-e", filepath.Join(dir, "toys"), "install", "--cache-only", "--only-concrete", "--no-add")
}

// inProcess measures what esd apply does without what it is a program for.
func (s *site) inProcess(b *testing.B, dir string, sync bool) usage {
	b.Helper()
	start, before := time.Now(), self(b)
	tree, err := store.Open(filepath.Join(dir, "tree"), store.Options{DatabaseVersion: s.generation})
	if err != nil {
		b.Fatal(err)
	}
	result, err := tree.Install(b.Context(), s.packages, store.InstallOptions{
		Specs: s.specs, NoSync: !sync,
		Fetch: func(ctx context.Context, p *spack.Spec) (io.ReadCloser, error) {
			return s.cache.Archive(ctx, s.entries[p.Hash])
		},
	})
	if err != nil || len(result.Installed) != 20 {
		b.Fatal(len(result.Installed), err)
	}
	if err := tree.Close(); err != nil {
		b.Fatal(err)
	}
	return usage{cpu: self(b) - before, wall: time.Since(start)}
}

// find looks up the packages that the toys need.
func (s *site) find(b *testing.B) {
	b.Helper()
	lock := readLock(b, filepath.Join(s.template, "toys/spack.lock"))
	var err error
	if s.cache, err = buildcache.Open(b.Context(), s.path(s.toyCache), buildcache.Options{}); err != nil {
		b.Fatal(err)
	}
	s.specs = lock.Specs
	roots := lockfile.Hashes(lock.Roots)
	var wanted []*spack.Spec
	for _, p := range lock.Specs.Closure(spack.LinkRun, roots...) {
		s.packages = append(s.packages, store.Package{Spec: p, Explicit: slices.Contains(roots, p.Hash)})
		if p.External == nil {
			wanted = append(wanted, p)
		}
	}
	s.entries, err = s.cache.Lookup(b.Context(), wanted, buildcache.LookupOptions{Specs: lock.Specs, Details: true})
	if err != nil || len(s.entries) != 20 {
		b.Fatal(len(s.entries), err)
	}
}

// gunzip decompresses the archives and does nothing with them.
func (s *site) gunzip(b *testing.B) usage {
	files := b.TempDir()
	args := []string{"-c"}
	for h, e := range s.entries {
		r, err := s.cache.Archive(b.Context(), e)
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
