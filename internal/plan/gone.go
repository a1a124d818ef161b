package plan

import (
	"context"
	"maps"
	"slices"
	"strings"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/state"
)

// planGone plans the end of what is recorded and no longer configured.
func (p *planner) planGone(out *Plan) error {
	var gone []string
	for _, address := range sortedKeys(p.state) {
		a := addressOf(address)
		if _, configured := p.index[a]; !configured && p.selected(a) {
			gone = append(gone, address)
		}
	}
	return p.remove(out, gone, "is no longer in the configuration")
}

// planDestroy plans the end of everything that is recorded and selected, and
// of what depends on it.
func (p *planner) planDestroy(out *Plan) error {
	selected := map[string]bool{}
	for address := range p.state {
		if p.selected(addressOf(address)) {
			selected[address] = true
		}
	}
	if len(p.req.Targets) > 0 {
		p.addDependents(selected)
	}
	p.dropExcluded(selected)
	return p.remove(out, sortedKeys(selected), "everything is to be destroyed")
}

// addDependents adds the recorded objects that need a selected one.
func (p *planner) addDependents(selected map[string]bool) {
	for grown := true; grown; {
		grown = false
		for address, o := range p.state {
			needs := slices.ContainsFunc(o.Dependencies, func(dep string) bool { return selected[dep] })
			if needs && !selected[address] {
				selected[address], grown = true, true
			}
		}
	}
}

// dropExcluded leaves out what --exclude names and all that it needs, which
// would not work without.
func (p *planner) dropExcluded(selected map[string]bool) {
	var stack []string
	for address := range p.state {
		if p.selectors.excludes.has(addressOf(address)) {
			stack = append(stack, address)
		}
	}
	seen := map[string]bool{}
	for len(stack) > 0 {
		address := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if o := p.state[address]; o != nil && !seen[address] {
			seen[address] = true
			delete(selected, address)
			stack = append(stack, o.Dependencies...)
		}
	}
}

// remove plans to destroy or to forget each of the recorded objects.
func (p *planner) remove(out *Plan, gone []string, reason string) error {
	var prevented []string
	for _, address := range gone {
		o := p.state[address]
		a := addressOf(address)
		c := Change{Address: address, Kind: o.Kind, Action: Remove, Reason: reason, PriorKey: o.Key, Attributes: o.Attributes}
		destroy, declared := p.removedBlock(a)
		switch {
		case declared && !destroy:
			c.Action, c.Reason = Forget, "a removed block says so"
		case p.protected(a, o) && !declared:
			prevented = append(prevented, address)
			continue
		}
		steps, err := p.destroySteps(a, o, c.Action)
		if err != nil {
			return err
		}
		if len(steps) == 0 {
			c.Action = Forget
		}
		for _, s := range steps {
			out.Steps = append(out.Steps, Step{
				ID: address + "#" + s.Op, Address: address, Kind: o.Kind, Op: s.Op, Title: s.Title, Key: o.Key, Reason: c.Reason,
				Completes: true, Resources: s.Resources, Download: s.Download, Upload: s.Upload, Seconds: -1, Spec: s.Spec,
			})
		}
		out.Changes = append(out.Changes, c)
	}
	if len(prevented) > 0 {
		return &PreventedError{prevented}
	}
	p.linkDestroy(out)
	return nil
}

// protected reports whether prevent_destroy holds: as configured, or as
// recorded where the block is gone.
func (p *planner) protected(a addr.Address, o *state.Object) bool {
	if i, ok := p.index[a]; ok {
		return p.objects[i].PreventDestroy
	}
	return o.PreventDestroy
}

func (p *planner) removedBlock(a addr.Address) (destroy, declared bool) {
	for _, r := range p.req.Removed {
		if r.From.Matches(a) {
			return r.Destroy, true
		}
	}
	return false, false
}

func (p *planner) destroySteps(a addr.Address, o *state.Object, action Action) ([]providers.Step, error) {
	if action == Forget {
		return nil, nil
	}
	provider, ok := p.req.Kind(o.Kind).(providers.Provider)
	if !ok {
		return nil, nil // made by a kind that this esd does not know: nothing can be done but forget it
	}
	return provider.PlanDestroy(providers.DestroyRequest{Address: a, Recorded: o, Kept: p.kept(o.Kind)})
}

// kept are the configured objects of a kind that are not destroyed.
func (p *planner) kept(kind string) []*providers.Object {
	if p.req.Mode == Destroy {
		return nil
	}
	if p.byKind == nil {
		p.byKind = map[string][]*providers.Object{}
		for _, o := range p.objects {
			p.byKind[o.Kind] = append(p.byKind[o.Kind], o)
		}
	}
	return p.byKind[kind]
}

// linkDestroy lets an object go only after those that need it.
func (p *planner) linkDestroy(out *Plan) {
	removed := map[string]bool{}
	for _, c := range out.Changes {
		removed[c.Address] = c.Action == Remove
	}
	steps := map[string][]int{}
	for i, s := range out.Steps {
		if removed[s.Address] {
			steps[s.Address] = append(steps[s.Address], i)
		}
	}
	for _, user := range sortedKeys(steps) {
		for _, dep := range p.state[user].Dependencies {
			for _, d := range steps[dep] {
				for _, u := range steps[user] {
					out.Steps[d].Needs = append(out.Steps[d].Needs, out.Steps[u].ID)
				}
			}
		}
	}
}

// planRefresh makes the record match what exists; nothing is made or removed.
func (p *planner) planRefresh(ctx context.Context, out *Plan) error {
	var ask []int
	for i, o := range p.objects {
		if p.recorded[i] != nil && p.selected(o.Address) {
			ask = append(ask, i)
		}
	}
	if err := p.observe(ctx, ask); err != nil {
		return err
	}
	for _, i := range ask {
		if c, changed := p.refreshed(i); changed {
			out.Changes = append(out.Changes, c)
		}
	}
	return nil
}

// refreshed compares one record with what exists.
func (p *planner) refreshed(i int) (Change, bool) {
	o, r := p.objects[i], p.recorded[i]
	obs := p.observed[o.Address]
	c := Change{Address: o.Address.String(), Kind: o.Kind, Title: o.Title, PriorKey: r.Key, Drift: true, Attributes: r.Attributes}
	if isPackage(p.provider[i]) {
		if obs.Exists || r.Key != o.Key {
			return c, false
		}
		c.Action, c.Reason = Forget, "is in no cache any more"
		return c, true
	}
	switch {
	case obs.NotDrift:
		return c, false // it is only not yet where the configuration wants it
	case !obs.Exists:
		c.Action, c.Reason = Forget, firstOr([]string{obs.Problem}, "is gone")
		return c, true
	case obs.Key == r.Key:
		return c, false
	}
	c.Action, c.Key, c.Prior = Refresh, obs.Key, r.Attributes
	c.Reason = firstOr([]string{obs.Problem}, "was changed by somebody else")
	c.Record = &Record{Inputs: r.Inputs, Dependencies: r.Dependencies, PreventDestroy: r.PreventDestroy, Attributes: maps.Clone(r.Attributes)}
	if c.Key == "" {
		c.Key = strings.Repeat("0", 64) // nothing that esd makes has this key
	}
	return c, true
}
