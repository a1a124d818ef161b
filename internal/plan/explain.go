package plan

import (
	"cmp"
	"slices"

	"esd/internal/providers"
	"esd/internal/state"
)

// Kept is an object that somebody needs and that is as wanted.
type Kept struct {
	Address string
	// Reason says where it is: "is in cache local".
	Reason string
	// NeededBy is an object that needs it; empty for a toplevel.
	NeededBy string
}

// Demand is one form of an object that a step of another one needs.
type Demand struct {
	Address, By string
	// Op is the operation of the step that needs it.
	Op   string
	Form providers.Form
}

// Explain says in words in which inputs an object differs from what was
// recorded, the most telling first, and by which other object, if it is the
// change of another one that is the first reason.
func Explain(recorded *state.Object, o *providers.Object) (causes []string, cause string) {
	if recorded == nil || recorded.Key == o.Key {
		return nil, ""
	}
	return differences(recorded, o), causeOf(recorded, o)
}

// demands notes what the steps of an object need.
func (p *planner) demands(out *Plan, i int, d *decision) {
	if !p.req.Explain {
		return
	}
	by := p.objects[i].Address.String()
	var list []Demand
	for _, s := range d.steps {
		for _, need := range s.Needs {
			list = append(list, Demand{need.Address.String(), by, s.Op, need.Form})
		}
	}
	slices.SortFunc(list, func(a, b Demand) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Op, b.Op), cmp.Compare(a.Form, b.Form))
	})
	out.Demands = append(out.Demands, slices.Compact(list)...)
}

func (p *planner) keep(out *Plan, i int, d *decision) {
	if !p.req.Explain {
		return
	}
	kept := Kept{Address: p.objects[i].Address.String(), Reason: firstOr([]string{d.reason}, "exists as wanted")}
	if d.neededBy >= 0 {
		kept.NeededBy = p.objects[d.neededBy].Address.String()
	}
	out.Kept = append(out.Kept, kept)
}
