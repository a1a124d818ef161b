package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"esd/internal/addr"
	"esd/internal/providers"
	"esd/internal/state"
)

// planner is one planning run. Everything but observe is pure.
type planner struct {
	req       Request
	objects   []*providers.Object // those with something to plan
	index     map[addr.Address]int
	provider  []providers.Provider
	recorded  []*state.Object // by object; nil for none
	users     [][]int32       // objects that depend on each
	settings  providers.Setting
	noted     *notedSettings // the same, for the planning of steps
	observed  map[addr.Address]providers.Observation
	asked     []bool // by object: observed knows, or knows of nothing
	moves     []Change
	byKind    map[string][]*providers.Object // made when something goes
	warnings  []string
	selectors selectors
	state     map[string]*state.Object
}

// Make plans. It asks the providers what exists, as far as that matters, and
// writes nothing. A nil error means that the plan is complete.
func Make(ctx context.Context, req Request) (*Plan, error) {
	p, err := newPlanner(req)
	if err != nil {
		return nil, err
	}
	out := &Plan{
		FormatVersion: FormatVersion, ESDVersion: req.ESDVersion, Mode: req.Mode, Config: req.Config,
		Selection: selection(req),
	}
	if req.State != nil {
		out.State = StateID{req.State.Lineage, req.State.Serial}
	}
	if err := p.checkNamed(); err != nil {
		return nil, err
	}
	switch req.Mode {
	case Destroy:
		err = p.planDestroy(out)
	case RefreshOnly:
		err = p.planRefresh(ctx, out)
	default:
		err = p.planApply(ctx, out)
	}
	if err != nil {
		return nil, err
	}
	return out, p.finish(out)
}

func newPlanner(req Request) (*planner, error) {
	p := &planner{
		req: req, index: make(map[addr.Address]int, len(req.Objects)),
		observed: map[addr.Address]providers.Observation{}, settings: NewSettings(req.Objects),
		state: map[string]*state.Object{}, selectors: newSelectors(req),
	}
	if req.State != nil {
		for address, o := range req.State.Objects {
			p.state[address] = o
		}
	}
	p.noted = &notedSettings{p.settings, map[string]bool{}}
	var unlocked []error
	for _, o := range req.Objects {
		provider, plannable := req.Kind(o.Kind).(providers.Provider)
		if !plannable {
			continue
		}
		if len(o.Unpinned) > 0 && req.Mode != Destroy {
			return nil, &UnpinnedError{Address: o.Address, Pins: o.Unpinned}
		}
		if o.Unlocked != "" && req.Mode != Destroy {
			unlocked = append(unlocked, &UnlockedError{Address: o.Address, Why: o.Unlocked})
		}
		p.index[o.Address] = len(p.objects)
		p.objects = append(p.objects, o)
		p.provider = append(p.provider, provider)
	}
	if len(unlocked) > 0 {
		return nil, errors.Join(unlocked...)
	}
	p.users = make([][]int32, len(p.objects))
	for i, o := range p.objects {
		for _, dep := range o.Dependencies {
			if d, ok := p.index[dep]; ok {
				p.users[d] = append(p.users[d], int32(i))
			}
		}
	}
	p.asked = make([]bool, len(p.objects))
	if err := p.checkClaims(); err != nil {
		return nil, err
	}
	if err := p.applyMoves(); err != nil {
		return nil, err
	}
	p.recorded = make([]*state.Object, len(p.objects))
	for i, o := range p.objects {
		p.recorded[i] = p.state[o.Address.String()]
	}
	return p, nil
}

// lookup finds an object by its address; nil if it has nothing to plan.
func (p *planner) lookup(a addr.Address) *providers.Object {
	if i, ok := p.index[a]; ok {
		return p.objects[i]
	}
	return nil
}

func (p *planner) recordedAt(a addr.Address) *state.Object { return p.state[a.String()] }

func (p *planner) observation(a addr.Address) (providers.Observation, bool) {
	i, ok := p.index[a]
	if !ok || !p.asked[i] {
		return providers.Observation{}, false
	}
	return p.observed[a], true
}

// isPackage tells packages, which are made where they are needed, from
// targets, which are the reason for everything.
func isPackage(provider providers.Provider) bool { return provider.DefaultForm() == providers.Archive }

// onDemand tells what is made only where somebody needs it, or when the
// configuration has nothing that could: packages, and sets of them.
func onDemand(provider providers.Provider) bool {
	form := provider.DefaultForm()
	return form == providers.Archive || form == providers.Cached
}

// unrecorded tells objects of which the state knows nothing.
func unrecorded(provider providers.Provider) bool {
	_, ok := provider.(providers.Unrecorded)
	return ok
}

func (p *planner) isPackageAt(address string) bool {
	i, ok := p.index[addressOf(address)]
	return ok && isPackage(p.provider[i])
}

// toplevels are the objects that the plan is about: targets, packages that
// nothing else uses or that are tainted, and whatever the user named.
func (p *planner) toplevels() []int {
	excluded := p.excluded()
	var roots []int
	for i, o := range p.objects {
		wanted := !onDemand(p.provider[i]) || len(p.users[i]) == 0 || p.tainted(i)
		if len(p.req.Targets) > 0 {
			wanted = p.selectors.targets.has(o.Address)
		}
		if !excluded[i] && (wanted || p.selectors.replaces.has(o.Address)) {
			roots = append(roots, i)
		}
	}
	return roots
}

// tainted reports whether what exists of an object was declared unfit. A
// package whose key has changed since is another product.
func (p *planner) tainted(i int) bool {
	r := p.recorded[i]
	return r != nil && r.Tainted && (r.Key == p.objects[i].Key || !isPackage(p.provider[i]))
}

// checkNamed refuses options that name what does not exist: a misspelt
// --exclude would let happen what it was to prevent.
func (p *planner) checkNamed() error {
	if len(p.req.Targets)+len(p.req.Excludes)+len(p.req.Replaces) == 0 {
		return nil
	}
	var known []addr.Address
	for _, address := range p.addresses() {
		known = append(known, addressOf(address))
	}
	for _, named := range []struct {
		option  string
		targets []addr.Target
	}{{"--target", p.req.Targets}, {"--exclude", p.req.Excludes}, {"--replace", p.req.Replaces}} {
		if target, missing := unmatched(named.targets, known); missing {
			return &NoSuchObjectError{Option: named.option, Target: target, Known: p.addresses()}
		}
	}
	return nil
}

// addresses lists what options may name: in the configuration, except for a
// destroy, and in the state.
func (p *planner) addresses() []string {
	list := sortedKeys(p.state)
	if p.req.Mode != Destroy {
		for _, o := range p.objects {
			list = append(list, o.Address.String())
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// excluded marks the objects named by --exclude and all that need them.
func (p *planner) excluded() []bool {
	out := make([]bool, len(p.objects))
	for i, o := range p.objects { // dependencies stand before
		if p.selectors.excludes.has(o.Address) {
			out[i] = true
		}
		for _, dep := range o.Dependencies {
			if d, ok := p.index[dep]; ok && out[d] {
				out[i] = true
			}
		}
	}
	return out
}

func selection(req Request) Selection {
	return Selection{texts(req.Targets), texts(req.Excludes), texts(req.Replaces), req.NoRefresh, req.Only}
}

func texts(targets []addr.Target) []string {
	var list []string
	for _, t := range targets {
		list = append(list, t.String())
	}
	return list
}

func sortObjects(list []*providers.Object) {
	slices.SortFunc(list, func(a, b *providers.Object) int { return addr.Compare(a.Address, b.Address) })
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// finish puts everything into its order and counts.
func (p *planner) finish(out *Plan) error {
	out.Warnings = append(out.Warnings, p.warnings...)
	if p.req.Only != "" {
		narrow(out, p.req.Only)
	}
	out.Changes = append(out.Changes, p.movesOf(out.Changes)...)
	slices.SortFunc(out.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Action, b.Action))
	})
	for _, c := range out.Changes {
		if c.Action == Adopt && p.isPackageAt(c.Address) {
			continue // it counts as reused
		}
		out.Summary.count(c.Action)
	}
	dag, err := out.Graph()
	if err != nil {
		return fmt.Errorf("the steps of the plan: %w", err)
	}
	orderSteps(out, dag)
	p.forecast(out, dag)
	p.rest(out)
	if out.Changes == nil {
		out.Changes = []Change{}
	}
	if out.Steps == nil {
		out.Steps = []Step{}
	}
	return nil
}

// movesOf gives the moves of objects that do not change besides; to those
// that do, it adds where they come from.
func (p *planner) movesOf(changes []Change) []Change {
	at := make(map[string]int, len(changes))
	for i, c := range changes {
		at[c.Address] = i
	}
	var alone []Change
	for _, m := range p.moves {
		if i, ok := at[m.Address]; ok {
			changes[i].From = m.From
			continue
		}
		alone = append(alone, m)
	}
	return alone
}

func (s *Summary) count(action Action) {
	switch action {
	case Build:
		s.Build++
	case Fetch:
		s.Fetch++
	case Push:
		s.Push++
	case Create:
		s.Create++
	case Update:
		s.Update++
	case Remove:
		s.Destroy++
	case Forget:
		s.Forget++
	case Adopt:
		s.Adopt++
	case Refresh:
		s.Refresh++
	case Move:
		s.Move++
	case NoOp:
	}
}
