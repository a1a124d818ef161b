package plan

import (
	"context"
	"maps"
)

// Existing plans to record everything that exists as it is wanted, needed or
// not: all that a state would say of a configuration which was applied, as far
// as caches and registries have it. It looks at every object. Of what is
// recorded counts only which sets of packages are there: such a set is recorded
// by itself where nothing is made of it.
func Existing(ctx context.Context, req Request) (*Plan, error) {
	before := req.State
	req.State, req.Mode = nil, Apply
	req.Targets, req.Excludes, req.Replaces, req.Only, req.NoRefresh = nil, nil, nil, "", false
	p, err := newPlanner(req)
	if err != nil {
		return nil, err
	}
	var ask []int
	for i := range p.objects {
		set := onDemand(p.provider[i]) && !isPackage(p.provider[i])
		if set && len(p.users[i]) > 0 && (before == nil || before.Get(p.objects[i].Address.String()) == nil) {
			continue
		}
		if !unrecorded(p.provider[i]) {
			ask = append(ask, i)
		}
	}
	if err := p.observe(ctx, ask); err != nil {
		return nil, err
	}
	out := &Plan{FormatVersion: FormatVersion, ESDVersion: req.ESDVersion, Mode: Apply, Config: req.Config}
	for _, i := range ask {
		o := p.objects[i]
		obs := p.observed[o.Address]
		if !obs.Exists || obs.Key != o.Key {
			continue
		}
		d := decision{action: Adopt, neededBy: -1}
		if isPackage(p.provider[i]) {
			p.decidePackage(o, obs, nil, &d)
		} else {
			p.decideTarget(o, obs, nil, &d)
		}
		d.action = Adopt
		change := p.change(i, &d)
		change.Record.Attributes = maps.Clone(obs.Attributes)
		out.Changes = append(out.Changes, change)
	}
	return out, p.finish(out)
}
