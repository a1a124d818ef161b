package lockfile_test

import (
	"fmt"
	"strings"
	"testing"

	"esd/internal/spack"
	"esd/internal/spack/lockfile"
)

// repeated is a lock with so many copies of another one's packages, each copy
// with other recipes and so with other hashes, which are right.
func repeated(tb testing.TB, name string, copies int) []byte {
	tb.Helper()
	lock, err := lockfile.Parse(read(tb, name))
	if err != nil {
		tb.Fatal(err)
	}
	specs := lock.Specs.Preorder(spack.Build|spack.LinkRun|spack.Test, lock.Order...)
	k := newKit()
	for i := range copies {
		fresh := map[spack.Hash]string{}
		var visit func(s *spack.Spec)
		visit = func(s *spack.Spec) {
			if fresh[s.Hash] != "" {
				return
			}
			node := strings.TrimSuffix(string(s.Raw), `,"hash":"`+string(s.Hash)+`"}`)
			node = strings.Replace(node, `"package_hash":"`, fmt.Sprintf(`"package_hash":"%d`, i), 1)
			for _, e := range s.Dependencies {
				visit(lock.Specs[e.Hash])
				node = strings.ReplaceAll(node, string(e.Hash), fresh[e.Hash])
			}
			fresh[s.Hash] = hashOf(node + "}")
			if k.names[fresh[s.Hash]] == "" { // packages without a recipe stay the same
				k.put(s.Name, fresh[s.Hash], node)
			}
		}
		for _, s := range specs {
			visit(s)
		}
	}
	return []byte(k.text())
}

func BenchmarkParse(b *testing.B) {
	for _, copies := range []int{1, 4, 64} {
		data := repeated(b, "v12-medium", copies)
		b.Run(fmt.Sprintf("copies=%d", copies), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			specs := 0
			for b.Loop() {
				lock, err := lockfile.Parse(data)
				if err != nil {
					b.Fatal(err)
				}
				specs = len(lock.Specs)
			}
			b.ReportMetric(float64(specs), "specs")
		})
	}
}

func BenchmarkDiff(b *testing.B) {
	parse := func(data []byte) *lockfile.Lock {
		lock, err := lockfile.Parse(data)
		if err != nil {
			b.Fatal(err)
		}
		return lock
	}
	from, to := parse(read(b, "v12-medium")), parse(repeated(b, "v12-medium", 1))
	for b.Loop() {
		lockfile.Diff(from, to)
	}
}
