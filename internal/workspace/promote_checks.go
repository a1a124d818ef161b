package workspace

import (
	"fmt"
	"slices"

	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/state"
)

// PromoteError tells what keeps something from being promoted.
type PromoteError struct{ Problems []string }

func (e *PromoteError) Error() string {
	text := "nothing was promoted: not all checks have passed"
	for _, p := range e.Problems {
		text += "\n" + p
	}
	return text + "\n\nRun `esd apply` first. --force promotes without."
}

// problems says what keeps environments from being promoted: targets that are not
// recorded as they should be, and that there are none.
func (p *promoter) problems(targets, environments []*providers.Object) []string {
	list := p.unchecked(targets)
	for _, e := range environments {
		if !slices.ContainsFunc(targets, func(t *providers.Object) bool { return slices.Contains(p.environmentsOf(t), e.Address) }) {
			list = append(list, fmt.Sprintf("%s is in no target, so nothing has checked it", e.Address))
		}
	}
	return list
}

// unchecked says of each target that is not recorded as it should be what is
// missing.
func (p *promoter) unchecked(targets []*providers.Object) []string {
	var list []string
	for _, o := range targets {
		var r *state.Object
		if p.state != nil {
			r = p.state.Get(o.Address.String())
		}
		switch {
		case r == nil:
			list = append(list, fmt.Sprintf("%s was never applied", o.Address))
		case r.Tainted:
			list = append(list, fmt.Sprintf("%s is tainted: it is to be made anew", o.Address))
		case len(o.Unpinned) > 0:
			list = append(list, (&plan.UnpinnedError{Address: o.Address, Pins: o.Unpinned}).Error())
		case r.Key != o.Key:
			list = append(list, fmt.Sprintf("%s has changed since it was applied: %s", o.Address, difference(o, r)))
		}
	}
	return list
}

// difference says which input of a target changed since it was recorded.
func difference(o *providers.Object, r *state.Object) string {
	for _, in := range o.Inputs {
		before, known := r.Inputs[in.Name]
		switch {
		case !known:
			return in.Name + " is new"
		case before != in.Recorded():
			return in.Name + " has changed"
		}
	}
	return "something that it is made of has changed"
}
