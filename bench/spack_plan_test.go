package bench

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"esd/internal/spack"
)

// BenchmarkSpackPlan plans the image of the example from caches that have all
// of its packages.
func BenchmarkSpackPlan(b *testing.B) {
	bin := build(b)
	t := newTable(b, "Plan of an image of 148 packages")
	dir, made := example(b)
	plans(b, t, bin, dir, "a cache of ours", made)
	for _, l := range labs()[:1] {
		if os.Getenv(l.variable) == "" {
			b.Logf("%s is not set: no plan from a cache that Spack made", l.variable)
			continue
		}
		plans(b, t, bin, dir, "a cache of "+l.name, l.path(l.mediumCache))
		t.add(b, "spack buildcache check", func(b *testing.B) usage {
			return l.run(b, []int{0, 1}, "-e", l.path(l.medium), "buildcache", "check", "-m", "file://"+l.path(l.mediumCache))
		}, nil)
	}
}

// plans measures the first plan, which knows nothing of a cache, and the next.
func plans(b *testing.B, t *table, bin, dir, of, cache string) {
	plan := func(b *testing.B) usage {
		u := run(b, dir, []int{0}, bin, "plan", "ebrains-lab.hcl", "--var", "buildcache="+cache)
		if want := "Plan: 0 to build, 0 to fetch, 100 reused; 1 to create, 0 to update, 0 to destroy."; !strings.Contains(string(u.stdout), want) {
			b.Fatalf("not what was to be planned: %s", tail(u.stdout))
		}
		return u
	}
	forget := remove(b, dir, ".esd")
	forget()
	t.add(b, "first esd plan, "+of, plan, forget)
	plan(b)
	t.add(b, "next esd plan, "+of, plan, nil)
	forget()
}

// BenchmarkSpackPlanOfLargeCache does the same with a cache whose index lists
// 100,000 packages. What reading that costs, when a plan is so large that it
// pays, BenchmarkFirstLookup in internal/spack/buildcache measures.
func BenchmarkSpackPlanOfLargeCache(b *testing.B) {
	bin := build(b)
	dir, cache := example(b)
	size := enlargeIndex(b, cache, filepath.Join(dir, "locks/lab.spack.lock"), 100_000)
	server := httptest.NewServer(http.FileServer(http.Dir(cache)))
	b.Cleanup(server.Close)
	t := newTable(b, fmt.Sprintf("Plan of an image of 148 packages, from a cache with 100,000 and an index of %.0f MB", float64(size)/1e6))
	plans(b, t, bin, dir, "file://", "file://"+cache)
	plans(b, t, bin, dir, "http://", server.URL)
}

// enlargeIndex gives a cache an index in which packages are listed beside those
// of a lock, so many in all, each in 3 kB as Spack writes it. It returns the
// size of the index.
func enlargeIndex(b *testing.B, cache, lock string, packages int) int64 {
	b.Helper()
	name := filepath.Join(cache, "index")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
	w.WriteString(`{"database":{"version":"8","installs":{`)
	specs := readLock(b, lock)
	for _, h := range specs.Order {
		fmt.Fprintf(w, `"%s":{"spec":%s,"ref_count":1,"in_buildcache":%t},`, h, specs.Specs[h].Raw, specs.Specs[h].External == nil)
	}
	others := packages - len(specs.Order)
	for i := range others {
		writeOther(w, i, others)
		if i < others-1 {
			w.WriteByte(',')
		}
	}
	w.WriteString("}}}")
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		b.Fatal(err)
	}
	digest := hex.EncodeToString(sum.Sum(nil))
	blob := filepath.Join(cache, "blobs/sha256", digest[:2], digest)
	if err := os.MkdirAll(filepath.Dir(blob), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.Rename(name, blob); err != nil {
		b.Fatal(err)
	}
	write(b, cache, "v3/manifests/index/index.manifest.json", fmt.Sprintf(
		"{\n\"version\":3,\n\"data\":[\n{\n\"contentLength\":%d,\n\"mediaType\":\"application/vnd.spack.db.v8+json\",\n\"compression\":\"none\",\n\"checksumAlgorithm\":\"sha256\",\n\"checksum\":\"%s\"\n}\n]\n}",
		info.Size(), digest))
	return info.Size()
}

// writeOther writes an entry of an index.
func writeOther(w io.Writer, i, n int) {
	h := otherHash(i)
	fmt.Fprintf(w, `"%s":{"spec":{"name":"other-%d","version":"1.%d","arch":{"platform":"linux","platform_os":"debian12","target":"x86_64_v3"},"namespace":"builtin",`+
		`"parameters":{"build_system":"autotools","mpi":true,"shared":true,"libs":["shared","static"],"patches":["%s"],"cflags":[],"cppflags":[],"cxxflags":[],"fflags":[],"ldflags":[],"ldlibs":[]},`+
		`"package_hash":"%s====","dependencies":[`, h, i%4000, i/4000, strings.Repeat("0a", 32), strings.Repeat("x", 52))
	for d := range 18 {
		if d > 0 {
			io.WriteString(w, ",")
		}
		to := (i*31 + d*977) % n
		fmt.Fprintf(w, `{"name":"other-%d","hash":"%s","parameters":{"deptypes":["build","link","run"],"virtuals":["mpi"]}}`, to%4000, otherHash(to))
	}
	fmt.Fprintf(w, `],"annotations":{"original_specfile_version":5},"hash":"%s"},"ref_count":3,"in_buildcache":%t}`, h, i%50 != 0)
}

// otherHash makes up a hash.
func otherHash(i int) spack.Hash {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	sum := sha256.Sum256(fmt.Appendf(nil, "other %d", i))
	out := make([]byte, spack.HashLength)
	for j := range out {
		out[j] = letters[sum[j]&31]
	}
	return spack.Hash(out)
}
