package plan

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/state"
)

// decision is what was decided for one object.
type decision struct {
	demanded bool
	action   Action
	reason   string
	drift    bool
	work     bool // steps are needed
	steps    []providers.Step
	neededBy int // the object whose demand came first; -1 for a toplevel
}

// planApply plans to make what is there match the configuration.
//
// Whether a package is needed shows only when it is known what its users lack,
// so observing and planning alternate. The second round asks about everything
// that the demanded packages could need: one batch of look-ups is cheaper than
// one round trip for each level of the graph.
func (p *planner) planApply(ctx context.Context, out *Plan) error {
	roots := p.toplevels()
	if err := p.observe(ctx, slices.Clone(roots)); err != nil {
		return err
	}
	for {
		decisions, missing, err := p.pass(roots)
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			if err := p.observe(ctx, p.closure(missing)); err != nil {
				return err
			}
			continue
		}
		p.collect(out, decisions)
		break
	}
	if err := p.planGone(out); err != nil {
		return err
	}
	p.warnOfKept(out)
	p.planOutputs(out)
	return nil
}

// warnOfKept says which targets keep the old product of a package that
// --replace makes anew: its content key stays the same, and so do theirs.
func (p *planner) warnOfKept(out *Plan) {
	if len(p.req.Replaces) == 0 {
		return
	}
	changed := map[string]bool{}
	for _, c := range out.Changes {
		changed[c.Address] = true
	}
	contains := make([]string, len(p.objects)) // a replaced package in each
	for i, o := range p.objects {              // dependencies stand before
		if isPackage(p.provider[i]) && p.selectors.replaces.has(o.Address) {
			contains[i] = o.Address.String()
		}
		for _, dep := range o.Dependencies {
			if d, ok := p.index[dep]; ok && contains[i] == "" {
				contains[i] = contains[d]
			}
		}
		if address := o.Address.String(); contains[i] != "" && !isPackage(p.provider[i]) && !changed[address] {
			p.warnings = append(p.warnings, fmt.Sprintf("%s keeps the product of %s that it has; add --replace '%s' to have the new one in it",
				address, contains[i], address))
		}
	}
}

// pass walks from the toplevels backward and decides for each object that
// somebody needs. It gives up on objects that were not asked about and lists
// them.
func (p *planner) pass(roots []int) ([]decision, []int, error) {
	demand := make([][]providers.Form, len(p.objects))
	decisions := make([]decision, len(p.objects))
	for i := range decisions {
		decisions[i].neededBy = -1
	}
	for _, i := range roots {
		demand[i] = []providers.Form{p.provider[i].DefaultForm()}
	}
	var missing []int
	for i := len(p.objects) - 1; i >= 0; i-- { // users stand behind
		if len(demand[i]) == 0 {
			continue
		}
		if !p.asked[i] {
			missing = append(missing, i)
			continue
		}
		d := &decisions[i]
		if err := p.decide(i, demand[i], d); err != nil {
			return nil, nil, err
		}
		p.waitForDependencies(i, d)
		for _, step := range d.steps {
			for _, need := range step.Needs {
				n, ok := p.index[need.Address]
				if !ok || n >= i {
					return nil, nil, fmt.Errorf("%s needs %s, which is not among its dependencies; this is a bug in esd", p.objects[i].Address, need.Address)
				}
				if !slices.Contains(demand[n], need.Form) {
					demand[n] = append(demand[n], need.Form)
				}
				if decisions[n].neededBy < 0 {
					decisions[n].neededBy = i
				}
			}
		}
	}
	return decisions, missing, nil
}

// waitForDependencies lets the first steps of an object that is made wait for
// those dependencies that its provider does not ask for by itself.
func (p *planner) waitForDependencies(i int, d *decision) {
	if d.action == Fetch || d.action == Push || d.action == Adopt {
		return // it was made already
	}
	o := p.objects[i]
	for _, dep := range o.Dependencies {
		n, plannable := p.index[dep]
		if !plannable || slices.Contains(o.Needs, dep) {
			continue
		}
		for s := range d.steps {
			if len(d.steps[s].After) == 0 {
				d.steps[s].Needs = append(d.steps[s].Needs, providers.Need{Address: dep, Form: p.provider[n].DefaultForm()})
			}
		}
	}
}

// decide chooses the action for one object, and asks its provider for the
// steps if there is work.
func (p *planner) decide(i int, demand []providers.Form, d *decision) error {
	o, obs, recorded := p.objects[i], p.observed[p.objects[i].Address], p.recorded[i]
	d.demanded = true
	asked := p.selectors.replaces.has(o.Address)
	replace := asked || p.tainted(i)
	lacking := slices.DeleteFunc(slices.Clone(demand), func(f providers.Form) bool {
		_, exists := obs.Forms[f]
		return exists && !replace
	})
	if isPackage(p.provider[i]) {
		p.decidePackage(o, obs, recorded, d)
		if d.action == Adopt && unrecorded(p.provider[i]) {
			d.action = NoOp
		}
		d.work = len(lacking) > 0
	} else {
		p.decideTarget(o, obs, recorded, d)
		if d.action == Create && recorded == nil && onDemand(p.provider[i]) {
			d.reason = firstOr([]string{obs.Problem}, d.reason)
		}
		d.work = d.action == Create || d.action == Update
		lacking = demand
	}
	if replace {
		d.work, d.reason = true, "is tainted"
		if asked {
			d.reason = "--replace asks for it"
		}
		if !isPackage(p.provider[i]) && d.action != Create {
			d.action = Update
		}
	}
	if !d.work {
		return nil
	}
	planned, err := p.provider[i].Plan(providers.PlanRequest{
		Object: o, Prior: recorded, Observed: obs, Demand: lacking, Replace: replace, Settings: p.noted,
		Recorded: p.recordedAt, Lookup: p.lookup, Observation: p.observation,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", o.Address, err)
	}
	d.steps = planned.Steps
	if isPackage(p.provider[i]) {
		d.action = packageAction(planned.Steps)
		if d.action == Build && obs.Problem != "" {
			d.reason = obs.Problem
		}
	}
	return nil
}

// packageAction names the work on a package by its heaviest step.
func packageAction(steps []providers.Step) Action {
	action := Adopt
	for _, s := range steps {
		switch Action(s.Op) {
		case Build:
			return Build
		case Fetch:
			action = Fetch
		case Push:
			if action == Adopt {
				action = Push
			}
		default:
		}
	}
	return action
}

// decidePackage says what there is to say of a package if it needs no work,
// and the reason if it does.
func (p *planner) decidePackage(o *providers.Object, obs providers.Observation, recorded *state.Object, d *decision) {
	where, cached := obs.Forms[providers.Archive]
	d.action = NoOp
	switch {
	case cached && recorded == nil:
		d.action, d.reason = Adopt, "is in "+where
	case cached && recorded.Key != o.Key:
		d.action, d.reason = Adopt, firstOr(differences(recorded, o), "changed")+"; is in "+where
	case cached:
		d.reason = "is in " + where
	case recorded == nil:
		d.reason = "not in any cache"
	case recorded.Key == o.Key:
		d.drift, d.reason = !obs.NotDrift, "was built, but is in no cache any more"
	default:
		d.reason = firstOr(differences(recorded, o), "changed")
	}
	if obs.Problem != "" && !cached {
		d.reason = obs.Problem
	}
}

// decideTarget is the table of docs/plan.md: recorded, observed, desired.
func (p *planner) decideTarget(o *providers.Object, obs providers.Observation, recorded *state.Object, d *decision) {
	asWanted := obs.Exists && obs.Key == o.Key
	switch {
	case recorded == nil && asWanted:
		d.action, d.reason = Adopt, firstOr([]string{obs.Note}, "exists as wanted")
	case recorded == nil:
		d.action, d.reason = Create, "does not exist yet"
		if obs.Exists {
			d.reason = firstOr([]string{obs.Problem}, "something else stands in its place")
		}
	case recorded.Tainted:
		d.action, d.reason = Update, "is tainted"
	case recorded.Key == o.Key && asWanted:
		d.action = NoOp
	case recorded.Key == o.Key && obs.Exists:
		d.action, d.drift, d.reason = Update, !obs.NotDrift, firstOr([]string{obs.Problem}, "was changed by somebody else")
	case recorded.Key == o.Key && obs.NotDrift:
		d.action, d.reason = Update, firstOr([]string{obs.Problem}, "is not everywhere yet")
	case recorded.Key == o.Key:
		d.action, d.drift, d.reason = Create, true, firstOr([]string{obs.Problem}, "was there, but is gone")
	case asWanted:
		d.action, d.reason = Adopt, firstOr(differences(recorded, o), "changed")+"; exists as wanted"
	default:
		d.action, d.reason = Update, firstOr(differences(recorded, o), "changed")
		if !obs.Exists {
			d.action = Create
		}
	}
}

func firstOr(list []string, otherwise string) string {
	if len(list) > 0 && list[0] != "" {
		return list[0]
	}
	return otherwise
}

// collect turns decisions into changes and steps.
func (p *planner) collect(out *Plan, decisions []decision) {
	for i := range decisions {
		d := &decisions[i]
		if !d.demanded {
			continue
		}
		o := p.objects[i]
		p.demands(out, i, d)
		if d.action == NoOp || d.action == Adopt && isPackage(p.provider[i]) {
			if isPackage(p.provider[i]) {
				out.Summary.Reused++
			} else {
				out.Summary.Unchanged++
			}
		}
		if d.action == NoOp && !p.recordMoved(i) {
			p.keep(out, i, d)
			continue
		}
		change := p.change(i, d)
		out.Changes = append(out.Changes, change)
		for _, s := range d.steps {
			out.Steps = append(out.Steps, p.step(o, change, s))
		}
	}
	p.link(out, decisions)
}

// recordMoved reports whether the record of an object that needs no work is
// out of date in something that matters later: its protection.
func (p *planner) recordMoved(i int) bool {
	r := p.recorded[i]
	return r != nil && r.PreventDestroy != p.objects[i].PreventDestroy
}

func (p *planner) change(i int, d *decision) Change {
	o := p.objects[i]
	c := Change{
		Address: o.Address.String(), Kind: o.Kind, Title: o.Title, Action: d.action, Reason: d.reason, Drift: d.drift,
		Key: o.Key, Asked: o.Asked, Record: recordOf(o),
	}
	if d.neededBy >= 0 {
		c.NeededBy = p.objects[d.neededBy].Address.String()
	}
	if r := p.recorded[i]; r != nil {
		c.PriorKey = r.Key
		c.Causes = differences(r, o)
		c.Cause = causeOf(r, o)
		if d.action == Update || d.action == NoOp {
			c.Prior = r.Attributes // shared, not copied: records do not change
		}
	}
	if d.action == NoOp {
		c.Action, c.Reason = Refresh, "prevent_destroy changed"
		c.Record.Attributes = maps.Clone(p.recorded[i].Attributes)
	}
	if d.action == Adopt || d.action == Push {
		c.Record.Attributes = maps.Clone(p.observed[o.Address].Attributes)
	}
	c.Attributes, c.Unknown = attributesOf(o)
	return c
}

func recordOf(o *providers.Object) *Record {
	r := &Record{Inputs: make(map[string]string, len(o.Inputs)), PreventDestroy: o.PreventDestroy}
	for _, in := range o.Inputs {
		r.Inputs[in.Name] = in.Recorded()
	}
	for _, dep := range o.Dependencies {
		r.Dependencies = append(r.Dependencies, dep.String())
	}
	return r
}

func (p *planner) step(o *providers.Object, c Change, s providers.Step) Step {
	step := Step{
		ID: c.Address + "#" + s.Op, Address: c.Address, Kind: o.Kind, Op: s.Op, Title: s.Title, Key: o.Key,
		Reason: s.Reason, Completes: s.Completes, Resources: s.Resources, Download: s.Download, Upload: s.Upload,
		Seconds: -1, Spec: s.Spec, History: s.History,
	}
	if step.Reason == "" {
		step.Reason = c.Reason
	}
	if p.req.State != nil {
		if d, ok := p.req.State.Durations[step.DurationKey()]; ok {
			step.Seconds, step.PeakMemory, step.Size = d.Seconds, d.PeakMemory, d.Size
		}
	}
	return step
}

// link turns the needs of the steps into edges between steps.
func (p *planner) link(out *Plan, decisions []decision) {
	position := make(map[string]int, len(out.Steps))
	for i, s := range out.Steps {
		position[s.ID] = i
	}
	for i := range decisions {
		for _, s := range decisions[i].steps {
			step := &out.Steps[position[p.objects[i].Address.String()+"#"+s.Op]]
			for _, op := range s.After {
				step.Needs = append(step.Needs, step.Address+"#"+op)
			}
			for _, need := range s.Needs {
				step.Needs = append(step.Needs, providersOf(need, decisions[p.index[need.Address]].steps)...)
			}
			slices.Sort(step.Needs)
			step.Needs = slices.Compact(step.Needs)
		}
	}
}

// providersOf lists the steps that make what is needed; none if it exists.
func providersOf(need providers.Need, steps []providers.Step) []string {
	var ids []string
	for _, s := range steps {
		if slices.Contains(s.Provides, need.Form) {
			ids = append(ids, need.Address.String()+"#"+s.Op)
		}
	}
	return ids
}

// selected reports whether a recorded object is within the user's selection.
func (p *planner) selected(a addr.Address) bool {
	if p.selectors.excludes.has(a) {
		return false
	}
	return len(p.req.Targets) == 0 || p.selectors.targets.has(a)
}
