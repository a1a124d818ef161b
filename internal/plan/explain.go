package plan

import (
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

// Explain says in words in which inputs an object differs from what was
// recorded, the most telling first, and by which other object, if it is the
// change of another one that is the first reason.
func Explain(recorded *state.Object, o *providers.Object) (causes []string, cause string) {
	if recorded == nil || recorded.Key == o.Key {
		return nil, ""
	}
	return differences(recorded, o), causeOf(recorded, o)
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
