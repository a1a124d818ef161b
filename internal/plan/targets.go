package plan

import (
	"slices"

	"esd/internal/addr"
)

// targetSet answers whether an address is named by one of many targets, at a
// cost that does not grow with their number.
type targetSet struct {
	named    map[addr.Address]bool // blocks and instances
	modules  []addr.Target
	packages []addr.Target // of environments
}

func newTargetSet(targets []addr.Target) targetSet {
	s := targetSet{named: make(map[addr.Address]bool, len(targets))}
	for _, t := range targets {
		switch {
		case t.Module != "":
			s.modules = append(s.modules, t)
			continue
		case t.Address.Package != "":
			s.packages = append(s.packages, t)
			continue
		}
		s.named[t.Address] = true
	}
	return s
}

// has reports whether a is named. Who names an environment does not mean each of
// its packages, but what is needed of them.
func (s targetSet) has(a addr.Address) bool {
	if a.Package != "" {
		return slices.ContainsFunc(s.packages, func(t addr.Target) bool { return t.Matches(a) })
	}
	if s.named[a] || s.named[a.Block()] {
		return true
	}
	for _, m := range s.modules {
		if m.Matches(a) {
			return true
		}
	}
	return false
}

// selectors are the user's choices.
type selectors struct{ targets, excludes, replaces targetSet }

func newSelectors(req Request) selectors {
	return selectors{newTargetSet(req.Targets), newTargetSet(req.Excludes), newTargetSet(req.Replaces)}
}

// unmatched finds the first target that names none of the addresses.
func unmatched(targets []addr.Target, known []addr.Address) (addr.Target, bool) {
	present := make(map[addr.Address]bool, 2*len(known))
	for _, a := range known {
		present[a], present[a.Block()] = true, true
	}
	for _, t := range targets {
		found := t.Module == "" && present[t.Address]
		for i := 0; (t.Module != "" || t.Address.Package != "") && !found && i < len(known); i++ {
			found = t.Matches(known[i])
		}
		if !found {
			return t, true
		}
	}
	return addr.Target{}, false
}
