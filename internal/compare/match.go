package compare

import (
	"cmp"
	"slices"
	"strings"

	"esd/internal/spack"
)

// pair is a package on both sides.
type pair struct{ from, to *Package }

// matched is which packages of two groups are the same ones.
type matched struct {
	same           int
	changed        []pair // of another ID
	added, removed []*Package
	// id is as much of an ID as is known of all packages.
	id func(string) string
}

// match finds out which package became which: by name, and of several with one
// name those that have most in common.
func match(from, to []*Package) matched {
	m := matched{id: func(id string) string { return id }}
	if hasShort(from) || hasShort(to) {
		m.id = func(id string) string { return id[:min(len(id), shortID)] }
	}
	before, after := byName(from), byName(to)
	for _, name := range unionOfKeys(before, after) {
		a, b := m.unchanged(before[name], after[name])
		m.pairUp(a, b)
	}
	return m
}

func byName(list []*Package) map[string][]*Package {
	by := make(map[string][]*Package, len(list))
	for _, p := range list {
		by[p.Name] = append(by[p.Name], p)
	}
	return by
}

// shortID is how much of an ID always tells packages of one name apart.
const shortID = 7

func hasShort(list []*Package) bool {
	return slices.ContainsFunc(list, func(p *Package) bool { return len(p.ID) < spack.HashLength })
}

// unchanged takes out those that both sides have.
func (m *matched) unchanged(from, to []*Package) (a, b []*Package) {
	if len(from) == 1 && len(to) == 1 { // nearly always
		if p, q := from[0], to[0]; q.ID == "" || m.id(p.ID) != m.id(q.ID) {
			return from, to
		} else if p.Action != q.Action {
			m.add(p, q)
		} else {
			m.same++
		}
		return nil, nil
	}
	have := make(map[string][]*Package, len(from))
	for _, p := range from {
		have[m.id(p.ID)] = append(have[m.id(p.ID)], p)
	}
	taken := make(map[*Package]bool, len(from))
	for _, p := range to {
		list := have[m.id(p.ID)]
		if p.ID == "" || len(list) == 0 {
			b = append(b, p)
			continue
		}
		taken[list[0]] = true
		have[m.id(p.ID)] = list[1:]
		if list[0].Action != p.Action {
			m.add(list[0], p)
		} else {
			m.same++
		}
	}
	for _, p := range from {
		if !taken[p] {
			a = append(a, p)
		}
	}
	slices.SortStableFunc(a, comparePackages)
	slices.SortStableFunc(b, comparePackages)
	return a, b
}

// comparePackages orders those that were asked for first.
func comparePackages(a, b *Package) int {
	switch {
	case a.Asked && !b.Asked:
		return -1
	case b.Asked && !a.Asked:
		return 1
	}
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	if a.Version != b.Version {
		return cmp.Or(spack.CompareVersions(a.Version, b.Version), strings.Compare(a.Version, b.Version))
	}
	return strings.Compare(a.ID, b.ID)
}

// maxPairs bounds the work of comparing each of several packages of one name
// with each other. Real environments have two or three of a name.
const maxPairs = 1024

// pairUp pairs packages of one name.
func (m *matched) pairUp(from, to []*Package) {
	if len(from) == 1 && len(to) == 1 {
		m.add(from[0], to[0])
		return
	}
	if len(from)*len(to) > maxPairs {
		from, to = m.pairBy(from, to, likeness)
		from, to = m.pairBy(from, to, func(p *Package) string { return p.Version })
		for len(from)*len(to) > maxPairs {
			m.add(from[0], to[0])
			from, to = from[1:], to[1:]
		}
	}
	type candidate struct{ i, j, cost int }
	var candidates []candidate
	if len(from)*len(to) > 1 {
		for i, a := range from {
			for j, b := range to {
				candidates = append(candidates, candidate{i, j, cost(a, b)})
			}
		}
		slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.cost, b.cost) })
	} else if len(from)*len(to) == 1 {
		candidates = append(candidates, candidate{})
	}
	usedFrom, usedTo := make([]bool, len(from)), make([]bool, len(to))
	for _, c := range candidates {
		if !usedFrom[c.i] && !usedTo[c.j] {
			usedFrom[c.i], usedTo[c.j] = true, true
			m.add(from[c.i], to[c.j])
		}
	}
	for i, p := range from {
		if !usedFrom[i] {
			m.removed = append(m.removed, p)
		}
	}
	for j, p := range to {
		if !usedTo[j] {
			m.added = append(m.added, p)
		}
	}
}

func (m *matched) add(from, to *Package) { m.changed = append(m.changed, pair{from, to}) }

// pairBy pairs packages for which a text is the same, and gives the others.
func (m *matched) pairBy(from, to []*Package, text func(*Package) string) (a, b []*Package) {
	waiting := make(map[string][]*Package, len(from))
	for _, p := range from {
		waiting[text(p)] = append(waiting[text(p)], p)
	}
	taken := make(map[*Package]bool, len(from))
	for _, p := range to {
		list := waiting[text(p)]
		if len(list) == 0 {
			b = append(b, p)
			continue
		}
		m.add(list[0], p)
		taken[list[0]] = true
		waiting[text(p)] = list[1:]
	}
	for _, p := range from {
		if !taken[p] {
			a = append(a, p)
		}
	}
	return a, b
}

// likeness is the same for packages of which nothing changed that pairing
// should mind.
func likeness(p *Package) string {
	if p.Detail == nil {
		return p.Version
	}
	var b strings.Builder
	b.WriteString(p.Version + " " + p.Detail.Target + " " + p.Detail.Compiler)
	for _, v := range p.Detail.Parameters {
		b.WriteString(" " + v.String())
	}
	return b.String()
}

// cost is small for packages that have much in common.
func cost(a, b *Package) int {
	n := 0
	for _, f := range fieldsOf(a, b) {
		switch f.Kind {
		case VersionField:
			n += 8
		case RecipeField, UseField:
			n++
		default:
			n += 2
		}
	}
	if a.Asked != b.Asked {
		n += 16
	}
	return n
}
