package plan

import (
	"bytes"
	"maps"
	"slices"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/state"
)

// Verified is a saved plan that may be done.
type Verified struct {
	// Plan is what is left to do of it.
	Plan *Plan
	// Moved tells that the state or the configuration is not what it was, in
	// nothing that the plan rests on.
	Moved bool
	// Done are the objects with which all is as the plan wants it already,
	// because of another apply or an earlier one of this plan.
	Done []string
	// Further are the objects that the configuration wants otherwise and that
	// the plan does not touch.
	Further []string
	// Unconfigured are the objects that are recorded, that the configuration does
	// not have, and that the plan does not touch: another apply has recorded them
	// since, or they were taken out of the configuration.
	Unconfigured []string
}

// Verify checks a saved plan against what is configured and recorded now, which
// the request gives as it does for a new plan; nobody is asked what exists. A
// *StaleError says what has moved of what the plan rests on.
//
// What has moved besides does not matter; and what is already as the plan wants
// it does not either, so that a run which was killed can be taken up again with
// the same plan.
func (p *Plan) Verify(req Request) (*Verified, error) {
	v := &verifier{plan: p, out: Verified{Plan: p}}
	if req.State != nil {
		v.now = StateID{req.State.Lineage, req.State.Serial}
	}
	if err := checkSuccession(p.State, v.now); err != nil {
		return nil, err
	}
	sameConfig := p.Config.Digest == req.Config.Digest
	if v.now == p.State && sameConfig {
		return &v.out, nil
	}
	v.out.Moved = true
	if err := v.look(req); err != nil {
		return nil, err
	}
	for i := range p.Changes {
		v.change(&p.Changes[i])
	}
	if p.Mode == Apply {
		v.kept()
		v.settings()
		v.outputs()
	}
	if len(v.shifts) > 0 {
		sortShifts(v.shifts)
		return nil, &StaleError{Then: p.State, Now: v.now, Shifts: v.shifts}
	}
	if !sameConfig {
		v.further()
	}
	return &v.out, v.narrow()
}

// verifier compares one plan with what there is now.
type verifier struct {
	*planner // what is configured and recorded now; it plans nothing but ends
	plan     *Plan
	now      StateID
	planned  map[string]*Change  // by address
	moving   map[string]string   // where what moves now comes from, by its new address
	users    map[string][]string // recorded objects by what they need, in order
	steps    map[string][]Step   // those of the plan, by address
	shifts   []Shift
	out      Verified

	done map[string]bool // changes of which nothing is left but to make sure
	gone map[string]bool // changes of which nothing is left at all
}

// look prepares what is there now for comparing.
func (v *verifier) look(req Request) error {
	p := &planner{
		req: req, index: make(map[addr.Address]int, len(req.Objects)), settings: NewSettings(req.Objects),
		state: map[string]*state.Object{}, selectors: newSelectors(req),
	}
	p.req.Mode = v.plan.Mode
	if req.State != nil {
		for address, o := range req.State.Objects {
			p.state[address] = o
		}
	}
	for _, o := range req.Objects {
		if provider, plannable := req.Kind(o.Kind).(providers.Provider); plannable {
			p.index[o.Address] = len(p.objects)
			p.objects = append(p.objects, o)
			p.provider = append(p.provider, provider)
		}
	}
	if err := p.checkClaims(); err != nil {
		return err
	}
	if err := p.applyMoves(); err != nil {
		return err
	}
	v.planner = p
	v.planned = make(map[string]*Change, len(v.plan.Changes))
	for i := range v.plan.Changes {
		v.planned[v.plan.Changes[i].Address] = &v.plan.Changes[i]
	}
	v.moving = make(map[string]string, len(p.moves))
	for _, m := range p.moves {
		v.moving[m.Address] = m.From
	}
	v.done, v.gone = map[string]bool{}, map[string]bool{}
	v.listUses()
	return nil
}

// listUses notes what the ends of objects are compared with: there may be 100,000
// of each.
func (v *verifier) listUses() {
	v.users, v.steps = map[string][]string{}, map[string][]Step{}
	for _, address := range sortedKeys(v.state) {
		for _, dep := range v.state[address].Dependencies {
			v.users[dep] = append(v.users[dep], address)
		}
	}
	for _, s := range v.plan.Steps {
		v.steps[s.Address] = append(v.steps[s.Address], s)
	}
}

func (v *verifier) shift(address, what string) {
	v.shifts = append(v.shifts, Shift{Address: address, What: what})
}

// finished notes that nothing is left to do of a change.
func (v *verifier) finished(address string) {
	v.gone[address] = true
	v.out.Done = append(v.out.Done, address)
}

// outputs checks that those which the plan changes are to have the same values.
func (v *verifier) outputs() {
	now := make(map[string]OutputValue, len(v.req.Outputs))
	for _, o := range v.req.Outputs {
		now[o.Name] = o
	}
	for _, c := range v.plan.Outputs {
		o, there := now[c.Name]
		switch {
		case c.Removed && there:
			v.shift("output "+c.Name, "is in the configuration again")
		case c.Removed:
		case !there:
			v.shift("output "+c.Name, "is no longer in the configuration")
		case o.Sensitive != c.Sensitive:
			v.shift("output "+c.Name, "has changed whether it is sensitive")
		case c.Sensitive || c.Unknown:
		case o.Unknown || !bytes.Equal(o.Value, c.After):
			v.shift("output "+c.Name, "has another value now")
		}
	}
}

// further finds what the configuration wants and the plan does not do. A plan
// that was narrowed left things out from the start.
func (v *verifier) further() {
	if len(v.plan.Selection.Targets)+len(v.plan.Selection.Excludes) > 0 || v.plan.Mode != Apply {
		return
	}
	for i, o := range v.objects {
		address := o.Address.String()
		if v.planned[address] != nil || unrecorded(v.provider[i]) {
			continue
		}
		r := v.state[address]
		if r != nil && r.Key != o.Key || r == nil && !onDemand(v.provider[i]) {
			v.out.Further = append(v.out.Further, address)
		}
	}
	for _, address := range sortedKeys(v.state) {
		if _, configured := v.index[addressOf(address)]; !configured && v.planned[address] == nil {
			v.out.Unconfigured = append(v.out.Unconfigured, address)
		}
	}
	slices.Sort(v.out.Further)
}

// narrow takes out of the plan what is done. Where only some is, what its steps
// make is made sure of: a step for which somebody else did the work finds it
// done, but what others need on this machine may still be missing. Where all is,
// nobody needs it any more.
func (v *verifier) narrow() error {
	if len(v.done)+len(v.gone) == 0 && !v.movesDone() {
		return nil
	}
	if len(v.done)+len(v.gone) == len(v.plan.Changes) {
		maps.Copy(v.gone, v.done)
	}
	next := *v.plan
	next.Changes, next.Steps, next.Outputs = nil, nil, nil
	for _, c := range v.plan.Changes {
		if v.gone[c.Address] {
			next.Summary.take(c, v.isPackageAt(c.Address))
			continue
		}
		if c.From != "" && v.moving[c.Address] != c.From {
			c.From = "" // it has moved
		}
		next.Changes = append(next.Changes, c)
	}
	dropped := map[string]bool{}
	for _, s := range v.plan.Steps {
		if v.gone[s.Address] {
			dropped[s.ID] = true
		}
	}
	for _, s := range v.plan.Steps {
		if dropped[s.ID] {
			continue
		}
		if slices.ContainsFunc(s.Needs, func(id string) bool { return dropped[id] }) {
			s.Needs = slices.DeleteFunc(slices.Clone(s.Needs), func(id string) bool { return dropped[id] })
		}
		if v.done[s.Address] {
			if err := v.reuse(&s); err != nil {
				return err
			}
		}
		next.Steps = append(next.Steps, s)
	}
	for _, o := range v.plan.Outputs {
		if len(next.Steps) > 0 || !v.recordedAs(o) {
			next.Outputs = append(next.Outputs, o)
		}
	}
	v.out.Plan = &next
	return nil
}

// movesDone reports whether something that the plan moves has been moved.
func (v *verifier) movesDone() bool {
	return slices.ContainsFunc(v.plan.Changes, func(c Change) bool { return c.From != "" && v.moving[c.Address] != c.From })
}

// reuse lets a step that was to make something anew use what was made since.
func (v *verifier) reuse(s *Step) error {
	provider, ok := v.req.Kind(s.Kind).(providers.Reuser)
	if !ok {
		return nil
	}
	spec, err := provider.Reuse(s.Op, s.Spec)
	s.Spec = spec
	return err
}

// recordedAs reports whether an output is recorded as the plan wants it.
func (v *verifier) recordedAs(c OutputChange) bool {
	if v.req.State == nil {
		return false
	}
	recorded, there := v.req.State.Outputs[c.Name]
	switch {
	case c.Removed:
		return !there
	case !there || recorded.Sensitive() != c.Sensitive:
		return false
	}
	return c.Sensitive || c.Unknown || bytes.Equal(recorded.Value(), c.After)
}

// take takes a change out of the counts.
func (s *Summary) take(c Change, isPackage bool) {
	if c.Action == Adopt && isPackage {
		s.Reused--
		return
	}
	var one Summary
	one.count(c.Action)
	s.Build, s.Fetch, s.Push = s.Build-one.Build, s.Fetch-one.Fetch, s.Push-one.Push
	s.Create, s.Update, s.Destroy = s.Create-one.Create, s.Update-one.Update, s.Destroy-one.Destroy
	s.Adopt, s.Forget, s.Refresh, s.Move = s.Adopt-one.Adopt, s.Forget-one.Forget, s.Refresh-one.Refresh, s.Move-one.Move
}
