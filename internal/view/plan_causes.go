package view

import (
	"cmp"
	"slices"

	"esd/internal/plan"
)

// selected chooses which of many changes are listed: those that were asked for,
// then those with a reason of their own. Both lists keep the order.
func selected(p *plan.Plan, list []*plan.Change, limit int) (shown, rest []*plan.Change) {
	if len(list) <= limit+1 { // saying that there is one more takes a line too
		return list, nil
	}
	chosen := make(map[*plan.Change]bool, limit)
	for _, c := range ownReasonsFirst(p, list)[:limit] {
		chosen[c] = true
	}
	for _, c := range list {
		if chosen[c] {
			shown = append(shown, c)
		} else {
			rest = append(rest, c)
		}
	}
	return shown, rest
}

// ownReasonsFirst puts the changes that were asked for first, and of each part
// those that no other object caused, the ones that caused others at the head.
func ownReasonsFirst(p *plan.Plan, list []*plan.Change) []*plan.Change {
	causes := map[string]bool{}
	for i := range p.Changes {
		causes[p.Changes[i].Cause] = true
	}
	rank := func(c *plan.Change) int {
		switch {
		case c.Cause != "":
			return 2
		case causes[c.Address]:
			return 0
		}
		return 1
	}
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b *plan.Change) int {
		return cmp.Or(cmp.Compare(notAsked(a), notAsked(b)), cmp.Compare(rank(a), rank(b)))
	})
	return sorted
}

type causeCount struct {
	address string
	n       int
}

// rootCauses counts the changes by the object that is at the root of their
// causes, the greatest number first. Objects that are their own cause are left
// out.
func rootCauses(p *plan.Plan, list []*plan.Change, limit int) []causeCount {
	cause := make(map[string]string, len(p.Changes))
	for i := range p.Changes {
		cause[p.Changes[i].Address] = p.Changes[i].Cause
	}
	root := make(map[string]string, len(list))
	counts := map[string]int{}
	for _, c := range list {
		if c.Cause != "" {
			counts[rootOf(c.Address, cause, root)]++
		}
	}
	var groups []causeCount
	for address, n := range counts {
		groups = append(groups, causeCount{address, n})
	}
	slices.SortFunc(groups, func(a, b causeCount) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.address, b.address))
	})
	return groups[:min(limit, len(groups))]
}

// rootOf follows causes to the first, and keeps in root what it found. A
// circle, which only a plan from elsewhere can hold, ends where it is noticed.
func rootOf(address string, cause, root map[string]string) string {
	var path []string
	on := map[string]bool{}
	at := address
	for cause[at] != "" && root[at] == "" && !on[at] {
		on[at] = true
		path = append(path, at)
		at = cause[at]
	}
	end := at
	if root[at] != "" {
		end = root[at]
	}
	for _, step := range path {
		root[step] = end
	}
	return end
}
