package lockfile

import (
	"cmp"
	"slices"
	"strings"

	"esd/internal/spack"
)

// Difference is what is different between two locks, in words of packages. The
// order of packages and roots in the files plays no part: it is another one
// after each concretization.
type Difference struct {
	// Added and Removed are packages for which there is no counterpart, by name.
	Added, Removed []*spack.Spec
	// Changed are packages that have another hash, by name.
	Changed []Change
	// RootsAdded and RootsRemoved are what is asked for.
	RootsAdded, RootsRemoved []string
}

// Change is a package that has another hash.
type Change struct {
	From, To *spack.Spec
	// Own is what changed about the package itself: "8.2.4 → 8.2.6",
	// "+mpi → ~mpi", "recipe changed".
	Own []string
	// Dependencies are the names of direct dependencies that have another hash.
	Dependencies []string
}

// Diff compares two locks.
func Diff(from, to *Lock) Difference {
	d := Difference{
		RootsAdded:   missingIn(from.AllRoots(), to.AllRoots()),
		RootsRemoved: missingIn(to.AllRoots(), from.AllRoots()),
	}
	before, after := onlyIn(from, to), onlyIn(to, from)
	for name, old := range before {
		d.pair(old, after[name])
	}
	for name, fresh := range after {
		if before[name] == nil {
			d.Added = append(d.Added, fresh...)
		}
	}
	slices.SortFunc(d.Added, byName)
	slices.SortFunc(d.Removed, byName)
	slices.SortFunc(d.Changed, func(a, b Change) int { return byName(a.From, b.From) })
	return d
}

// Empty reports whether both locks ask for the same and have the same packages.
func (d Difference) Empty() bool {
	return len(d.Added)+len(d.Removed)+len(d.Changed)+len(d.RootsAdded)+len(d.RootsRemoved) == 0
}

func byName(a, b *spack.Spec) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), spack.CompareVersions(a.Version, b.Version), strings.Compare(string(a.Hash), string(b.Hash)))
}

// missingIn lists what is asked for in the second list only.
func missingIn(a, b []Root) []string {
	var list []string
	for _, r := range b {
		if !slices.ContainsFunc(a, func(o Root) bool { return o.Spec == r.Spec }) {
			list = append(list, r.Spec)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// onlyIn groups the specs that only one of two locks has by their names.
func onlyIn(l, other *Lock) map[string][]*spack.Spec {
	only := map[string][]*spack.Spec{}
	for h, s := range l.Specs {
		if other.Specs[h] == nil {
			only[s.Name] = append(only[s.Name], s)
		}
	}
	for _, list := range only {
		slices.SortFunc(list, byName)
	}
	return only
}

// maxPairs bounds the work of finding out which of several packages of one
// name became which. Real environments have two or three of a name.
const maxPairs = 256

// pair finds out which of several packages of one name became which: those
// that have most in common, or simply in the order of versions if there are
// very many.
func (d *Difference) pair(before, after []*spack.Spec) {
	for len(before)*len(after) > maxPairs {
		d.Changed = append(d.Changed, compare(before[0], after[0]))
		before, after = before[1:], after[1:]
	}
	for len(before) > 0 && len(after) > 0 {
		var best Change
		bi, bj := -1, -1
		for i, from := range before {
			for j, to := range after {
				if c := compare(from, to); bi < 0 || c.cost() < best.cost() {
					best, bi, bj = c, i, j
				}
			}
		}
		d.Changed = append(d.Changed, best)
		before, after = slices.Delete(before, bi, bi+1), slices.Delete(after, bj, bj+1)
	}
	d.Removed = append(d.Removed, before...)
	d.Added = append(d.Added, after...)
}

// cost is small for packages that have much in common.
func (c Change) cost() int {
	n := 2*len(c.Own) + len(c.Dependencies)
	if c.From.Version != c.To.Version {
		n += 8
	}
	return n
}
