package apply

import (
	"fmt"
	"maps"
	"time"

	"esd/internal/addr"
	"esd/internal/plan"
	"esd/internal/state"
)

func addressOf(s string) addr.Address {
	a, _ := addr.Parse(s) // a plan's addresses are checked when it is read
	return a
}

// handle takes what a step sent: first its result, then word that its journal
// entry is written.
func (c *coordinator) handle(r result) {
	if r.journaled {
		c.journaling--
		c.finished(r)
		return
	}
	c.counts.Running--
	c.free.cpus += c.claims[r.step].cpus
	c.free.memory += c.claims[r.step].memory
	if c.workLeft > 0 {
		c.workLeft = max(c.workLeft-c.weights[r.step]*float64(c.claims[r.step].cpus), 0)
	}
	c.report.Downloaded += r.value.Downloaded
	c.report.Uploaded += r.value.Uploaded
	if r.err != nil {
		c.fail(r)
		return
	}
	entry := c.entry(r)
	c.journaling++
	go func() {
		r.journaled = true
		if err := c.opts.Journal.Append(entry); err != nil {
			r.err = fmt.Errorf("%w: %w", ErrJournal, err)
		}
		c.results <- r
	}()
}

// entry makes the journal's entry of a finished step and updates the state.
func (c *coordinator) entry(r result) Entry {
	step := c.steps[r.step]
	entry := Entry{Step: step.ID, Duration: state.Duration{
		Seconds: r.elapsed.Seconds(), PeakMemory: r.value.PeakMemory, Size: r.value.Size,
	}}
	if !r.value.Reused && c.opts.State.Durations != nil {
		c.opts.State.Durations[step.ID] = entry.Duration
	}
	if c.attrs[step.Address] == nil {
		c.attrs[step.Address] = map[string]any{}
	}
	maps.Copy(c.attrs[step.Address], r.value.Attributes)
	if !step.Completes {
		return entry
	}
	c.left[step.Address]--
	if c.left[step.Address] > 0 {
		return entry
	}
	change := c.changes[step.Address]
	if change.Action == plan.Remove {
		entry.Removed = step.Address
		delete(c.opts.State.Objects, step.Address)
		c.report.Removed++
		return entry
	}
	entry.Object = c.record(change, c.attrs[step.Address])
	return entry
}

// record puts an object into the state.
func (c *coordinator) record(change plan.Change, found map[string]any) *state.Object {
	attributes := state.Attributes{}
	for name, v := range change.Attributes {
		if change.Action != plan.Refresh {
			attributes[name] = v
		}
	}
	o := &state.Object{
		Address: change.Address, Kind: change.Kind, Key: change.Key,
		When: c.opts.Now().UTC().Format(time.RFC3339),
	}
	if r := change.Record; r != nil {
		maps.Copy(attributes, r.Attributes)
		o.Inputs, o.Dependencies, o.PreventDestroy = r.Inputs, r.Dependencies, r.PreventDestroy
	}
	maps.Copy(attributes, found)
	o.Attributes = attributes
	c.opts.State.Put(o)
	c.report.Recorded++
	return o
}

// recordChangesWithoutSteps does what is only a matter of the state. A run
// that is killed before the state is written finds the same to do again.
func (c *coordinator) recordChangesWithoutSteps() {
	moveAll(c.opts.State, c.opts.Plan.Changes)
	for _, change := range c.opts.Plan.Changes {
		switch change.Action {
		case plan.Adopt, plan.Refresh:
			if c.left[change.Address] == 0 {
				c.record(change, nil)
			}
		case plan.Forget:
			if _, there := c.opts.State.Objects[change.Address]; there {
				delete(c.opts.State.Objects, change.Address)
				c.report.Removed++
			}
		default:
		}
	}
}

// moveAll gives moved objects their new addresses, all at once, so that two
// can change places.
func moveAll(s *state.State, changes []plan.Change) {
	moved := map[string]*state.Object{}
	for _, change := range changes {
		if o := s.Objects[change.From]; change.From != "" && o != nil {
			copied := *o
			copied.Address = change.Address
			moved[change.Address] = &copied
			delete(s.Objects, change.From)
		}
	}
	for _, o := range moved {
		s.Put(o)
	}
}

// finished marks a step done whose entry is durable, and releases what waited
// for it.
func (c *coordinator) finished(r result) {
	if r.err != nil {
		c.journal = r.err
		c.draining = true
		c.fail(r)
		return
	}
	step := &c.steps[r.step]
	c.status[r.step] = done
	c.counts.Done++
	c.report.Done = append(c.report.Done, Outcome{Step: step, Log: r.log, Elapsed: r.elapsed, Reused: r.value.Reused})
	c.emit(Event{Kind: StepDone, Step: step, Elapsed: r.elapsed, Reused: r.value.Reused, Log: r.log, Bytes: r.value.Size})
	for _, node := range c.dag.Dependents(c.node[r.step]) {
		user := c.stepOf[node]
		c.waiting[user]--
		if c.waiting[user] == 0 && c.status[user] == pending {
			c.ready.add(user)
		}
	}
}

// fail marks a step failed and what depends on it skipped.
func (c *coordinator) fail(r result) {
	step := &c.steps[r.step]
	c.status[r.step] = failed
	c.counts.Failed++
	c.report.Failed = append(c.report.Failed, Outcome{Step: step, Err: r.err, Log: r.log, Elapsed: r.elapsed})
	c.emit(Event{Kind: StepFailed, Step: step, Err: r.err, Elapsed: r.elapsed, Log: r.log})
	for _, node := range c.dag.DependentsClosure(c.node[r.step]) {
		if i := c.stepOf[node]; c.status[i] == pending {
			c.skip(i, step.ID)
		}
	}
	if c.opts.FailFast {
		c.draining = true
	}
}

func (c *coordinator) skip(i int, because string) {
	c.status[i] = skipped
	c.counts.Skipped++
	c.report.Skipped = append(c.report.Skipped, Outcome{Step: &c.steps[i], Because: because})
	c.emit(Event{Kind: StepSkipped, Step: &c.steps[i], Because: because})
}

// skipTheRest accounts for what was not started because the run was stopped.
func (c *coordinator) skipTheRest() {
	for i, s := range c.status {
		if s == pending {
			c.skip(i, "")
		}
	}
}
