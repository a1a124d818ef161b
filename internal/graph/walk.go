package graph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
)

// WalkOptions say how a walk goes. The zero value walks with as many workers
// as there are processors, in the order of the graph, and does not stop when a
// node fails.
type WalkOptions struct {
	// Workers is the number of nodes that are worked on at once. 0 or less
	// stands for GOMAXPROCS.
	Workers int
	// Priority orders the nodes that are ready: greater starts earlier, equal
	// ones start in the order of the graph. It is called once for each node,
	// before the walk. nil makes all equal.
	Priority func(node int) float64
	// Capacity is what the nodes at work may demand together.
	Capacity Resources
	// Demand is what a node needs while it is worked on. It is called once for
	// each node, before the walk. nil means nothing.
	Demand func(node int) Resources
	// FailFast ends the walk at the first failure: the context of the nodes at
	// work is canceled with cause ErrFailFast, and no more are started.
	FailFast bool
	// Drain, once closed, lets nodes at work finish and starts no more.
	Drain <-chan struct{}
	// OnSkip is told, as early as it is known, about each node that will not
	// be started because failed did. It is called by the goroutine that called
	// Walk, and holds up the walk while it runs.
	OnSkip func(node, failed int)
}

// Walk calls fn once for each node, after it returned nil for all nodes that
// this one depends on. A node whose dependency failed is skipped, the others
// go on. Calls run in parallel in goroutines of their own, all of which have
// ended when Walk returns.
//
// When ctx is done, no more nodes are started. The context that fn gets is
// done then too, and an error of fn that wraps that context's error or cause
// counts as canceled, not as failed.
//
// The outcomes are indexed by node. The error is nil when all are [Done], and
// a [*WalkError] otherwise. When fn panics, Walk cancels the other calls,
// waits for them, and panics itself.
func Walk(ctx context.Context, d *DAG, opts WalkOptions, fn func(ctx context.Context, node int) error) ([]Outcome, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := newWalk(ctx, d, opts, fn)
	for {
		w.start()
		if w.running == 0 {
			break
		}
		w.finish(<-w.done, cancel)
	}
	if w.crash != nil {
		panic(w.crash)
	}
	w.skipRest()
	return w.outcomes, w.err()
}

// walk is the state of a walk. Only the goroutine that called Walk touches it;
// the others have fn, and report through done.
type walk struct {
	d    *DAG
	opts WalkOptions
	fn   func(context.Context, int) error
	ctx  context.Context
	done chan result

	unsettled []int32 // dependencies of each node that are not done, failed or skipped
	outcomes  []Outcome
	running   int
	stopped   error // why no more nodes are started, if so
	crash     any   // what fn panicked with

	queue  queue
	supply supply
}

// result is how a call of fn ended.
type result struct {
	node  int
	err   error
	crash any
}

func newWalk(ctx context.Context, d *DAG, opts WalkOptions, fn func(context.Context, int) error) *walk {
	if opts.Workers <= 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	w := &walk{
		d:         d,
		opts:      opts,
		fn:        fn,
		ctx:       ctx,
		done:      make(chan result, min(opts.Workers, d.Len())),
		unsettled: make([]int32, d.Len()),
		outcomes:  make([]Outcome, d.Len()),
		queue:     newQueue(d, opts.Priority),
		supply:    newSupply(d, opts),
	}
	for node := range w.outcomes {
		w.outcomes[node].Cause = none
		w.unsettled[node] = int32(len(d.Dependencies(node)))
		if w.unsettled[node] == 0 {
			w.queue.push(node)
		}
	}
	return w
}

// start starts ready nodes as far as workers and resources go. A node that
// does not fit lets others pass, within limits: see supply.
func (w *walk) start() {
	var held []int
	for w.running < w.opts.Workers && w.queue.len() > 0 && w.supply.mayPass(held) && !w.stopping() {
		node := w.queue.pop()
		if !w.supply.take(node) {
			held = append(held, node)
			continue
		}
		w.supply.passed(held)
		w.running++
		go w.run(node)
	}
	for _, node := range held {
		w.queue.push(node)
	}
}

// stopping says whether no more nodes are to be started, and remembers why.
func (w *walk) stopping() bool {
	if w.stopped == nil && w.ctx.Err() != nil {
		w.stopped = context.Cause(w.ctx)
	}
	if w.stopped == nil {
		select {
		case <-w.opts.Drain:
			w.stopped = ErrDrained
		default:
		}
	}
	return w.stopped != nil
}

// errExited is the error of a call that neither returned nor panicked.
var errExited = errors.New("the goroutine was ended with runtime.Goexit")

func (w *walk) run(node int) {
	r := result{node: node, err: errExited}
	defer func() {
		if v := recover(); v != nil {
			r.crash = fmt.Sprintf("node %q panicked: %v\n\n%s", w.d.ID(node), v, debug.Stack())
		}
		w.done <- r
	}()
	r.err = w.fn(w.ctx, node)
}

// finish records how a node ended.
func (w *walk) finish(r result, cancel context.CancelCauseFunc) {
	w.running--
	w.supply.giveBack(r.node)
	outcome := &w.outcomes[r.node]
	outcome.Err = r.err
	switch {
	case r.crash != nil:
		if w.crash == nil {
			w.crash = r.crash
		}
		cancel(fmt.Errorf("node %q panicked", w.d.ID(r.node)))
		return
	case r.err == nil:
		outcome.Status = Done
	case w.isCanceled(r.err):
		outcome.Status = Canceled
		return // what depends on it is not started, not skipped
	default:
		outcome.Status = Failed
		if w.opts.FailFast {
			cancel(ErrFailFast)
		}
	}
	w.settle(r.node)
}

func (w *walk) isCanceled(err error) bool {
	return w.ctx.Err() != nil && (errors.Is(err, w.ctx.Err()) || errors.Is(err, context.Cause(w.ctx)))
}

// settle makes ready, or skips, the nodes that waited for this one last.
func (w *walk) settle(node int) {
	settled := []int{node}
	for len(settled) > 0 {
		node = settled[len(settled)-1]
		settled = settled[:len(settled)-1]
		for _, dependent := range w.d.Dependents(node) {
			w.unsettled[dependent]--
			if w.unsettled[dependent] > 0 {
				continue
			}
			if w.skip(int(dependent)) {
				settled = append(settled, int(dependent))
			} else {
				w.queue.push(int(dependent))
			}
		}
	}
}

// skip skips a node when one that it depends on, directly or not, failed. Of
// several it names the one with the least id, and not the one that happened to
// fail first.
func (w *walk) skip(node int) bool {
	cause := none
	for _, dependency := range w.d.Dependencies(node) {
		failed := none
		switch o := w.outcomes[dependency]; o.Status {
		case Failed:
			failed = int(dependency)
		case Skipped:
			failed = o.Cause
		}
		if failed != none && (cause == none || failed < cause) {
			cause = failed
		}
	}
	if cause == none {
		return false
	}
	w.outcomes[node].Status, w.outcomes[node].Cause = Skipped, cause
	if w.opts.OnSkip != nil {
		w.opts.OnSkip(node, cause)
	}
	return true
}

// skipRest skips what a failure keeps from starting in a walk that ended before
// all other dependencies were settled.
func (w *walk) skipRest() {
	for _, node := range w.d.order {
		if w.outcomes[node].Status == NotStarted {
			w.skip(node)
		}
	}
}

// queue is the nodes that are ready, in a total order.
type queue struct {
	place []int32 // of each node in the order
	node  []int32 // by place
	ready minHeap // places
}

func newQueue(d *DAG, priority func(int) float64) queue {
	q := queue{place: make([]int32, d.Len()), node: make([]int32, d.Len())}
	for i, node := range d.order {
		q.node[i] = int32(node)
	}
	if priority != nil {
		priorities := make([]float64, d.Len())
		for node := range priorities {
			priorities[node] = priority(node)
		}
		slices.SortStableFunc(q.node, func(a, b int32) int { return cmp.Compare(priorities[b], priorities[a]) })
	}
	for i, node := range q.node {
		q.place[node] = int32(i)
	}
	return q
}

func (q *queue) len() int { return len(q.ready) }

func (q *queue) push(node int) { q.ready.push(q.place[node]) }

func (q *queue) pop() int { return int(q.node[q.ready.pop()]) }
