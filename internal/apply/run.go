// Package apply runs a plan: it schedules the steps, writes the journal,
// records what exists in the state, and tells in events what happens.
//
// One goroutine, the coordinator, owns everything that changes; steps run in
// goroutines of their own and send their results back. A step is ready when
// what it needs is done; among the ready ones the one with the longest
// remaining path goes first, as soon as its processors and memory are free. A
// failed step fails what depends on it and nothing else.
package apply

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
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
	CPUs     int
	Memory   int64
	FailFast bool
	// Drain, when closed, lets running steps finish and starts nothing more.
	// Cancelling the context ends running steps.
	Drain <-chan struct{}
	// LogDir is where the logs of the steps go.
	LogDir string
	Events func(Event)
	Now    func() time.Time
	// Backoff is the wait before the first retry; it doubles.
	Backoff time.Duration
}

// Journal makes finished steps durable: when Append returns, the entry
// survives a crash.
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
	// Duration is kept for forecasts under the name of the step.
	Duration state.Duration
}

// attempts is how often a step is tried whose failure may go away.
const attempts = 4

// ErrJournal is wrapped by the error of a run that could not keep its journal:
// going on would lose work.
var ErrJournal = errors.New("cannot write the journal")

// Run applies the plan. The error is about the run itself; failed steps stand
// in the report.
func Run(ctx context.Context, opts Options) (*Report, error) {
	c, err := newCoordinator(opts)
	if err != nil {
		return nil, err
	}
	return c.run(ctx)
}

type coordinator struct {
	opts     Options
	steps    []plan.Step
	dag      *graph.DAG
	node     []int // step to node
	stepOf   []int // node to step
	changes  map[string]plan.Change
	left     map[string]int            // steps that an object still waits for
	attrs    map[string]map[string]any // attributes that the steps of an object found
	waiting  []int                     // needs that are not done, by step
	claims   []claim
	bypassed []int
	status   []status
	ready    queue
	free     room
	results  chan result
	progress chan progressed
	started  time.Time
	counts   Counts
	report   Report
	journal  error
	draining bool
	// journaling counts finished steps whose entries are being written.
	journaling int
	weights    []float64
	workLeft   float64
}

type status uint8

const (
	pending status = iota
	running
	done
	failed
	skipped
)

// result is what a step sends when it has ended, or when its journal entry
// is written.
type result struct {
	step      int
	value     providers.Result
	err       error
	elapsed   time.Duration
	log       string
	journaled bool
}

type progressed struct {
	step        int
	done, total int64
	retry       error
	wait        time.Duration
}

func newCoordinator(opts Options) (*coordinator, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Events == nil {
		opts.Events = func(Event) {}
	}
	if opts.Backoff == 0 {
		opts.Backoff = time.Second
	}
	dag, err := opts.Plan.Graph()
	if err != nil {
		return nil, fmt.Errorf("the steps of the plan: %w", err)
	}
	n := len(opts.Plan.Steps)
	c := &coordinator{
		opts: opts, steps: opts.Plan.Steps, dag: dag, node: make([]int, n), stepOf: make([]int, n),
		changes: map[string]plan.Change{}, left: map[string]int{}, attrs: map[string]map[string]any{},
		waiting: make([]int, n), claims: make([]claim, n), bypassed: make([]int, n), status: make([]status, n),
		free: room{max(opts.CPUs, 1), opts.Memory}, results: make(chan result, n), progress: make(chan progressed, 64),
		counts: Counts{Total: n, Remaining: -1},
	}
	for _, change := range opts.Plan.Changes {
		c.changes[change.Address] = change
	}
	for i, s := range c.steps {
		node, _ := dag.Index(s.ID)
		c.node[i], c.stepOf[node] = node, i
		c.waiting[i] = len(dag.Dependencies(node))
		c.claims[i] = c.free.claim(s.Resources.CPUs, s.Resources.Memory)
		if s.Completes {
			c.left[s.Address]++
		}
	}
	c.prioritise()
	return c, nil
}

// prioritise gives each step the length of the longest path from it to an end.
// A step of unknown length counts as the mean of the known ones.
func (c *coordinator) prioritise() {
	mean, known := 1.0, 0.0
	sum := 0.0
	for _, s := range c.steps {
		if s.Seconds >= 0 {
			sum, known = sum+s.Seconds, known+1
		}
	}
	if known > 0 {
		mean = max(sum/known, 1e-3)
	}
	c.weights = make([]float64, len(c.steps))
	for i, s := range c.steps {
		c.weights[i] = mean
		if s.Seconds >= 0 {
			c.weights[i] = s.Seconds
		}
		c.workLeft += c.weights[i] * float64(c.claims[i].cpus)
	}
	remaining := c.dag.RemainingLongest(func(node int) float64 { return c.weights[c.stepOf[node]] })
	c.ready.priority = make([]float64, len(c.steps))
	for i := range c.steps {
		c.ready.priority[i] = remaining[c.node[i]]
	}
	if known == 0 || known < float64(len(c.steps))/2 {
		c.workLeft = -1 // too little is known for a forecast
	}
}

func (c *coordinator) run(ctx context.Context) (*Report, error) {
	c.started = c.opts.Now()
	c.emit(Event{Kind: RunStarted, Plan: c.opts.Plan})
	c.recordChangesWithoutSteps()
	for i := range c.steps {
		if c.waiting[i] == 0 {
			c.ready.add(i)
		}
	}
	stop, drain := ctx.Done(), c.opts.Drain
	for {
		c.startReady(ctx)
		if c.counts.Running == 0 && c.journaling == 0 {
			break
		}
		select {
		case r := <-c.results:
			c.handle(r)
		case p := <-c.progress:
			c.tell(p)
		case <-drain:
			drain = nil
			c.draining, c.report.Interrupted = true, true
			c.emit(Event{Kind: Draining})
		case <-stop:
			stop = nil
			c.draining, c.report.Interrupted = true, true
			c.emit(Event{Kind: Stopping})
		}
	}
	c.skipTheRest()
	c.report.Elapsed = c.opts.Now().Sub(c.started)
	c.emit(Event{Kind: RunDone, Elapsed: c.report.Elapsed, Report: &c.report})
	return &c.report, c.journal
}

func (c *coordinator) emit(e Event) {
	e.Time, e.Counts = c.opts.Now(), c.counts
	if e.Elapsed == 0 && e.Step == nil {
		e.Elapsed = e.Time.Sub(c.started)
	}
	e.Counts.Remaining = c.remaining()
	c.opts.Events(e)
}

// remaining is the work that is left, spread over the processors.
func (c *coordinator) remaining() time.Duration {
	if c.workLeft < 0 {
		return -1
	}
	return time.Duration(c.workLeft / float64(max(c.opts.CPUs, 1)) * float64(time.Second))
}

// logPath is where the log of a step goes.
func (c *coordinator) logPath(i int) string {
	return filepath.Join(c.opts.LogDir, LogName(c.steps[i].ID))
}
