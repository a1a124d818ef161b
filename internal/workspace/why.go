package workspace

import (
	"context"
	"slices"

	"esd/internal/addr"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/providers/environment"
	"esd/internal/state"
)

// Why tells of one object what is to happen to it, and the chain of causes.
type Why struct {
	Address string      `json:"address"`
	Title   string      `json:"title,omitempty"`
	Action  plan.Action `json:"action"`
	// Needed tells that somebody needs the object in some form. One that
	// nobody needs is not even looked for.
	Needed bool   `json:"needed"`
	Reason string `json:"reason"`
	Drift  bool   `json:"drift,omitempty"`
	// Chain leads from the object to the last cause: an input of its own, or
	// the change of an object that it depends on, and so on.
	Chain []WhyLink `json:"chain,omitempty"`
	// NeededBy leads from an object that needs this one up to a toplevel.
	NeededBy []string `json:"needed_by,omitempty"`
	// Demands tell who needs the object, in which form.
	Demands []WhyDemand `json:"demands,omitempty"`
	// Dependencies and Users are the direct ones; of an environment, without its
	// packages.
	Dependencies []string `json:"dependencies,omitempty"`
	Users        []string `json:"users,omitempty"`
	// Package is about a package of an environment, Environment about an
	// environment.
	Package     *WhyPackage     `json:"package,omitempty"`
	Environment *WhyEnvironment `json:"environment,omitempty"`
}

// WhyLink is one object in a chain of causes.
type WhyLink struct {
	Address string `json:"address"`
	// Causes are the inputs that differ from what was recorded, in words.
	Causes []string `json:"causes"`
}

// Explain says why each object that target names is in the plan, or is not. The
// plan must have been made with [PlanOptions.Explain].
func (p *Planned) Explain(target addr.Target) ([]Why, error) {
	e := explainer{
		Planned: p, changes: map[string]plan.Change{}, kept: map[string]plan.Kept{}, users: map[string][]string{},
		demands: map[string][]plan.Demand{}, needs: map[string][]plan.Demand{}, locks: map[string]*lockedPackages{},
	}
	for _, c := range p.Plan.Changes {
		e.changes[c.Address] = c
	}
	for _, k := range p.Plan.Kept {
		e.kept[k.Address] = k
	}
	for _, d := range p.Plan.Demands {
		e.demands[d.Address], e.needs[d.By] = append(e.demands[d.Address], d), append(e.needs[d.By], d)
	}
	for _, o := range p.Resolved.Objects {
		for _, dep := range o.Dependencies {
			e.users[dep.String()] = append(e.users[dep.String()], o.Address.String())
		}
	}
	var list []Why
	for _, address := range e.addresses() {
		a, err := addr.Parse(address)
		if err != nil || !target.Matches(a) || a.Package != "" && target.Address.Package == "" {
			continue // who asks for an environment does not ask for each of its packages
		}
		list = append(list, e.explain(a))
	}
	if len(list) == 0 {
		return nil, &plan.NoSuchObjectError{Option: "why", Target: target, Known: e.addresses()}
	}
	return list, nil
}

// notLookedFor is the reason of what nobody needs.
const notLookedFor = "nothing that is missing needs it, so it was not looked for"

type explainer struct {
	*Planned
	changes map[string]plan.Change
	kept    map[string]plan.Kept
	users   map[string][]string
	demands map[string][]plan.Demand   // by what is needed
	needs   map[string][]plan.Demand   // by what needs it
	locks   map[string]*lockedPackages // by environment
}

// addresses are all that is configured or about to go.
func (e *explainer) addresses() []string {
	var list []string
	for _, o := range e.Resolved.Objects {
		list = append(list, o.Address.String())
	}
	for address := range e.changes {
		list = append(list, address)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (e *explainer) recorded(address string) *state.Object {
	if e.State == nil {
		return nil
	}
	if c, ok := e.changes[address]; ok && c.From != "" {
		return e.State.Get(c.From)
	}
	return e.State.Get(address)
}

func (e *explainer) explain(a addr.Address) Why {
	w := Why{Address: a.String(), Action: plan.NoOp, Users: e.users[a.String()], Demands: e.demandsOn(a.String())}
	o := e.Resolved.Object(a)
	if o != nil {
		w.Title = o.Title
		for _, dep := range o.Dependencies {
			if dep.Package == "" || o.Kind == environment.PackageKind {
				w.Dependencies = append(w.Dependencies, dep.String())
			}
		}
	}
	change, changes := e.changes[w.Address]
	kept, isKept := e.kept[w.Address]
	switch {
	case changes:
		w.Action, w.Needed, w.Reason, w.Drift = change.Action, true, change.Reason, change.Drift
		w.NeededBy = e.upward(change.NeededBy)
	case isKept:
		w.Needed, w.Reason, w.NeededBy = true, kept.Reason, e.upward(kept.NeededBy)
	case o != nil && o.Key == "":
		w.Reason = "carries settings only; there is nothing to do for it"
	default:
		w.Reason = notLookedFor
	}
	if o == nil {
		return w
	}
	w.Chain = e.chain(o)
	switch o.Kind {
	case environment.Kind:
		w.Environment = e.environment(o)
	case environment.PackageKind:
		w.Package = e.pkg(o)
	}
	return w
}

// chain follows the first reason of each change downward.
func (e *explainer) chain(o *providers.Object) []WhyLink {
	var chain []WhyLink
	for o != nil {
		causes, cause := plan.Explain(e.recorded(o.Address.String()), o)
		if len(causes) == 0 {
			break
		}
		chain = append(chain, WhyLink{o.Address.String(), causes})
		if cause == "" {
			break
		}
		a, err := addr.Parse(cause)
		if err != nil {
			break
		}
		o = e.Resolved.Object(a)
	}
	return chain
}

// upward follows who needs whom up to a toplevel.
func (e *explainer) upward(address string) []string {
	var list []string
	for address != "" && !slices.Contains(list, address) {
		list = append(list, address)
		next := e.changes[address].NeededBy
		if next == "" {
			next = e.kept[address].NeededBy
		}
		address = next
	}
	return list
}

// Why plans and explains. What nobody needs is looked for all the same, so that
// it can be said where it is.
func (w *Workspace) Why(ctx context.Context, target addr.Target, opts PlanOptions) ([]Why, *Planned, error) {
	opts.Explain = true
	planned, err := w.Plan(ctx, opts)
	if err != nil {
		return nil, nil, err
	}
	list, err := planned.Explain(target)
	if err != nil || !slices.ContainsFunc(list, lost) {
		return list, planned, err
	}
	opts.Targets, opts.Excludes = []addr.Target{target}, nil
	alone, err := w.Plan(ctx, opts)
	if err != nil {
		return nil, nil, err
	}
	found, err := alone.Explain(target)
	for i := range list {
		for _, f := range found {
			if lost(list[i]) && f.Address == list[i].Address && f.Needed {
				list[i].Reason, list[i].Environment = f.Reason+"; nothing that is missing needs it", f.Environment
				if f.Environment != nil && len(f.Environment.Missing) > 0 {
					list[i].Reason = f.Reason + "; those that its users lack are in the plan"
				}
			}
		}
	}
	return list, planned, err
}

// lost tells of an object that was not looked for.
func lost(w Why) bool { return !w.Needed && w.Reason == notLookedFor }
