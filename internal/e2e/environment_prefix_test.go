package e2e

import (
	"fmt"
	"strings"
	"testing"

	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/spacktest"
)

// pushToysBuiltAt stores all packages of a stack, as built below root.
func pushToysBuiltAt(t testing.TB, s *toys, cache, root string) map[spack.Hash]string {
	t.Helper()
	c, err := buildcache.Open(t.Context(), cache, buildcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, lock := s.lock(t)
	builder := &spacktest.Builder{Root: root, Specs: lock.Specs, Dir: t.TempDir()}
	for _, h := range lock.Order {
		if err := builder.Push(t.Context(), c, lock.Specs[h]); err != nil {
			t.Fatal(err)
		}
	}
	return archivesIn(t, s, cache)
}

// archivesIn lists the digests of the archives in a build cache.
func archivesIn(t testing.TB, s *toys, cache string) map[spack.Hash]string {
	t.Helper()
	c, err := buildcache.Open(t.Context(), cache, buildcache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, lock := s.lock(t)
	var specs []*spack.Spec
	for _, h := range lock.Order {
		specs = append(specs, lock.Specs[h])
	}
	found, err := c.Lookup(t.Context(), specs, buildcache.LookupOptions{Specs: lock.Specs, Verify: true})
	if err != nil {
		t.Fatal(err)
	}
	out := map[spack.Hash]string{}
	for h, e := range found {
		out[h] = e.Archive.SHA256
	}
	return out
}

// twoCaches is an image of a stack whose packages are in one build cache as
// built at a prefix that is too short, and in the next as built at a long one.
func twoCaches(s *toys, short, long string, pushShort bool) string {
	block := s.environment("sim", long, `root = "/opt/of/medium/length"`)
	block = strings.Replace(block, "[cache.buildcache.sim]", "[cache.buildcache.short, cache.buildcache.sim]", 1)
	return fmt.Sprintf("cache \"buildcache\" \"short\" {\n  url  = %q\n  push = %t\n}\n", short, pushShort) + block + toyImage("oci:dist/lab:1")
}

func TestAnArchiveThatCannotBeRelocatedIsPassedOverForOneOfAnotherCache(t *testing.T) {
	t.Parallel()
	for name, push := range map[string]bool{"in a cache that is only read": false, "in a cache that gets what it lacks": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newToys(3)
			short, long := dirCache(t), dirCache(t)
			before := pushToysBuiltAt(t, s, short, "/o")
			wanted := pushToysBuiltAt(t, s, long, "/opt/"+strings.Repeat("built-here/", 8)+"store")
			text, _ := s.lock(t)
			m := newMachine(t, nil)
			m.write(map[string]string{"esd.hcl": twoCaches(s, short, long, push), "locks/sim.spack.lock": text})
			m.want(0, "lock", "--adopt", "--auto-approve")
			m.apply()
			m.wantNothingToDo()

			files, _ := filesIn(t, m.path("dist/lab"), "1")
			for file, content := range files {
				if strings.HasSuffix(file, "/.spack/binary_distribution") && !strings.Contains(content, "/built-here/") {
					t.Errorf("%s was made from an archive of a package that was built at a shorter prefix", file)
				}
			}
			after := archivesIn(t, s, short)
			for h, archive := range after {
				want := before[h]
				if push {
					want = wanted[h]
				}
				if archive != want {
					t.Errorf("%s in the first cache is %s, want %s", h, archive, want)
				}
			}
		})
	}
}
