package store

import (
	"context"
	"maps"
	"path/filepath"
	"sync"
	"time"

	"esd/internal/spack"
)

// installer is one run of Install: a coordinator that knows what became of
// every package, and workers that unpack.
type installer struct {
	s       *Store
	opts    InstallOptions
	specs   spack.Specs
	records *Records // at the beginning
	order   []*task  // what is needed first
	cursor  int      // before it, everything is started
	tasks   map[spack.Hash]*task

	occupied map[string]*spack.Spec // prefixes that are in use
	checked  map[spack.Hash]error   // what is recordable

	running  int
	syncer   *syncer // nil without syncing
	complete int     // to be recorded
	waiting  bool    // all that is complete waits for what is not
	recorded time.Time
	pause    time.Duration // between two changes of the database

	mutex     sync.Mutex // for what workers share
	held      []lockRange
	temporary map[string][]string // see unfinished
}

func newInstaller(s *Store, records *Records, packages []Package, opts InstallOptions) *installer {
	in := &installer{s: s, opts: opts, specs: maps.Clone(opts.Specs), records: records, occupied: map[string]*spack.Spec{}, checked: map[spack.Hash]error{}, temporary: map[string][]string{}}
	if in.specs == nil {
		in.specs = make(spack.Specs, len(packages))
	}
	for _, p := range packages {
		in.specs[p.Spec.Hash] = p.Spec
	}
	for _, rec := range records.All() {
		if rec.Installed && rec.Spec.External == nil {
			in.occupied[rec.Path] = rec.Spec
		}
	}
	in.plan(packages)
	return in
}

// nothingToDo settles everything if all is there and recorded as it should be.
// Then nothing is locked and nothing written, so it works for readers too.
func (in *installer) nothingToDo() bool {
	for _, t := range in.order {
		rec := in.records.Get(t.spec.Hash)
		if t.state == taskFailed {
			continue
		}
		if rec == nil || !in.s.Present(rec) || t.explicit && !rec.Explicit {
			return false
		}
	}
	for _, t := range in.order {
		if t.state == taskFailed {
			in.report(Event{Kind: Failed, Spec: t.spec, Err: t.err})
			continue
		}
		if t.state = taskReused; t.spec.External != nil {
			t.state = taskExternal
		}
		in.report(Event{Kind: settledKinds[t.state], Spec: t.spec})
	}
	return true
}

// outcome is what a worker did.
type outcome struct {
	task   *task
	reused bool
	took   time.Duration
	err    error
}

func (in *installer) run(ctx context.Context) (Result, error) {
	for _, t := range in.order {
		if t.state == taskFailed {
			in.report(Event{Kind: Failed, Spec: t.spec, Err: t.err})
		}
	}
	work, outcomes := make(chan *task), make(chan outcome)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer close(work)
	for range min(in.opts.Jobs, len(in.order)) {
		workers.Go(func() {
			for t := range work {
				outcomes <- in.work(ctx, t)
			}
		})
	}
	in.recorded = time.Now()
	for {
		t := in.next(ctx)
		if t == nil && in.running == 0 {
			in.record(ctx)
			if in.complete == 0 {
				return in.result()
			}
			continue
		}
		in.step(t, work, outcomes)
		if in.complete > 0 && !in.waiting && time.Since(in.recorded) >= in.pause {
			in.record(ctx)
		}
	}
}

// step hands out a task, or takes an outcome, or waits until it is time to
// record.
func (in *installer) step(t *task, work chan<- *task, outcomes <-chan outcome) {
	var ready chan<- *task
	if t != nil && in.running < in.opts.Jobs {
		ready = work
	}
	var due <-chan time.Time
	if in.complete > 0 && !in.waiting {
		due = time.After(in.pause - time.Since(in.recorded))
	}
	select {
	case ready <- t:
		t.state = taskRunning
		in.running++
		in.report(Event{Kind: Started, Spec: t.spec})
	case o := <-outcomes:
		in.running--
		in.waiting = false
		in.settle(o)
	case <-due:
	}
}

// next is the first package that can be started.
func (in *installer) next(ctx context.Context) *task {
	for ; in.cursor < len(in.order); in.cursor++ {
		t := in.order[in.cursor]
		if t.state != taskWaiting {
			continue
		}
		switch because := failedNeed(t); {
		case because != nil:
			in.skip(t, because)
		case ctx.Err() != nil:
			in.fail(t, context.Cause(ctx))
		case t.spec.External != nil:
			t.state, t.final = taskComplete, taskExternal
			in.complete++
			in.waiting = false
		default:
			return t
		}
	}
	return nil
}

func failedNeed(t *task) *spack.Spec {
	for _, need := range t.needs {
		if need.state == taskFailed {
			return need.spec
		}
	}
	return nil
}

func (in *installer) settle(o outcome) {
	t := o.task
	if t.took = o.took; o.err != nil {
		in.fail(t, o.err)
		return
	}
	t.state, t.final = taskComplete, taskInstalled
	if o.reused {
		t.final = taskReused
	}
	in.complete++
}

func (in *installer) fail(t *task, err error) {
	t.state, t.err = taskFailed, err
	in.report(Event{Kind: Failed, Spec: t.spec, Took: t.took, Err: err})
}

func (in *installer) skip(t *task, because *spack.Spec) {
	t.state, t.because = taskFailed, because
	in.report(Event{Kind: Skipped, Spec: t.spec})
}

func (in *installer) report(e Event) {
	if in.opts.Progress != nil {
		in.opts.Progress(e)
	}
}

// locate tells where packages are or will be.
func (in *installer) locate(h spack.Hash) (string, bool) {
	if t := in.tasks[h]; t != nil {
		return t.prefix, t.prefix != ""
	}
	if rec := in.records.Get(h); rec != nil && rec.Path != "" {
		return rec.Path, true
	}
	if node := in.specs[h]; node != nil {
		prefix, err := in.s.prefixAmong(node, in.specs)
		return prefix, err == nil && prefix != ""
	}
	return "", false
}

// timesPath is the file in a prefix that says how long its install took.
func timesPath(prefix string) string { return filepath.Join(prefix, metadataDir, "install_times.json") }
