package workspace

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"esd/internal/apply"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/journal"
)

// ApplyOptions says how to apply.
type ApplyOptions struct {
	PlanOptions
	// Saved is a saved plan; the options of planning are then not used.
	Saved *plan.Plan
	// Confirm is asked when the plan is made and there is something to do; a
	// nil Confirm agrees.
	Confirm     func(*Planned) (bool, error)
	FailFast    bool
	LockTimeout time.Duration
	// Waiting is told who holds the lock.
	Waiting func(*backend.LockedError)
	// Job is the address of the CI job that runs this.
	Job    string
	Drain  <-chan struct{}
	Events func(apply.Event)
	// Notice is told what the user should know.
	Notice func(state.Notice)
	// RecordFor is for how long the state is tried to be written at the end
	// where its place does not answer; 0 is two minutes.
	RecordFor time.Duration
}

// Applied is how an apply ended.
type Applied struct {
	*Planned
	// Report is nil where nothing had to be done, or nothing was agreed to.
	Report *apply.Report
	// Declined tells that the plan was not agreed to.
	Declined bool
	// LogDir is where the logs of this run stand.
	LogDir string
	// Already is how many changes a saved plan has where all of them were made
	// before; 0 where something was left to do.
	Already int
}

// Apply locks the state, plans, asks, and applies. What was done is recorded
// whatever happens; failed steps stand in the report.
func (w *Workspace) Apply(ctx context.Context, opts ApplyOptions) (*Applied, error) {
	early, cancel := untilDrained(ctx, opts.Drain)
	defer cancel()
	s, err := w.begin(early, operation(opts), opts)
	if err != nil {
		return nil, err
	}
	applied, err := s.apply(ctx, early, opts)
	return applied, errors.Join(err, s.end())
}

// untilDrained is a context that ends with the first interrupt already: for
// what comes before the first step, where there is nothing to let finish.
func untilDrained(ctx context.Context, drain <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if drain != nil {
		go func() {
			select {
			case <-drain:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	return ctx, cancel
}

func operation(opts ApplyOptions) string {
	mode := opts.Mode
	if opts.Saved != nil {
		mode = opts.Saved.Mode
	}
	if mode == plan.Destroy {
		return "destroy"
	}
	return "apply"
}

// session is the time for which the state is locked.
type session struct {
	w       *Workspace
	lock    backend.Lock
	state   *state.State // with the journals of dead runs; nil for nothing
	notices []state.Notice
	tell    func(state.Notice)
	lost    bool // the lock: there is nothing to give back
	already int  // changes of a saved plan, all of which are made
}

// begin takes the lock, reads the state, and brings what dead runs recorded
// into it.
func (w *Workspace) begin(ctx context.Context, op string, opts ApplyOptions) (*session, error) {
	s, err := w.locked(ctx, op, opts)
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.end())
	}
	for _, n := range s.notices {
		s.tell(n)
	}
	return s, nil
}

// locked takes the lock; what is recorded is not looked at.
func (w *Workspace) locked(ctx context.Context, op string, opts ApplyOptions) (*session, error) {
	info := backend.NewLockInfo(backend.LockRequest{Operation: op, Version: w.opts.Version, Job: opts.Job, Now: w.opts.Now()})
	lock, err := backend.Acquire(ctx, w.Backend, info, backend.WaitOptions{Timeout: opts.LockTimeout, Waiting: opts.Waiting})
	if err != nil {
		return nil, err
	}
	s := &session{w: w, lock: lock, tell: opts.Notice}
	if s.tell == nil {
		s.tell = func(state.Notice) {}
	}
	for _, n := range lock.Notices() {
		s.tell(n)
	}
	return s, nil
}

func (s *session) open(ctx context.Context) error {
	recorded, _, err := s.w.Backend.Read(ctx)
	if err != nil {
		return err
	}
	journals, err := journal.ReadDir(s.w.journalDir())
	if err != nil {
		return err
	}
	folded := journal.Fold(recorded, journals)
	s.state, s.notices = folded.State, folded.Notices
	switch {
	case folded.State != recorded:
		if err := s.write(ctx, folded.State); err != nil {
			return fmt.Errorf("recording the state: %w", err)
		}
	case recorded != nil:
		s.w.remember(s.lock, recorded.Header())
	}
	s.w.sweep()
	return journal.Remove(folded.Done)
}

// end gives the lock back. It must happen even when the run was interrupted.
func (s *session) end() error {
	if r, ok := s.w.Backend.(*remembering); ok {
		for _, n := range r.notices() {
			s.tell(n)
		}
	}
	err := s.lock.Unlock(context.Background())
	if s.lost && errors.Is(err, backend.ErrLockLost) {
		return nil // that was told already
	}
	return err
}

// write records a state under the next serial.
func (s *session) write(ctx context.Context, next *state.State) error {
	next.Serial++
	next.ESDVersion = s.w.opts.Version
	if err := s.lock.Write(ctx, next); err != nil {
		next.Serial--
		s.lost = s.lost || errors.Is(err, backend.ErrLockLost)
		return err
	}
	s.state = next
	return nil
}

// apply plans and runs. The early context is for what comes before the run.
func (s *session) apply(ctx, early context.Context, opts ApplyOptions) (*Applied, error) {
	planned, err := s.planned(early, opts)
	if err == nil {
		err = early.Err()
	}
	if err != nil {
		return nil, err
	}
	out := &Applied{Planned: planned, Already: s.already}
	if planned.Plan.Empty() {
		return out, nil
	}
	if opts.Confirm != nil {
		agreed, err := opts.Confirm(planned)
		if err != nil || !agreed {
			out.Declined = true
			return out, err
		}
	}
	return out, s.run(ctx, out, opts)
}

// planned is the saved plan, or a new one.
func (s *session) planned(ctx context.Context, opts ApplyOptions) (*Planned, error) {
	if opts.Saved != nil {
		return s.saved(ctx, opts)
	}
	return s.w.planFrom(ctx, s.state, nil, opts.PlanOptions)
}

// run applies the plan, and records what was done whatever happens.
func (s *session) run(ctx context.Context, out *Applied, opts ApplyOptions) error {
	w := s.w
	next := state.New(state.NewID(), w.opts.Version)
	if s.state != nil {
		next = s.state.Clone()
	}
	started := w.opts.Now().UTC()
	runID := started.Format("20060102T150405Z") + "-" + s.lock.Info().ID[:8]
	out.LogDir = filepath.Join(w.LogDir(), runID)
	j, err := journal.Create(w.journalDir(), journal.Header{
		Run: runID, Lineage: next.Lineage, Serial: next.Serial, Operation: s.lock.Info().Operation, Who: s.lock.Info().Who,
		When: started.Format(time.RFC3339), ESDVersion: w.opts.Version,
	})
	if err != nil {
		return err
	}
	before := next.Clone()
	drain, watched := s.watchLock(opts.Drain)
	report, runErr := apply.Run(ctx, apply.Options{
		Plan: out.Plan, Provider: w.Kinds.Provider, State: next, Journal: journalOf{j, w.opts.Now, before}, CPUs: out.CPUs, Memory: out.Memory,
		FailFast: opts.FailFast, Drain: drain, LogDir: out.LogDir, Events: s.explaining(opts.Events), Now: w.opts.Now,
	})
	watched()
	out.Report, out.State = report, next // also where it cannot be recorded
	w.finish(context.WithoutCancel(ctx), opts)
	s.tellDoubt(opts.Notice)
	// From here on nothing is given up because of an interrupt.
	outputErr := s.recordOutputs(context.WithoutCancel(ctx), next, out, report)
	if !next.SameContent(before) || s.state == nil {
		err := s.writeAtEnd(ctx, next, opts)
		if report != nil {
			report.Elapsed, report.Unrecorded = w.opts.Now().Sub(started), err != nil
		}
		if err != nil {
			failed := &NotRecordedError{Err: err, Journal: j.Path(), Complete: report != nil && report.Complete(), Shared: w.shared(out.Planned)}
			return errors.Join(runErr, failed, j.Close())
		}
	}
	return errors.Join(runErr, outputErr, j.Close(), j.Remove())
}

// finish lets providers do what they do once for a run. What fails there is told
// and changes nothing else.
func (w *Workspace) finish(ctx context.Context, opts ApplyOptions) {
	for _, kind := range slices.Sorted(maps.Keys(w.Kinds)) {
		finisher, ok := w.Kinds[kind].(providers.Finisher)
		if !ok {
			continue
		}
		if err := finisher.Finish(ctx); err != nil && opts.Notice != nil {
			opts.Notice(state.Notice{Kind: "not-finished", Summary: "Something that follows an apply failed", Detail: err.Error() + "."})
		}
	}
}

// recordOutputs evaluates the outputs again, now that digests are known.
func (s *session) recordOutputs(ctx context.Context, next *state.State, out *Applied, report *apply.Report) error {
	if report == nil || out.Plan.Mode == plan.RefreshOnly || len(out.Plan.Selection.Targets)+len(out.Plan.Selection.Excludes) > 0 || out.Plan.Selection.Only != "" {
		return nil
	}
	if out.Plan.Mode == plan.Destroy {
		clear(next.Outputs)
		return nil
	}
	return s.w.evaluateOutputs(ctx, next, out.leaves)
}

// evaluateOutputs records the outputs as they are with what is recorded; those
// that are to be left alone stay as they are.
func (w *Workspace) evaluateOutputs(ctx context.Context, next *state.State, leaves func(name string) bool) error {
	resolved, diags := w.Resolve(ctx, next)
	if diags.HasErrors() {
		return nil // a source changed while it was built; its step has said so
	}
	values, err := outputValues(resolved.Evaluated.Outputs)
	if err != nil {
		return err
	}
	recorded := map[string]state.Output{}
	for _, v := range values {
		switch before, had := next.Outputs[v.Name]; {
		case leaves(v.Name): // kept below
		case v.Sensitive:
			recorded[v.Name] = state.NewSensitiveOutput(v.Type)
		case !v.Unknown:
			recorded[v.Name] = state.NewOutput(v.Type, v.Value)
		case had: // what it depends on has failed
			recorded[v.Name] = before
		}
	}
	for name, before := range next.Outputs {
		if leaves(name) {
			recorded[name] = before
		}
	}
	next.Outputs = recorded
	return nil
}

// journalOf writes the entries of a run into its journal.
type journalOf struct {
	writer *journal.Writer
	now    func() time.Time
	before *state.State // what the run started from
}

func (j journalOf) Append(e apply.Entry) error {
	entry := journal.Entry{Step: e.Step, Result: "done", When: j.now().UTC().Format(time.RFC3339), Object: e.Object, Removed: e.Removed}
	entry.Prior = map[string]string{}
	if e.Object != nil {
		entry.Prior[e.Object.Address] = journal.Fingerprint(j.before.Get(e.Object.Address))
	}
	if e.Removed != "" {
		entry.Prior[e.Removed] = journal.Fingerprint(j.before.Get(e.Removed))
	}
	if e.Duration != (state.Duration{}) {
		entry.Measured, entry.Duration = e.Measured, &e.Duration
	}
	return j.writer.Append(entry)
}
