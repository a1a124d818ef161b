package buildcache

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"esd/internal/spack"
)

// Sizes of the index of the benchmarks: that of a large site.
const (
	benchPackages = 100_000
	benchDeps     = 17 // 3 kB a package: 300 MB
)

// benchHash makes up the hash of the i-th package.
func benchHash(i int) spack.Hash {
	sum := sha256.Sum256(fmt.Appendf(nil, "package %d", i))
	return rawHash(sum[:20]).unpack()
}

func benchSpec(i int) *spack.Spec {
	return &spack.Spec{
		Name: fmt.Sprintf("package-%d", i%4000), Version: fmt.Sprintf("%d.%d", i%7, i/4000), Hash: benchHash(i),
		Arch: spack.Arch{Platform: "linux", OS: "debian12", Target: "x86_64_v3"},
	}
}

// writeBenchCache makes a cache of version 3 that has an index and nothing else.
func writeBenchCache(b *testing.B, packages int) string {
	b.Helper()
	dir := b.TempDir()
	temp := filepath.Join(dir, "index")
	f, err := os.Create(temp)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
	fmt.Fprintf(w, `{"database":{"version":"8","installs":{`)
	hashes := make([]spack.Hash, packages)
	for i := range hashes {
		hashes[i] = benchHash(i)
	}
	for i := range packages {
		if i > 0 {
			w.WriteByte(',')
		}
		s := benchSpec(i)
		fmt.Fprintf(w, `"%s":{"spec":{"name":"%s","version":"%s","arch":{"platform":"linux","platform_os":"debian12","target":"x86_64_v3"},"namespace":"builtin",`, s.Hash, s.Name, s.Version)
		fmt.Fprintf(w, `"parameters":{"build_system":"autotools","mpi":true,"shared":true,"fortran":false,"libs":["shared","static"],"patches":["%s","%s"],"api":"default","cflags":[],"cppflags":[],"cxxflags":[],"fflags":[],"ldflags":[],"ldlibs":[]},`,
			strings.Repeat("0a", 32), strings.Repeat("b1", 32))
		fmt.Fprintf(w, `"package_hash":"%s====","dependencies":[`, strings.Repeat("x", 52))
		for d := range benchDeps {
			if d > 0 {
				w.WriteByte(',')
			}
			to := (i*31 + d*977) % packages
			fmt.Fprintf(w, `{"name":"package-%d","hash":"%s","parameters":{"deptypes":["build","link","run"],"virtuals":["mpi"]}}`, to%4000, hashes[to])
		}
		fmt.Fprintf(w, `],"annotations":{"original_specfile_version":5},"hash":"%s"},"ref_count":3,"in_buildcache":%t}`, s.Hash, i%50 != 0)
	}
	w.WriteString("}}}")
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		b.Fatal(err)
	}
	f.Close()
	blob := Blob{SHA256: hex.EncodeToString(sum.Sum(nil)), Size: size, MediaType: mediaIndex}
	m := manifest{Version: 3, Data: []blobRecord{newRecord(blob, "none")}}
	for _, name := range []string{blobPath(blob.SHA256), v3Index} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.Rename(temp, filepath.Join(dir, blobPath(blob.SHA256))); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, v3Index), m.encode(), 0o666); err != nil {
		b.Fatal(err)
	}
	return dir
}

func cpuSeconds(b *testing.B) (cpu float64, rss float64) {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return float64(use.Utime.Nano()+use.Stime.Nano()) / 1e9, float64(use.Maxrss) / 1024
}

// BenchmarkFirstLookup reads an index of 300 MB; run it alone for the resident size.
func BenchmarkFirstLookup(b *testing.B) {
	benchLookup(b, false)
}

// BenchmarkNextLookup uses the copy that another process made of it.
func BenchmarkNextLookup(b *testing.B) {
	benchLookup(b, true)
}

func benchLookup(b *testing.B, again bool) {
	dir := writeBenchCache(b, benchPackages)
	var specs []*spack.Spec
	for i := range 148 {
		specs = append(specs, benchSpec(i*7+1))
	}
	local := b.TempDir()
	lookup := func(directory string) {
		c := mustOpen(b, dir, Options{Directory: directory})
		found := mustLookup(b, c, LookupOptions{Index: IndexAlways}, specs...)
		if len(found) < 140 {
			b.Fatalf("found %d", len(found))
		}
	}
	if again {
		lookup(local)
	}
	before, _ := cpuSeconds(b)
	for b.Loop() {
		if again {
			lookup(local)
		} else {
			lookup(b.TempDir())
		}
	}
	cpu, rss := cpuSeconds(b)
	b.ReportMetric((cpu-before)/float64(b.N), "cpu-s/op")
	b.ReportMetric(rss, "peak-MB")
	b.ReportMetric(float64(indexBytes(b, dir))/1e6, "index-MB")
}

// BenchmarkUpdateIndex writes an index of as many packages, one of them new.
func BenchmarkUpdateIndex(b *testing.B) {
	dir := writeBenchCache(b, benchPackages)
	c := mustOpen(b, dir, Options{})
	for i := range benchPackages {
		s := benchSpec(i)
		name := filepath.Join(dir, key{hash: s.Hash, name: s.Name, version: s.Version}.v3Manifest())
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("{}"), 0o666); err != nil {
			b.Fatal(err)
		}
	}
	s := toy(b, "app", "1.0")
	mustPush(b, c, s, specsOf(s), "archive")
	before, _ := cpuSeconds(b)
	for b.Loop() {
		report, err := c.UpdateIndex(b.Context())
		if err != nil || report.Packages != benchPackages+1 {
			b.Fatal(report.Packages, err)
		}
	}
	cpu, rss := cpuSeconds(b)
	b.ReportMetric((cpu-before)/float64(b.N), "cpu-s/op")
	b.ReportMetric(rss, "peak-MB")
}

func indexBytes(b *testing.B, dir string) (size int64) {
	b.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "blobs/sha256/*/*"))
	if err != nil || len(files) != 1 {
		b.Fatal(files, err)
	}
	fi, err := os.Stat(files[0])
	if err != nil {
		b.Fatal(err)
	}
	return fi.Size()
}
