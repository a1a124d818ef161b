package apply

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"esd/internal/plan"
	"esd/internal/providers"
)

// attempts is how often a step is tried whose failure may go away.
const attempts = 4

// step runs one step and makes what it did durable.
func (r *runner) step(ctx context.Context, i int) error {
	r.mu.Lock()
	r.counts.Running++
	r.emitLocked(Event{Kind: StepStarted, Step: &r.steps[i]})
	r.mu.Unlock()
	log := &lazyLog{path: r.logPath(i)}
	started := r.opts.Now()
	value, err := r.try(ctx, i, log)
	if closeErr := log.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("writing the log: %w", closeErr)
	}
	outcome := Outcome{Step: &r.steps[i], Err: err, Log: log.written(), Elapsed: r.opts.Now().Sub(started), Reused: value.Reused}
	if err == nil {
		if err = r.opts.Journal.Append(r.record(i, value, outcome.Elapsed)); err != nil {
			outcome.Err = fmt.Errorf("%w: %w", ErrJournal, err)
			r.lostJournal(outcome.Err)
		}
	}
	r.finish(i, outcome, value)
	return outcome.Err
}

// try runs a step until it is done or has failed for good: again only where
// the cause of a failure may go away.
func (r *runner) try(ctx context.Context, i int, log *lazyLog) (value providers.Result, err error) {
	cpus, wait := r.cpus(i), r.opts.Backoff
	for attempt := 1; ; attempt++ {
		value, err = r.attempt(ctx, i, log, cpus, attempt)
		var again *providers.RetryError
		var late *TimeoutError
		if err == nil || errors.As(err, &late) || !errors.As(err, &again) || attempt >= attempts || ctx.Err() != nil {
			return value, err
		}
		if again.OutOfMemory {
			if cpus == 1 {
				return value, err
			}
			cpus, wait = cpus/2, 0
			attempt = attempts - 1 // once more, not more often
		}
		r.emit(Event{Kind: StepRetried, Step: &r.steps[i], Err: err, Wait: wait, Log: log.written()})
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return value, err
		}
		wait *= 2
	}
}

// attempt runs a step once. A provider that panics fails its step, not the
// run.
func (r *runner) attempt(ctx context.Context, i int, log *lazyLog, cpus, attempt int) (value providers.Result, err error) {
	step := &r.steps[i]
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(log, "%v\n%s", p, debug.Stack())
			err = fmt.Errorf("this is a bug in esd: %v (the log has the stack)", p)
		}
	}()
	provider := r.opts.Provider(step.Kind)
	if provider == nil {
		return value, fmt.Errorf("this version of esd has no provider for %s; use the version that made the plan", step.Kind)
	}
	ctx, cancel := withTimeout(ctx, step)
	defer cancel()
	value, err = provider.Apply(ctx, providers.Run{
		Address: addressOf(step.Address), Op: step.Op, Key: step.Key, Spec: step.Spec, CPUs: cpus, Attempt: attempt, Log: log,
		Progress: func(done, total int64) {
			r.emit(Event{Kind: StepProgress, Step: step, Bytes: done, TotalBytes: total})
		},
	})
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	return value, err
}

func withTimeout(ctx context.Context, step *plan.Step) (context.Context, context.CancelFunc) {
	limit := step.Resources.Timeout
	if limit <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, limit, &TimeoutError{limit})
}

// TimeoutError says that a step was ended because it took too long. It is not
// tried again: it had all the time that it was given.
type TimeoutError struct{ Limit time.Duration }

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("took longer than its timeout of %s", e.Limit)
}

// lostJournal stops the run: what is done from now on might be lost.
func (r *runner) lostJournal(err error) {
	r.mu.Lock()
	r.journal = err
	r.mu.Unlock()
	r.startNothingMore()
}

// finish accounts for a step that has ended.
func (r *runner) finish(i int, outcome Outcome, value providers.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes[i] = outcome
	r.counts.Running--
	r.spend(i)
	r.report.Downloaded += value.Downloaded
	r.report.Uploaded += value.Uploaded
	event := Event{Kind: StepDone, Step: outcome.Step, Elapsed: outcome.Elapsed, Reused: outcome.Reused, Log: outcome.Log, Bytes: value.Size}
	if outcome.Err != nil {
		r.counts.Failed++
		event.Kind, event.Err = StepFailed, outcome.Err
		if r.opts.FailFast {
			r.startNothingMore()
		}
	} else {
		r.counts.Done++
	}
	r.emitLocked(event)
}

// spend takes a step that has ended, or will never begin, out of the work that
// is left.
func (r *runner) spend(i int) {
	if r.workLeft > 0 {
		r.workLeft = max(r.workLeft-r.weights[i]*float64(r.cpus(i)), 0)
	}
}

// skip accounts for a step that is not started.
func (r *runner) skip(i int, because string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes[i] = Outcome{Step: &r.steps[i], Because: because, skipped: true}
	r.counts.Skipped++
	r.spend(i)
	r.emitLocked(Event{Kind: StepSkipped, Step: &r.steps[i], Because: because})
}
