package image

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack"
	"esd/internal/spack/lockfile"
)

// stack is a DAG of packages for tests. The key of a package covers what it
// needs, as Spack's hashes do.
type stack struct {
	names    []string
	needs    [][]int
	versions []int
}

// newStack makes n packages, each of which needs some of those before it.
func newStack(n int, seed uint64) *stack {
	random := rand.New(rand.NewPCG(seed, 1))
	s := &stack{}
	for i := range n {
		var needs []int
		for range 2 + random.IntN(5) {
			if i > 0 {
				// Most needs are of things that many need.
				needs = append(needs, min(random.IntN(i), random.IntN(i)))
			}
		}
		slices.Sort(needs)
		s.add(fmt.Sprintf("p%03d", i), slices.Compact(needs)...)
	}
	return s
}

func (s *stack) add(name string, needs ...int) {
	s.names, s.needs, s.versions = append(s.names, name), append(s.needs, needs), append(s.versions, 1)
}

func (s *stack) parts() []part {
	parts := make([]part, len(s.names))
	for i, name := range s.names {
		key := fmt.Sprint(name, s.versions[i])
		for _, n := range s.needs[i] {
			key += " " + parts[n].Key
		}
		key = fmt.Sprintf("%064x", boundary(key))
		parts[i] = part{
			packageRef: packageRef{Title: fmt.Sprintf("%s@%d/%s", name, s.versions[i], key[57:]), Key: key, Hash: "h", Prefix: key},
			name:       name, needs: s.needs[i],
		}
	}
	return parts
}

// changed counts the packages, and the layers, of the second that are not in
// the first.
func changed(before, after []part, limit int) (packages, layers int) {
	had := map[string]bool{}
	for _, l := range arrange(before, limit, "zstd") {
		had[l.Key] = true
	}
	for _, p := range before {
		had["package "+p.Key] = true
	}
	for _, p := range after {
		if !had["package "+p.Key] {
			packages++
		}
	}
	for _, l := range arrange(after, limit, "zstd") {
		if !had[l.Key] {
			layers++
		}
	}
	return packages, layers
}

func TestEveryPackageIsInOneLayerWhateverTheOrder(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 60, 99, 100, 101, 102, 150, 400, 2000} {
		for _, limit := range []int{100, 40, 10} {
			parts := newStack(n, 7).parts()
			layers := arrange(parts, limit, "zstd")
			if len(layers) != min(n, limit) {
				t.Errorf("%d packages are in %d layers, want %d", n, len(layers), min(n, limit))
			}
			seen := map[string]int{}
			for _, l := range layers {
				for _, p := range l.Packages {
					seen[p.Title]++
				}
			}
			for _, p := range parts {
				if seen[p.Title] != 1 {
					t.Errorf("%s is in %d layers", p.Title, seen[p.Title])
				}
			}
			// Needs are told by places in the list, so they move with it.
			at := rand.New(rand.NewPCG(1, 2)).Perm(n)
			mixed := make([]part, n)
			for i, p := range parts {
				p.needs = slices.Clone(p.needs)
				for j := range p.needs {
					p.needs[j] = at[p.needs[j]]
				}
				mixed[at[i]] = p
			}
			if diff := cmp.Diff(layers, arrange(mixed, limit, "zstd")); diff != "" {
				t.Errorf("in another order %d packages are in other layers: %s", n, diff)
			}
		}
	}
}

func TestNothingLiesBelowWhatItNeeds(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		parts := newStack(150, seed).parts()
		place := map[string]int{}
		for i, l := range arrange(parts, 100, "zstd") {
			for _, p := range l.Packages {
				place[p.Title] = i
			}
		}
		for _, p := range parts {
			for _, n := range p.needs {
				if place[parts[n].Title] > place[p.Title] {
					t.Errorf("%s lies below %s, which it needs", p.Title, parts[n].Title)
				}
			}
		}
	}
}

func TestWhatChangesInAStackChangesHardlyMoreLayersThanPackages(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*stack)
		// most is how many layers may change beside those of the packages that do.
		most int
	}{
		"nothing":                          {func(*stack) {}, 0},
		"three that nobody needs":          {func(s *stack) { s.versions[147]++; s.versions[148]++; s.versions[149]++ }, 0},
		"one that everything needs":        {func(s *stack) { s.versions[0]++ }, 0},
		"one in the middle":                {func(s *stack) { s.versions[40]++ }, 0},
		"one more that nobody needs":       {func(s *stack) { s.add("extra", 3, 50, 120) }, 3},
		"one more that needs nothing":      {func(s *stack) { s.add("extra") }, 3},
		"one more that needs eight others": {func(s *stack) { s.add("extra", 149, 148, 147, 146, 145, 144, 143, 142) }, 14},
		"one less that nobody needs":       {func(s *stack) { s.names, s.needs, s.versions = s.names[:149], s.needs[:149], s.versions[:149] }, 8},
		"ten more that each need a lot":    {func(s *stack) { addMany(s, 10) }, 14},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			worst := 0
			for seed := range uint64(20) {
				before, after := newStack(150, seed), newStack(150, seed)
				test.change(after)
				packages, layers := changed(before.parts(), after.parts(), 100)
				worst = max(worst, layers-packages)
			}
			t.Logf("at worst %d layers more than packages", worst)
			if worst > test.most {
				t.Errorf("%d layers more than packages change, want at most %d", worst, test.most)
			}
		})
	}
}

func addMany(s *stack, n int) {
	for i := range n {
		s.add(fmt.Sprintf("extra%d", i), i*3, i*10, 100+i)
	}
}

// lockParts are the packages of a lock that Spack wrote.
func lockParts(t testing.TB, name string, rename func(*spack.Spec) spack.Hash) []part {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "spack", "testdata", "locks", name))
	if err != nil {
		t.Fatal(err)
	}
	lock, err := lockfile.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	at := map[spack.Hash]int{}
	var parts []part
	for _, s := range lock.Specs.Closure(spack.LinkRun, lockfile.Hashes(lock.AllRoots())...) {
		if s.External == nil {
			at[s.Hash] = len(parts)
			h := rename(s)
			parts = append(parts, part{packageRef: packageRef{Title: titleOf(s), Key: string(h), Hash: h}, name: s.Name})
		}
	}
	for h, i := range at {
		for _, e := range lock.Specs[h].Dependencies {
			if j, ok := at[e.Hash]; ok {
				parts[i].needs = append(parts[i].needs, j)
			}
		}
	}
	return parts
}

func TestARealStackKeepsItsTopPackagesApart(t *testing.T) {
	t.Parallel()
	same := func(s *spack.Spec) spack.Hash { return s.Hash }
	before := lockParts(t, "v12-medium.lock", same)
	top := map[string]bool{"nest": true, "neuron": true, "arbor": true}
	after := lockParts(t, "v12-medium.lock", func(s *spack.Spec) spack.Hash {
		if top[s.Name] {
			return "another" + s.Hash
		}
		return s.Hash
	})
	for _, limit := range []int{100, 60, 20} {
		packages, layers := changed(before, after, limit)
		if packages != 3 || layers != 3 {
			t.Errorf("in %d layers, %d of %d packages change, and %d layers; want 3 and 3", limit, packages, len(before), layers)
		}
	}
}

func TestTheRoomUponABaseIsUsed(t *testing.T) {
	t.Parallel()
	for base, want := range map[int]int{0: 100, 25: 100, 26: 99, 100: 25, 125: 0} {
		if got := room(base); got != want {
			t.Errorf("upon %d layers there is room for %d, want %d", base, got, want)
		}
	}
}

func BenchmarkArrange(b *testing.B) {
	for _, n := range []int{150, 1000} {
		parts := newStack(n, 7).parts()
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				arrange(parts, 100, "zstd")
			}
		})
	}
}
