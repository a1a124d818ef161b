package store

import (
	"context"
	"time"
)

// recordShare bounds what changing the database may cost: a database is
// written as a whole, so it pays to wait for more packages.
const recordShare = 4

// settledKinds are the events of packages that did not fail.
var settledKinds = map[taskState]EventKind{taskInstalled: Installed, taskReused: Reused, taskExternal: External}

// record writes the packages into the database that are complete and whose
// needs are recorded or come along.
func (in *installer) record(ctx context.Context) {
	batch := in.batch()
	if len(batch) == 0 {
		in.waiting = true
		return
	}
	// What is complete is recorded also when the caller gave up meanwhile.
	start := time.Now()
	err := in.sync(batch)
	if err == nil {
		err = in.s.update(context.WithoutCancel(ctx), func(r *Records) (bool, error) { return in.apply(r, batch) })
	}
	in.recorded = time.Now()
	in.pause = recordShare * in.recorded.Sub(start)
	for _, t := range batch {
		in.complete--
		if err != nil {
			in.fail(t, err)
			continue
		}
		t.state = t.final
		if t.final == taskInstalled {
			err := in.s.prefixes.downgrade(t.lock) // so that nobody removes it before its dependents are there
			_ = err                                // at worst, it stays locked for longer
		}
		in.report(Event{Kind: settledKinds[t.state], Spec: t.spec, Took: t.took})
	}
}

// sync makes sure that files are there before it is recorded that they are.
func (in *installer) sync(batch []*task) error {
	if in.syncer == nil {
		return nil
	}
	var prefixes []string
	for _, t := range batch {
		if t.final == taskInstalled {
			prefixes = append(prefixes, t.prefix)
		}
	}
	return in.syncer.sync(prefixes)
}

// batch picks what can be recorded. What needs something that failed is taken
// away again.
func (in *installer) batch() []*task {
	var batch []*task
	coming := make(map[*task]bool)
	for _, t := range in.order {
		if t.state != taskComplete {
			continue
		}
		if because := failedNeed(t); because != nil && t.final == taskInstalled {
			in.complete--
			in.skip(t, because)
			_ = in.s.removePrefix(t.prefix) // unregistered; the next install removes what is left
			continue
		}
		ready := true
		for _, need := range t.needs {
			ready = ready && (need.state.good() || coming[need] || t.final == taskReused)
		}
		if ready {
			coming[t] = true
			batch = append(batch, t)
		}
	}
	return batch
}

// apply changes the records for a batch.
func (in *installer) apply(r *Records, batch []*task) (bool, error) {
	changed, now := false, in.s.opts.Clock()
	for _, t := range batch {
		rec := r.Get(t.spec.Hash)
		switch {
		case t.final != taskInstalled && rec != nil && rec.Installed:
			if t.explicit && !rec.Explicit {
				r.change(t.spec.Hash).Explicit = true
				changed = true
			}
		default:
			a := addition{spec: t.spec, prefix: t.prefix, explicit: t.explicit}
			if err := in.s.addInstalled(r, a, in.specs, now); err != nil {
				return false, err
			}
			changed = true
		}
	}
	return changed, nil
}
