package plan

import (
	"fmt"
	"slices"

	"esd/internal/addr"
	"esd/internal/state"
)

// applyMoves gives recorded objects the addresses that moved blocks say, in
// the order of the addresses, following chains.
func (p *planner) applyMoves() error {
	if err := checkMoves(p.req.Moved); err != nil {
		return err
	}
	for range p.req.Moved { // a chain is as long as the list at most
		moved := false
		for _, m := range p.req.Moved {
			for _, from := range sortedKeys(p.state) {
				to, ok := movedTo(m, from)
				if !ok || p.state[to] != nil {
					continue
				}
				o := p.state[from]
				delete(p.state, from)
				p.state[to] = o
				p.recordMove(from, to, o)
				moved = true
			}
		}
		if !moved {
			break
		}
	}
	p.warnOfBlockedMoves()
	p.renameDependencies()
	return nil
}

// warnOfBlockedMoves says which objects could not be moved because something is
// recorded where they should go.
func (p *planner) warnOfBlockedMoves() {
	for _, m := range p.req.Moved {
		for _, from := range sortedKeys(p.state) {
			if to, ok := movedTo(m, from); ok {
				p.warnings = append(p.warnings, fmt.Sprintf("%s cannot be moved to %s, because that is recorded already: %s is left alone, or goes with its block",
					from, to, from))
			}
		}
	}
}

// checkMoves refuses moves that lead back to where they began: every plan would
// move the same objects again.
func checkMoves(moves []Moved) error {
	next := make(map[string]string, len(moves))
	for _, m := range moves {
		next[m.From.String()] = m.To.String()
	}
	for _, m := range moves {
		start := m.From.String()
		path := []string{start}
		for at, ok := next[start]; ok && len(path) <= len(moves); at, ok = next[at] {
			path = append(path, at)
			if at == start {
				return &MoveCycleError{path}
			}
		}
	}
	return nil
}

func (p *planner) recordMove(from, to string, o *state.Object) {
	for i, c := range p.moves {
		if c.Address == from {
			p.moves[i].Address = to
			return
		}
	}
	p.moves = append(p.moves, Change{Address: to, From: from, Kind: o.Kind, Action: Move, Key: o.Key, PriorKey: o.Key,
		Reason: "moved from " + from})
}

// renameDependencies lets records name the moved objects that they depend on
// by their new addresses.
func (p *planner) renameDependencies() {
	if len(p.moves) == 0 {
		return
	}
	renamed := make(map[string]string, len(p.moves))
	for _, m := range p.moves {
		renamed[m.From] = m.Address
	}
	for address, o := range p.state {
		if !slices.ContainsFunc(o.Dependencies, func(dep string) bool { return renamed[dep] != "" }) {
			continue
		}
		next := *o
		next.Dependencies = slices.Clone(o.Dependencies)
		for i, dep := range next.Dependencies {
			if to := renamed[dep]; to != "" {
				next.Dependencies[i] = to
			}
		}
		p.state[address] = &next
	}
}

// movedTo gives the new address of what from names, if the move covers it.
func movedTo(m Moved, from string) (string, bool) {
	a, err := addr.Parse(from)
	if err != nil || !m.From.Matches(a) {
		return "", false
	}
	if m.From.Module != "" {
		if m.To.Module == "" {
			return "", false
		}
		a.Module = m.To.Module + a.Module[len(m.From.Module):]
		return a.String(), true
	}
	to := m.To.Address
	if a.Keyed && !m.From.Address.Keyed && !to.Keyed {
		to = to.Instance(a.Key)
	}
	return to.String(), true
}
