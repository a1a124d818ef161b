package bench

import (
	"path/filepath"
	"testing"
)

// BenchmarkSpackDepfile compares esd depfile with spack env depfile.
func BenchmarkSpackDepfile(b *testing.B) {
	bin := build(b)
	for _, l := range labs() {
		b.Run(l.name, func(b *testing.B) {
			l.need(b)
			dir := filepath.Join(b.TempDir(), "env")
			l.copyTo(b, l.medium, dir)
			lock := filepath.Join(dir, "spack.lock")
			t := newTable(b, "Depfile of "+l.name+"'s lock")
			for _, mode := range []string{"auto", "only"} {
				t.add(b, "esd depfile, "+mode, func(b *testing.B) usage {
					return run(b, dir, []int{0}, bin, "depfile", "--lock", lock, "--use-buildcache", mode)
				}, nil)
				t.add(b, "spack env depfile, "+mode, func(b *testing.B) usage {
					return l.run(b, []int{0}, "-e", dir, "env", "depfile", "--use-buildcache", mode)
				}, nil)
			}
			t.add(b, "esd version", func(b *testing.B) usage { return run(b, dir, []int{0}, bin, "version") }, nil)
			t.add(b, "spack --version", func(b *testing.B) usage { return l.run(b, []int{0}, "--version") }, nil)
		})
	}
}
