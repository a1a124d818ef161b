package compare

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// minCommon is how many packages must share a change for it to be told once
// for all of them.
const minCommon = 5

// fold tells changes that many packages share once, and what else changed
// package by package.
func (g *GroupDifference) fold(changes map[*Package]*Change) {
	count := map[Field]int{}
	for _, c := range changes {
		for _, f := range c.Fields {
			if f.Kind != VersionField {
				count[f]++
			}
		}
	}
	common := map[Field]*CommonChange{}
	for f, n := range count {
		if n >= minCommon {
			common[f] = &CommonChange{Field: f}
		}
	}
	for _, p := range slices.SortedFunc(maps.Keys(changes), comparePackages) {
		c := changes[p]
		var own []Field
		for _, f := range c.Fields {
			if common[f] == nil {
				own = append(own, f)
				continue
			}
			common[f].Packages = append(common[f].Packages, p)
			if len(c.Fields) == 1 {
				common[f].Alone++
			}
		}
		if len(own) > 0 {
			g.Changed = append(g.Changed, Change{c.From, c.To, own})
		}
	}
	slices.SortStableFunc(g.Changed, func(a, b Change) int {
		return cmp.Or(cmp.Compare(boolInt(b.Asked()), boolInt(a.Asked())), strings.Compare(a.To.Name, b.To.Name))
	})
	for _, c := range common {
		g.Common = append(g.Common, *c)
	}
	slices.SortFunc(g.Common, func(a, b CommonChange) int {
		return cmp.Or(cmp.Compare(len(b.Packages), len(a.Packages)), compareFields(a.Field, b.Field))
	})
}

func compareFields(a, b Field) int {
	return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Name, b.Name),
		strings.Compare(a.From, b.From), strings.Compare(a.To, b.To))
}
