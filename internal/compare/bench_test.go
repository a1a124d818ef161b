package compare_test

import (
	"fmt"
	"testing"

	"esd/internal/compare"
	"esd/internal/spack"
)

// stack is an environment of so many packages, each of which needs the one
// before it and two others, where changed says which have another version.
func stack(n int, generation string, changed func(i int) bool) *compare.Group {
	g := &compare.Group{Kind: compare.Environment, Address: "environment.sim"}
	ids := make([]string, n)
	rebuilt := false
	for i := range n {
		version := "1"
		if changed(i) {
			version, rebuilt = generation, true
		}
		ids[i] = fmt.Sprintf("%06d", i)
		if rebuilt {
			ids[i] += generation
		}
		ids[i] = pad(ids[i])
		p := &compare.Package{
			Name: fmt.Sprintf("package-%d", i), Version: version, ID: ids[i], Asked: i%500 == 0, Runs: true,
			Detail: &compare.Detail{Generation: 5, Target: "zen3", Compiler: "gcc@12", Parameters: []spack.Parameter{{Name: "pic", Values: []string{"true"}, Bool: true}, {Name: "shared", Values: []string{"true"}, Bool: true}}},
		}
		for _, d := range []int{i - 1, i / 2, i / 3} {
			if d >= 0 && d < i {
				p.Needs = append(p.Needs, spack.Edge{Name: fmt.Sprintf("package-%d", d), Hash: spack.Hash(ids[d]), Types: spack.Link})
			}
		}
		g.Packages = append(g.Packages, p)
	}
	return g
}

func BenchmarkDiff100000(b *testing.B) {
	never := func(int) bool { return false }
	for name, changed := range map[string]func(i int) bool{
		"same":           never,
		"one below":      func(i int) bool { return i == 10 },
		"each tenth":     func(i int) bool { return i%10 == 9 },
		"all":            func(int) bool { return true },
		"one at the top": func(i int) bool { return i == 99_999 },
	} {
		b.Run(name, func(b *testing.B) {
			from, to := inventory(compare.Lock, "a", stack(100_000, "", never)), inventory(compare.Lock, "b", stack(100_000, "2", changed))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := compare.Diff(from, to); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDiffOfOneName(b *testing.B) {
	group := func(generation string) *compare.Group {
		g := stack(100_000, generation, func(int) bool { return true })
		for _, p := range g.Packages {
			p.Name = "same"
		}
		return g
	}
	from, to := inventory(compare.Lock, "a", group("1")), inventory(compare.Lock, "b", group("2"))
	for b.Loop() {
		if _, err := compare.Diff(from, to); err != nil {
			b.Fatal(err)
		}
	}
}
