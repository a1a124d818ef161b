package compare

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"
)

// maxCauses is of how many changes it is found out what all they reach: those
// that most packages need directly. Real locks have fewer.
const maxCauses = 1024

// causes finds out why packages are other builds that did not change
// themselves.
type causes struct {
	rebuilt []pair
	id      func(string) string
	byID    map[string]*Package  // of the second group
	changes map[*Package]*Change // by package of the second group
	isOther map[*Package]bool    // that are rebuilt
	index   map[*Package]int     // of causes
	list    []*Package
	reached map[*Package][]uint64 // a bit for each cause
	entered map[*Package]bool
}

// explain groups rebuilt packages by the change that is the cause of most.
func explain(m matched, rebuilt []pair, to []*Package, changes map[*Package]*Change) []Rebuilt {
	c := &causes{
		rebuilt: rebuilt, id: m.id, byID: make(map[string]*Package, len(to)), changes: changes,
		isOther: make(map[*Package]bool, len(rebuilt)), index: map[*Package]int{}, reached: make(map[*Package][]uint64, len(rebuilt)), entered: make(map[*Package]bool, len(rebuilt)),
	}
	for _, p := range to {
		c.byID[m.id(p.ID)] = p
	}
	for _, r := range rebuilt {
		c.isOther[r.to] = true
	}
	c.choose()
	return c.group()
}

// choose picks the causes: packages that changed, that the most others need.
func (c *causes) choose() {
	count := make(map[*Package]int, len(c.changes))
	for p := range c.changes {
		count[p] = 0
	}
	note := func(p *Package) {
		c.below(p, func(d *Package) {
			if c.changes[d] != nil {
				count[d]++
			}
		})
	}
	for _, r := range c.rebuilt {
		note(r.to)
	}
	for p := range c.changes {
		note(p)
	}
	for p := range count {
		c.list = append(c.list, p)
	}
	slices.SortFunc(c.list, func(a, b *Package) int { return cmp.Or(cmp.Compare(count[b], count[a]), comparePackages(a, b)) })
	c.list = c.list[:min(len(c.list), maxCauses)]
	for i, p := range c.list {
		c.index[p] = i
	}
}

// below calls visit for the direct dependencies that are other ones than
// before.
func (c *causes) below(p *Package, visit func(*Package)) {
	for _, e := range p.Needs {
		if d := c.byID[c.id(string(e.Hash))]; d != nil && d != p && (c.isOther[d] || c.changes[d] != nil) {
			visit(d)
		}
	}
}

// reach is which causes a package has. It keeps a stack of its own: chains of
// dependencies may be long.
func (c *causes) reach(p *Package) []uint64 {
	stack := []*Package{p}
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		if c.reached[top] != nil {
			stack = stack[:len(stack)-1]
			continue
		}
		if !c.entered[top] {
			c.entered[top] = true
			c.below(top, func(d *Package) {
				if c.reached[d] == nil && !c.entered[d] {
					stack = append(stack, d)
				}
			})
			continue
		}
		c.reached[top] = c.union(top)
		stack = stack[:len(stack)-1]
	}
	return c.reached[p]
}

func (c *causes) union(p *Package) []uint64 {
	set := make([]uint64, (len(c.list)+63)/64)
	c.below(p, func(d *Package) {
		for w, word := range c.reached[d] {
			set[w] |= word
		}
		if i, ok := c.index[d]; ok {
			set[i/64] |= 1 << (i % 64)
		}
	})
	return set
}

// group gives each package the cause that has most packages.
func (c *causes) group() []Rebuilt {
	reach := make([]int, len(c.list))
	each := func(set []uint64, visit func(i int)) {
		for w, word := range set {
			for ; word != 0; word &= word - 1 {
				visit(w*64 + bits.TrailingZeros64(word))
			}
		}
	}
	for _, r := range c.rebuilt {
		each(c.reach(r.to), func(i int) { reach[i]++ })
	}
	groups := map[*Package]*Rebuilt{}
	for _, r := range c.rebuilt {
		best := -1
		each(c.reached[r.to], func(i int) {
			if best < 0 || reach[i] > reach[best] || reach[i] == reach[best] && c.telling(i) > c.telling(best) {
				best = i
			}
		})
		var cause *Package
		if best >= 0 {
			cause = c.list[best]
		}
		if groups[cause] == nil {
			groups[cause] = &Rebuilt{Cause: c.changes[cause]}
		}
		groups[cause].Packages = append(groups[cause].Packages, r.to)
	}
	return sortedGroups(groups)
}

// telling is more for a change of version than for others.
func (c *causes) telling(i int) int {
	for _, f := range c.changes[c.list[i]].Fields {
		if f.Kind == VersionField {
			return 1
		}
	}
	return 0
}

func sortedGroups(groups map[*Package]*Rebuilt) []Rebuilt {
	var list []Rebuilt
	for _, g := range groups {
		slices.SortFunc(g.Packages, comparePackages)
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b Rebuilt) int {
		if (a.Cause == nil) != (b.Cause == nil) { // unknown causes last
			return cmp.Compare(boolInt(a.Cause == nil), boolInt(b.Cause == nil))
		}
		return cmp.Or(cmp.Compare(len(b.Packages), len(a.Packages)), strings.Compare(causeName(a), causeName(b)))
	})
	return list
}

func causeName(r Rebuilt) string {
	if r.Cause == nil {
		return ""
	}
	return r.Cause.To.Name + " " + r.Cause.To.ID
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
