package state

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"esd/internal/addr"
)

// Moved is the change of one address.
type Moved struct{ From, To string }

// Move gives new addresses to an object, to all instances of a block, or to all
// that stands in a module, and renames them where others depend on them. It
// does everything or, with an error, nothing: when no object is meant (a
// *NotFoundError), when a new address is taken, or when an object would come
// under another kind. The result is sorted.
//
// Taking a block from one object to for_each is a move to its instance:
// recipe.a to recipe.a["x"].
func (s *State) Move(from, to string) ([]Moved, error) {
	source, ok := split(from)
	if !ok {
		return nil, fmt.Errorf("move: %q is no address", from)
	}
	target, ok := split(to)
	if !ok || strings.Contains(to, "[*]") {
		return nil, fmt.Errorf("move: %q is no address", to)
	}
	moved := []Moved{}
	for address := range s.Objects {
		if next, ok := renamed(address, source, target); ok {
			moved = append(moved, Moved{From: address, To: next})
		}
	}
	if len(moved) == 0 {
		return nil, &NotFoundError{Address: from}
	}
	slices.SortFunc(moved, func(a, b Moved) int { return strings.Compare(a.From, b.From) })
	if err := s.checkMoved(moved); err != nil {
		return nil, err
	}
	s.rename(moved, source, target)
	return moved, nil
}

// renamed returns the address that another one becomes, and false when it is
// not meant.
func renamed(address string, source, target []string) (string, bool) {
	have, ok := split(address)
	if !ok || len(have) < len(source) || !slices.Equal(have[:len(source)], source) {
		return "", false
	}
	rest := have[len(source):]
	if len(rest) > 0 && rest[0][0] == '[' && target[len(target)-1][0] == '[' {
		// An instance cannot become the instance of an instance.
		return "", false
	}
	return join(slices.Concat(target, rest)), true
}

func (s *State) checkMoved(moved []Moved) error {
	leaving := map[string]bool{}
	for _, m := range moved {
		leaving[m.From] = true
	}
	for _, m := range moved {
		if s.Objects[m.To] != nil && !leaving[m.To] {
			return fmt.Errorf("move %s: %s is in the state already; remove or move that one first", m.From, m.To)
		}
		block, ok := split(m.To)
		if n := len(block) - 1; ok && block[n][0] == '/' {
			block = block[:n] // a concrete package: its environment must be right
		}
		kind := s.Objects[m.From].Kind
		if a, err := addr.Parse(join(block)); err != nil || a.Kind != kind {
			return fmt.Errorf("move %s: %s is no address of a %s", m.From, m.To, kind)
		}
	}
	return nil
}

func (s *State) rename(moved []Moved, source, target []string) {
	next := maps.Clone(s.Objects)
	for _, m := range moved {
		delete(next, m.From)
	}
	for _, m := range moved {
		o := *s.Objects[m.From]
		o.Address = m.To
		next[m.To] = &o
	}
	for address, o := range next {
		if deps, changed := renamedAll(o.Dependencies, source, target); changed {
			c := *o
			c.Dependencies = deps
			next[address] = &c
		}
	}
	s.Objects = next
}

func renamedAll(list []string, source, target []string) ([]string, bool) {
	var next []string
	for i, address := range list {
		if to, ok := renamed(address, source, target); ok {
			if next == nil {
				next = slices.Clone(list)
			}
			next[i] = to
		}
	}
	if next == nil {
		return list, false
	}
	return sortedSet(next), true
}

// Remove forgets objects, all of them or, with a *NotFoundError, none. What
// depends on them keeps saying so: the thing itself is still there.
func (s *State) Remove(addresses ...string) error {
	for _, address := range addresses {
		if s.Objects[address] == nil {
			return &NotFoundError{Address: address}
		}
	}
	for _, address := range addresses {
		delete(s.Objects, address)
	}
	return nil
}
