package workspace

import (
	"context"
	"fmt"

	"esd/internal/plan"
)

// saved checks that nothing has moved on since a plan was saved: neither the
// state nor what the configuration means.
func (s *session) saved(ctx context.Context, opts ApplyOptions) (*Planned, error) {
	p := opts.Saved
	now := plan.StateID{}
	if s.state != nil {
		now = plan.StateID{Lineage: s.state.Lineage, Serial: s.state.Serial}
	}
	if p.State != now {
		return nil, fmt.Errorf("%w: it was made against %s, and there is %s now; plan again", plan.ErrStale, describe(p.State), describe(now))
	}
	resolved, diags := s.w.Resolve(ctx, s.state)
	if diags.HasErrors() {
		return nil, diags
	}
	outputs, err := outputValues(resolved.Evaluated.Outputs)
	if err != nil {
		return nil, err
	}
	if id := s.w.configID(resolved, outputs); id.Digest != p.Config.Digest {
		return nil, fmt.Errorf("%w: the configuration has changed since%s; plan again", plan.ErrStale, moved(p, resolved))
	}
	planned := &Planned{Plan: p, State: s.state, Resolved: resolved, CPUs: opts.CPUs, Memory: opts.Memory}
	if planned.CPUs == 0 {
		planned.CPUs = p.Forecast.CPUs
	}
	return planned, nil
}

func describe(id plan.StateID) string {
	if id.Lineage == "" {
		return "no state"
	}
	return fmt.Sprintf("serial %d of state %s", id.Serial, id.Lineage[:min(len(id.Lineage), 8)])
}

// moved names the first object of a plan whose key is another one now.
func moved(p *plan.Plan, r *Resolved) string {
	keys := map[string]string{}
	for _, o := range r.Objects {
		keys[o.Address.String()] = o.Key
	}
	for _, c := range p.Changes {
		switch now, there := keys[c.Address]; {
		case c.Record == nil:
		case !there:
			return fmt.Sprintf(" (%s is gone)", c.Address)
		case now != c.Key:
			return fmt.Sprintf(" (%s is another one now)", c.Address)
		}
	}
	return ""
}
