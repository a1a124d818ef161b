package plan

import (
	"esd/internal/addr"
	"esd/internal/providers"
)

// checkClaims refuses two objects that want to stand in the same place: each
// plan would let one overwrite the other, and none would ever be the last.
func (p *planner) checkClaims() error {
	if p.req.Mode == Destroy {
		return nil
	}
	owner := map[string]addr.Address{}
	for i, o := range p.objects {
		claimer, ok := p.provider[i].(providers.Claimer)
		if !ok {
			continue
		}
		for _, place := range claimer.Claims(o) {
			if first, taken := owner[place]; taken {
				return &ConflictError{Place: place, First: first, Second: o.Address}
			}
			owner[place] = o.Address
		}
	}
	return nil
}
