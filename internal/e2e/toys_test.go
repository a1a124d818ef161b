package e2e

import (
	"crypto/sha1" //nolint:gosec // it is what Spack's hashes are made of
	"encoding/base32"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/lockfile"
	"esd/internal/spack/spacktest"
)

// toys is a stack of packages that nobody built, in a lock that nobody
// concretized. What is not needed by others is asked for.
type toys struct {
	names    []string
	versions []string
	needs    [][]int
	target   string
}

// newToys makes n packages, each of which needs some of those before it.
func newToys(n int) *toys {
	random := rand.New(rand.NewPCG(uint64(n), 5))
	s := &toys{target: "x86_64_v3"}
	for i := range n {
		var needs []int
		for range 2 + random.IntN(4) {
			if i > 0 {
				needs = append(needs, min(random.IntN(i), random.IntN(i)))
			}
		}
		slices.Sort(needs)
		s.add(fmt.Sprintf("toy%03d", i), slices.Compact(needs)...)
	}
	return s
}

func (s *toys) add(name string, needs ...int) {
	s.names, s.versions, s.needs = append(s.names, name), append(s.versions, "1.0"), append(s.needs, needs)
}

// asked lists what no other package needs, the last first.
func (s *toys) asked() []int {
	needed := map[int]bool{}
	for _, list := range s.needs {
		for _, n := range list {
			needed[n] = true
		}
	}
	var list []int
	for i := range s.names {
		if !needed[i] {
			list = append(list, i)
		}
	}
	slices.Reverse(list)
	return list
}

// change gives some packages that nobody needs another version, and lists them.
func (s *toys) change(n int) []string {
	var names []string
	for _, i := range s.asked()[:n] {
		s.versions[i] = "1.1"
		names = append(names, s.names[i])
	}
	return names
}

// lock is the lock file, as Spack 1.x would write it.
func (s *toys) lock(t testing.TB) (string, *lockfile.Lock) {
	t.Helper()
	nodes := make([]string, len(s.names))
	hashes := make([]string, len(s.names))
	for i, name := range s.names {
		var deps []string
		for _, n := range s.needs[i] { // their names are in order
			deps = append(deps, fmt.Sprintf(`{"name":%q,"hash":%q,"parameters":{"deptypes":["build","link"],"virtuals":[]}}`, s.names[n], hashes[n]))
		}
		node := fmt.Sprintf(`{"name":%q,"version":%q,"arch":{"platform":"linux","platform_os":"debian12","target":%q},"namespace":"toys",`+
			`"parameters":{"build_system":"generic","cflags":[]},"package_hash":"aaaa====",`, name, s.versions[i], s.target)
		if len(deps) > 0 {
			node += `"dependencies":[` + strings.Join(deps, ",") + `],`
		}
		node += `"annotations":{"original_specfile_version":5}`
		sum := sha1.Sum([]byte(node + "}")) //nolint:gosec // see above
		hashes[i] = strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))
		nodes[i] = fmt.Sprintf(`%q:%s,"hash":%q}`, hashes[i], node, hashes[i])
	}
	var roots []string
	for _, i := range s.asked() {
		roots = append(roots, fmt.Sprintf(`{"hash":%q,"spec":%q}`, hashes[i], s.names[i]))
	}
	text := `{"_meta":{"file-type":"spack-lockfile","lockfile-version":6,"specfile-version":5},"spack":{"version":"1.0.2","type":"release"},"roots":[` +
		strings.Join(roots, ",") + `],"concrete_specs":{` + strings.Join(nodes, ",") + `}}`
	lock, err := lockfile.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return text, lock
}

// environment is a block for the stack, whose lock is locks/NAME.spack.lock.
func (s *toys) environment(name, cache, attributes string) string {
	var specs []string
	for _, i := range s.asked() {
		specs = append(specs, fmt.Sprintf("%q", s.names[i]))
	}
	return fmt.Sprintf("cache \"buildcache\" %q {\n  url  = %q\n  push = false\n}\nenvironment %q {\n  specs  = [%s]\n  caches = [cache.buildcache.%s]\n  %s\n}\n",
		name, cache, name, strings.Join(specs, ", "), name, attributes)
}

// pushToys stores all packages of a stack in a build cache.
func pushToys(t testing.TB, s *toys, where string, payload int, opts buildcache.Options) *buildcache.Cache {
	t.Helper()
	c, err := buildcache.Open(t.Context(), where, opts)
	if err != nil {
		t.Fatal(err)
	}
	_, lock := s.lock(t)
	builder := &spacktest.Builder{
		Root: "/opt/" + strings.Repeat("built-here-with-a-long-path/", 3) + "store", Specs: lock.Specs, Dir: t.TempDir(), Payload: payload,
	}
	var specs []*spack.Spec
	for _, h := range lock.Order {
		specs = append(specs, lock.Specs[h])
	}
	if err := builder.Push(t.Context(), c, specs...); err != nil {
		t.Fatal(err)
	}
	return c
}

// toyMachine is a machine with an image of a stack.
func toyMachine(t testing.TB, s *toys, cache, attributes, image string) *machine {
	t.Helper()
	m := newMachine(t, nil)
	m.writeToys(s, cache, attributes, image)
	return m
}

// writeToys writes the configuration and the lock, and pins it.
func (m *machine) writeToys(s *toys, cache, attributes, image string) {
	m.t.Helper()
	text, _ := s.lock(m.t)
	m.write(map[string]string{
		"esd.hcl":              s.environment("sim", cache, attributes) + image,
		"locks/sim.spack.lock": text,
	})
	m.want(0, "lock", "--adopt", "--auto-approve")
}

func dirCache(t testing.TB) string { return filepath.Join(scratch(t), "buildcache") }
