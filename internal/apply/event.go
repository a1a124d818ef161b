package apply

import (
	"time"

	"esd/internal/plan"
)

// EventKind tells what happened.
type EventKind string

// The events of a run, in the order in which they can occur.
const (
	RunStarted   EventKind = "run_started"
	StepStarted  EventKind = "step_started"
	StepProgress EventKind = "step_progress"
	StepRetried  EventKind = "step_retried" // failed for a cause that may go away; tried again after Wait
	StepDone     EventKind = "step_done"
	StepFailed   EventKind = "step_failed"
	StepSkipped  EventKind = "step_skipped"
	Draining     EventKind = "draining" // interrupted: nothing more is started
	Stopping     EventKind = "stopping" // interrupted again: running steps are ended
	RunDone      EventKind = "run_done"
)

// Event is one thing that happened. Events come one after the other from one
// goroutine, so a view needs no lock.
type Event struct {
	Kind EventKind
	Time time.Time
	// Step is set for the events of steps.
	Step *plan.Step
	// Elapsed is how long the step, or the run, has taken so far.
	Elapsed time.Duration
	// Bytes and TotalBytes of a step's work; TotalBytes 0 is unknown.
	Bytes, TotalBytes int64
	// Reused tells of a done step that there was nothing to do.
	Reused bool
	// Err is why a step failed or is tried again, or why a run is drained that
	// nobody has interrupted.
	Err error
	// Wait is how long until it is tried again.
	Wait time.Duration
	// Because is the step whose failure skipped this one; empty when the run
	// was interrupted or failed fast.
	Because string
	// Log is the path of the step's log; empty if it wrote none.
	Log string
	// Counts of the whole run after this event.
	Counts Counts
	// Report is set for RunDone.
	Report *Report
	// Plan is set for RunStarted.
	Plan *plan.Plan
}

// Counts says how far a run is.
type Counts struct {
	Total, Running, Done, Failed, Skipped int
	// Remaining is a forecast of the time left; negative if it is unknown.
	Remaining time.Duration
}

// Outcome is how one step ended.
type Outcome struct {
	Step    *plan.Step
	Err     error  // for a failed one
	Because string // for a skipped one
	Log     string
	Elapsed time.Duration
	Reused  bool
	skipped bool
}

// Report is how a run ended.
type Report struct {
	Done, Failed, Skipped []Outcome
	// Interrupted tells that the run was asked to stop.
	Interrupted bool
	// Unrecorded tells that what was done could not be written into the state
	// afterwards. Whoever writes the state says so.
	Unrecorded bool
	Elapsed    time.Duration
	Downloaded int64
	Uploaded   int64
	// Recorded and Removed count the objects whose records changed.
	Recorded, Removed int
}

// OK reports whether all was done and recorded.
func (r *Report) OK() bool { return r.Complete() && !r.Interrupted && !r.Unrecorded }

// Complete reports whether all steps were done.
func (r *Report) Complete() bool { return len(r.Failed) == 0 && len(r.Skipped) == 0 }
