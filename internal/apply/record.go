package apply

import (
	"fmt"
	"maps"
	"time"

	"esd/internal/addr"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/state"
)

func addressOf(s string) addr.Address {
	a, _ := addr.Parse(s) // a plan's addresses are checked when it is read
	return a
}

// record enters a finished step into the state and gives the journal's entry.
func (r *runner) record(i int, value providers.Result, elapsed time.Duration) Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	step := r.steps[i]
	entry := Entry{Step: step.ID, Measured: step.DurationKey(), Duration: state.Duration{
		Seconds: elapsed.Seconds(), PeakMemory: value.PeakMemory, Size: value.Size,
	}}
	if value.Reused {
		entry.Duration = state.Duration{}
	} else {
		r.fresh[step.Address] = true
		r.opts.State.Durations[step.DurationKey()] = entry.Duration
	}
	if r.found[step.Address] == nil {
		r.found[step.Address] = map[string]any{}
	}
	maps.Copy(r.found[step.Address], value.Attributes)
	if !step.Completes {
		return entry
	}
	r.left[step.Address]--
	if r.left[step.Address] > 0 {
		return entry
	}
	change := r.changes[step.Address]
	if change.Action == plan.Remove {
		entry.Removed = step.Address
		delete(r.opts.State.Objects, step.Address)
		r.report.Removed++
		return entry
	}
	entry.Object = r.put(change, r.found[step.Address])
	return entry
}

// recordPartly records new objects of which some but not all of the steps that
// complete them are done, such as an image at one of two registries: otherwise
// nobody would know any more that it is there, were its block removed now. The
// next plan sees what is missing.
func (r *runner) recordPartly() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.report.Done {
		address := o.Step.Address
		change := r.changes[address]
		if o.Step.Completes && r.left[address] > 0 && change.Action != plan.Remove && r.opts.State.Get(address) == nil {
			r.put(change, r.found[address])
		}
	}
}

// put puts an object into the state.
func (r *runner) put(change plan.Change, found map[string]any) *state.Object {
	attributes := state.Attributes{}
	if change.Action != plan.Refresh {
		maps.Copy(attributes, change.Attributes)
	}
	o := &state.Object{
		Address: change.Address, Kind: change.Kind, Key: change.Key,
		When: r.opts.Now().UTC().Format(time.RFC3339),
	}
	if rec := change.Record; rec != nil {
		maps.Copy(attributes, rec.Attributes)
		o.Inputs, o.Dependencies, o.PreventDestroy = rec.Inputs, rec.Dependencies, rec.PreventDestroy
	}
	maps.Copy(attributes, found)
	o.Attributes = attributes
	if before := r.opts.State.Get(o.Address); before != nil && !r.fresh[o.Address] {
		// When is the time of the last change, so that a run that finds all of
		// it done changes no record.
		same := *o
		if same.When = before.When; before.Equal(&same) {
			o = &same
		}
	}
	r.opts.State.Put(o)
	r.report.Recorded++
	return o
}

// recordChangesWithoutSteps does what is only a matter of the state. A run
// that is killed before the state is written finds the same to do again; but
// not moves, which a record under the new address would hide, so the journal
// gets them first.
func (r *runner) recordChangesWithoutSteps() error {
	for _, entry := range r.move() {
		if err := r.opts.Journal.Append(entry); err != nil {
			return fmt.Errorf("%w: %w", ErrJournal, err)
		}
	}
	for _, change := range r.opts.Plan.Changes {
		switch change.Action {
		case plan.Adopt, plan.Refresh:
			if r.left[change.Address] == 0 {
				r.put(change, nil)
			}
		case plan.Forget:
			if _, there := r.opts.State.Objects[change.Address]; there {
				delete(r.opts.State.Objects, change.Address)
				r.report.Removed++
			}
		default:
		}
	}
	return nil
}
