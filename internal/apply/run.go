// Package apply runs a plan: it hands the steps to their providers, writes the
// journal, records what exists in the state, and tells in events what happens.
//
// The order is that of graph.Walk: a step is ready when what it needs is done;
// among the ready ones the one with the longest remaining path goes first, as
// soon as its processors and memory are free. A failed step fails what depends
// on it and nothing else. Before anything that depends on a step begins, the
// journal has it on disk.
package apply

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"esd/internal/graph"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/state"
)

// Options is what a run needs.
type Options struct {
	Plan     *plan.Plan
	Provider func(kind string) providers.Provider
	// State is the recorded state; the run changes it.
	State *state.State
	// Journal makes finished steps durable.
	Journal Journal
	// CPUs and Memory (bytes, 0 for unlimited) are what steps may occupy
	// together.
	CPUs   int
	Memory int64
	// FailFast starts nothing more after the first failure.
	FailFast bool
	// Drain, when closed, lets running steps finish and starts nothing more.
	// Cancelling the context ends running steps.
	Drain <-chan struct{}
	// LogDir is where the logs of the steps go.
	LogDir string
	// Events is called for one event after the other.
	Events func(Event)
	Now    func() time.Time
	// Backoff is the wait before the first retry; it doubles.
	Backoff time.Duration
}

// Journal makes finished steps durable: when Append returns, the entry
// survives a crash. It is called from several goroutines.
type Journal interface {
	Append(Entry) error
}

// Entry is what the journal keeps of one finished step.
type Entry struct {
	Step string
	// Object is the record of the object that the step completed, if it did.
	Object *state.Object
	// Removed is the address of the object that the step removed, if it did.
	Removed string
	// Duration is kept for forecasts under Measured.
	Measured string
	Duration state.Duration
}

// ErrJournal is wrapped by the error of a run that could not keep its journal:
// going on would lose work.
var ErrJournal = errors.New("cannot write the journal")

// Run applies the plan. The error is about the run itself; failed steps stand
// in the report.
func Run(ctx context.Context, opts Options) (*Report, error) {
	r, err := newRunner(opts)
	if err != nil {
		return nil, err
	}
	return r.run(ctx)
}

type runner struct {
	opts    Options
	steps   []plan.Step
	dag     *graph.DAG
	stepOf  []int // node to step
	changes map[string]plan.Change
	weights []float64 // expected seconds, by step
	stop    chan struct{}
	stopped sync.Once
	started time.Time

	mu       sync.Mutex                // guards what follows, and calls of Events
	left     map[string]int            // steps that the record of an object still waits for
	found    map[string]map[string]any // attributes that the steps of an object found
	fresh    map[string]bool           // objects of which a step found something to do
	outcomes []Outcome                 // by step
	report   Report
	counts   Counts
	workLeft float64 // expected processor seconds; negative if too little is known
	journal  error
}

func newRunner(opts Options) (*runner, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Events == nil {
		opts.Events = func(Event) {}
	}
	if opts.Backoff == 0 {
		opts.Backoff = time.Second
	}
	opts.CPUs = max(opts.CPUs, 1)
	dag, err := opts.Plan.Graph()
	if err != nil {
		return nil, fmt.Errorf("the steps of the plan: %w", err)
	}
	n := len(opts.Plan.Steps)
	r := &runner{
		opts: opts, steps: opts.Plan.Steps, dag: dag, stepOf: make([]int, n), changes: map[string]plan.Change{},
		stop: make(chan struct{}), left: map[string]int{}, found: map[string]map[string]any{}, fresh: map[string]bool{},
		outcomes: make([]Outcome, n), counts: Counts{Total: n, Remaining: -1},
	}
	for _, change := range opts.Plan.Changes {
		r.changes[change.Address] = change
	}
	for i, s := range r.steps {
		node, _ := dag.Index(s.ID)
		r.stepOf[node] = i
		if s.Completes {
			r.left[s.Address]++
		}
	}
	r.weigh()
	return r, nil
}

// weigh gives each step the seconds it is expected to take. A step of unknown
// length counts as the mean of the known ones.
func (r *runner) weigh() {
	mean, sum, known := 1.0, 0.0, 0
	for _, s := range r.steps {
		if s.Seconds >= 0 {
			sum, known = sum+s.Seconds, known+1
		}
	}
	if known > 0 {
		mean = max(sum/float64(known), 1e-3)
	}
	r.weights = make([]float64, len(r.steps))
	for i, s := range r.steps {
		r.weights[i] = mean
		if s.Seconds >= 0 {
			r.weights[i] = s.Seconds
		}
		r.workLeft += r.weights[i] * float64(r.cpus(i))
	}
	if known == 0 || 2*known < len(r.steps) {
		r.workLeft = -1
	}
}

// cpus is how many processors a step occupies, never more than there are.
func (r *runner) cpus(i int) int {
	return min(max(r.steps[i].Resources.CPUs, 1), r.opts.CPUs)
}

func (r *runner) run(ctx context.Context) (*Report, error) {
	r.started = r.opts.Now()
	r.emit(Event{Kind: RunStarted, Plan: r.opts.Plan})
	if err := r.recordChangesWithoutSteps(); err != nil {
		r.lostJournal(err) // nothing is started, and the run ends as any other
	}
	finished := make(chan struct{})
	watching := r.watch(ctx, finished)
	remaining := r.dag.RemainingLongest(func(node int) float64 { return r.weights[r.stepOf[node]] })
	outcomes, _ := graph.Walk(ctx, r.dag, graph.WalkOptions{
		Workers:  max(len(r.steps), 1), // processors limit, not workers
		Priority: func(node int) float64 { return remaining[node] },
		Capacity: graph.Resources{CPUs: r.opts.CPUs, Memory: r.opts.Memory},
		Demand: func(node int) graph.Resources {
			i := r.stepOf[node]
			return graph.Resources{CPUs: r.cpus(i), Memory: r.steps[i].Resources.Memory}
		},
		Drain:  r.stop,
		OnSkip: func(node, failed int) { r.skip(r.stepOf[node], r.steps[r.stepOf[failed]].ID) },
	}, func(ctx context.Context, node int) error { return r.step(ctx, r.stepOf[node]) })
	close(finished)
	<-watching
	r.sum(outcomes)
	r.report.Elapsed = r.opts.Now().Sub(r.started)
	r.emit(Event{Kind: RunDone, Elapsed: r.report.Elapsed, Report: &r.report})
	return &r.report, r.journal
}

// watch turns interrupts into events and into the end of the walk. The channel
// that it returns is closed when it has ended.
func (r *runner) watch(ctx context.Context, finished <-chan struct{}) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		drain := r.opts.Drain
		for {
			select {
			case <-drain:
				drain = nil
				r.interrupt(Draining)
			case <-ctx.Done():
				r.interrupt(Stopping)
				return
			case <-finished:
				// The walk can end before its end was noticed here.
				if ctx.Err() != nil && !r.allDone() {
					r.interrupt(Stopping)
				}
				return
			}
		}
	}()
	return ended
}

func (r *runner) allDone() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts.Done == r.counts.Total
}

func (r *runner) interrupt(kind EventKind) {
	r.mu.Lock()
	r.report.Interrupted = true
	r.mu.Unlock()
	r.startNothingMore()
	r.emit(Event{Kind: kind})
}

func (r *runner) startNothingMore() { r.stopped.Do(func() { close(r.stop) }) }

// sum sorts the outcomes into the report, in the order of the plan.
func (r *runner) sum(outcomes []graph.Outcome) {
	for node, o := range outcomes {
		i := r.stepOf[node]
		if o.Status == graph.NotStarted {
			r.skip(i, "")
		}
	}
	for i := range r.outcomes {
		o := r.outcomes[i]
		switch {
		case o.Err != nil:
			r.report.Failed = append(r.report.Failed, o)
		case o.skipped:
			r.report.Skipped = append(r.report.Skipped, o)
		default:
			r.report.Done = append(r.report.Done, o)
		}
	}
	r.recordPartly()
}

func (r *runner) emit(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.emitLocked(e)
}

func (r *runner) emitLocked(e Event) {
	e.Time = r.opts.Now()
	if e.Elapsed == 0 && e.Step == nil {
		e.Elapsed = e.Time.Sub(r.started)
	}
	e.Counts = r.counts
	e.Counts.Remaining = -1
	if r.workLeft >= 0 {
		e.Counts.Remaining = time.Duration(r.workLeft / float64(r.opts.CPUs) * float64(time.Second))
	}
	r.opts.Events(e)
}

// logPath is where the log of a step goes.
func (r *runner) logPath(i int) string {
	return filepath.Join(r.opts.LogDir, LogName(r.steps[i].ID))
}
