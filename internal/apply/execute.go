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

// startReady starts the steps that are ready and fit.
func (c *coordinator) startReady(ctx context.Context) {
	for !c.draining && ctx.Err() == nil {
		i, ok := c.ready.take(c.free, c.opts.Memory > 0, c.claims, c.bypassed)
		if !ok {
			return
		}
		c.free.cpus -= c.claims[i].cpus
		c.free.memory -= c.claims[i].memory
		c.status[i] = running
		c.counts.Running++
		c.emit(Event{Kind: StepStarted, Step: &c.steps[i]})
		go func() { c.results <- c.execute(ctx, i) }()
	}
}

// execute runs one step to its end, trying again where the cause of a failure
// may go away.
func (c *coordinator) execute(ctx context.Context, i int) result {
	step := c.steps[i]
	log := &lazyLog{path: c.logPath(i)}
	started := c.opts.Now()
	cpus, wait := c.claims[i].cpus, c.opts.Backoff
	var value providers.Result
	var err error
	for attempt := 1; ; attempt++ {
		value, err = c.attempt(ctx, step, log, i, cpus, attempt)
		var again *providers.RetryError
		if err == nil || !errors.As(err, &again) || attempt == attempts || ctx.Err() != nil {
			break
		}
		if again.OutOfMemory {
			if cpus == 1 {
				break
			}
			cpus, wait = max(cpus/2, 1), 0
			attempt = attempts - 1 // once more, not more often
		}
		c.progress <- progressed{step: i, retry: err, wait: wait}
		if !sleep(ctx, wait) {
			break
		}
		wait *= 2
	}
	if closeErr := log.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("writing the log: %w", closeErr)
	}
	return result{step: i, value: value, err: err, elapsed: c.opts.Now().Sub(started), log: log.written()}
}

// attempt runs a step once. A provider that panics fails its step, not the
// run.
func (c *coordinator) attempt(ctx context.Context, step plan.Step, log *lazyLog, i, cpus, attempt int) (value providers.Result, err error) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(log, "%v\n%s", r, debug.Stack())
			err = fmt.Errorf("this is a bug in esd: %v (the log has the stack)", r)
		}
	}()
	provider := c.opts.Provider(step.Kind)
	if provider == nil {
		return value, fmt.Errorf("this version of esd has no provider for %s; use the version that made the plan", step.Kind)
	}
	if step.Resources.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, step.Resources.Timeout, fmt.Errorf("took longer than its timeout of %s", step.Resources.Timeout))
		defer cancel()
	}
	value, err = provider.Apply(ctx, providers.Run{
		Address: addressOf(step.Address), Op: step.Op, Key: step.Key, Spec: step.Spec, CPUs: cpus, Attempt: attempt, Log: log,
		Progress: func(done, total int64) {
			select {
			case c.progress <- progressed{step: i, done: done, total: total}:
			default: // the coordinator is busy: the next report will do
			}
		},
	})
	if err != nil && ctx.Err() != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w (%w)", cause, err)
		}
	}
	return value, err
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// tell passes on what a running step reports.
func (c *coordinator) tell(p progressed) {
	if p.retry != nil {
		c.emit(Event{Kind: StepRetried, Step: &c.steps[p.step], Err: p.retry, Wait: p.wait, Log: c.logPath(p.step)})
		return
	}
	c.emit(Event{Kind: StepProgress, Step: &c.steps[p.step], Bytes: p.done, TotalBytes: p.total})
}
