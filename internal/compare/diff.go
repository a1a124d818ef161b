package compare

import (
	"cmp"
	"slices"
	"strings"
)

// Diff compares two inventories. It fails with a [*NothingError] where they
// have nothing in common that could be compared.
func Diff(from, to *Inventory) (*Difference, error) {
	d := &Difference{From: Side{from.Kind, from.Name, from.Detail}, To: Side{to.Kind, to.Name, to.Detail}}
	from, to, err := align(from, to)
	if err != nil {
		return nil, err
	}
	d.Notes = slices.Compact(slices.Sorted(slices.Values(slices.Concat(from.Notes, to.Notes))))
	for _, g := range groupPairs(from.Groups, to.Groups, from.Kind == SpackLock || to.Kind == SpackLock) {
		gd := diffGroup(g.from, g.to)
		d.Groups = append(d.Groups, gd)
		d.Summary.add(gd.Summary)
	}
	return d, nil
}

func (s *Summary) add(t Summary) {
	s.Added += t.Added
	s.Removed += t.Removed
	s.Changed += t.Changed
	s.Rebuilt += t.Rebuilt
	s.Same += t.Same
	s.Specs += t.Specs
	s.Facts += t.Facts
}

type groupPair struct{ from, to *Group }

// groupPairs finds the groups that are the same on both sides: by address, or
// the only ones of their kind that are left, where addresses are not known or
// loose says that they do not matter.
func groupPairs(from, to []*Group, loose bool) []groupPair {
	var pairs []groupPair
	byAddress := map[string]*Group{}
	for _, g := range to {
		byAddress[groupKey(g)] = g
	}
	taken := map[*Group]bool{}
	var left []*Group
	for _, g := range from {
		if other := byAddress[groupKey(g)]; other != nil {
			pairs = append(pairs, groupPair{g, other})
			taken[other] = true
			continue
		}
		left = append(left, g)
	}
	var right []*Group
	for _, g := range to {
		if !taken[g] {
			right = append(right, g)
		}
	}
	for _, kind := range groupKinds {
		a, b := ofKind(left, kind), ofKind(right, kind)
		if len(a) == 1 && len(b) == 1 && (loose || a[0].Address == "" || b[0].Address == "") {
			pairs = append(pairs, groupPair{a[0], b[0]})
			continue
		}
		for _, g := range a {
			pairs = append(pairs, groupPair{g, nil})
		}
		for _, g := range b {
			pairs = append(pairs, groupPair{nil, g})
		}
	}
	slices.SortStableFunc(pairs, func(a, b groupPair) int { return strings.Compare(a.order(), b.order()) })
	return pairs
}

func groupKey(g *Group) string { return string(g.Kind) + " " + g.Address }

func ofKind(list []*Group, kind GroupKind) []*Group {
	var out []*Group
	for _, g := range list {
		if g.Kind == kind {
			out = append(out, g)
		}
	}
	return out
}

// order puts targets first: what is deployed is what most readers ask for.
func (p groupPair) order() string {
	g := cmp.Or(p.to, p.from)
	return string(rune('0'+slices.Index(groupKinds[:], g.Kind))) + g.Address
}

// groupKinds are all, in the order in which they are told.
var groupKinds = [...]GroupKind{Work, Target, Pins, Environment, Recipes, BaseSystem}

func diffGroup(from, to *Group) *GroupDifference {
	g := &GroupDifference{HasFrom: from != nil, HasTo: to != nil, Kind: cmp.Or(to, from).Kind}
	if from == nil {
		from = &Group{}
	}
	if to == nil {
		to = &Group{}
	}
	g.From, g.To = from.Address, to.Address
	g.Facts = diffFacts(from.Facts, to.Facts)
	if from.Spack != "" && to.Spack != "" && from.Spack != to.Spack {
		g.Facts = append(g.Facts, FactChange{SpackFact, "", &Fact{Kind: SpackFact, Value: from.Spack}, &Fact{Kind: SpackFact, Value: to.Spack}})
	}
	if from.SpecsKnown && to.SpecsKnown {
		g.SpecsAdded, g.SpecsRemoved = onlyIn(to.Specs, from.Specs), onlyIn(from.Specs, to.Specs)
	}
	if !from.Unknown && !to.Unknown {
		g.packages(from, to)
	}
	g.Summary.Specs = len(g.SpecsAdded) + len(g.SpecsRemoved)
	g.Summary.Facts = len(g.Facts)
	return g
}

// SpackFact is the kind of the fact that tells which Spack concretized a group.
const SpackFact = "Spack"

// onlyIn lists what only the first of two lists has.
func onlyIn(list, other []string) []string {
	have := make(map[string]bool, len(other))
	for _, s := range other {
		have[s] = true
	}
	var only []string
	for _, s := range list {
		if !have[s] {
			only = append(only, s)
		}
	}
	slices.Sort(only)
	return slices.Compact(only)
}

func diffFacts(from, to []Fact) []FactChange {
	key := func(f *Fact) string { return f.Kind + "\x00" + f.Name }
	index := func(list []Fact) map[string]*Fact {
		m := make(map[string]*Fact, len(list))
		for i := range list {
			m[key(&list[i])] = &list[i]
		}
		return m
	}
	before, after := index(from), index(to)
	var out []FactChange
	for _, k := range unionOfKeys(before, after) {
		a, b := before[k], after[k]
		if a != nil && b != nil && a.same(b) {
			continue
		}
		f := cmp.Or(b, a)
		out = append(out, FactChange{f.Kind, f.Name, a, b})
	}
	return out
}

// same compares by content where it is known of both, else by value.
func (f *Fact) same(other *Fact) bool {
	if n := min(len(f.ID), len(other.ID)); n >= shortID {
		return f.ID[:n] == other.ID[:n]
	}
	return f.Value == other.Value
}

func (g *GroupDifference) packages(from, to *Group) {
	before, after := comparable(from, to), comparable(to, from)
	m := match(before, after)
	changes := make(map[*Package]*Change, len(m.changed))
	var rebuilt []pair
	for _, p := range m.changed {
		switch fields := fieldsOf(p.from, p.to); {
		case len(fields) > 0:
			changes[p.to] = &Change{p.from, p.to, fields}
		case p.from.ID == "" || p.to.ID == "":
			m.same++ // as far as is known
		default:
			rebuilt = append(rebuilt, p)
		}
	}
	g.Rebuilt = explain(m, rebuilt, after, changes)
	g.Summary = Summary{Added: len(m.added), Removed: len(m.removed), Changed: len(changes), Rebuilt: len(rebuilt), Same: m.same}
	g.Added, g.Removed = m.added, m.removed
	slices.SortFunc(g.Added, comparePackages)
	slices.SortFunc(g.Removed, comparePackages)
	g.fold(changes)
}

// comparable are the packages of a group that another one could have too.
func comparable(g, other *Group) []*Package {
	if !other.RunOnly || g.RunOnly {
		return g.Packages
	}
	var list []*Package
	for _, p := range g.Packages {
		if p.Runs {
			list = append(list, p)
		}
	}
	return list
}
