package httpstate

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// Retry says how requests are repeated that failed for the moment: because the
// connection did, or the server has trouble (5xx) or is busy (429).
type Retry struct {
	// Max is how often, after the first attempt.
	Max int
	// MinWait and MaxWait bound the time between two attempts, which doubles. A
	// server that says how long to wait (Retry-After) is obeyed within MaxWait.
	MinWait, MaxWait time.Duration
}

// do sends a request that may be repeated without harm.
func (c *client) do(ctx context.Context, r request) (*answer, error) {
	sent := false
	for attempt := 0; ; attempt++ {
		a, err := c.send(ctx, r)
		var broken *brokenError
		if errors.As(err, &broken) {
			sent = sent || broken.sent
			broken.sent = sent
		}
		if a != nil {
			a.repeated = attempt > 0
		}
		if !passing(a, err) || attempt >= c.retry.Max || ctx.Err() != nil {
			return a, err
		}
		if waitErr := c.retry.wait(ctx, attempt, a); waitErr != nil {
			return nil, waitErr
		}
	}
}

// passing tells whether another attempt may have another result.
func passing(a *answer, err error) bool {
	var untrusted *suspicion
	switch {
	case err != nil:
		return !errors.As(err, &untrusted)
	case a.status == http.StatusTooManyRequests:
		return true
	}
	return a.status >= 500 && a.status != http.StatusNotImplemented
}

// wait waits after an attempt, counted from 0.
func (r Retry) wait(ctx context.Context, attempt int, a *answer) error {
	delay := r.MinWait << min(attempt, 20)
	if a != nil {
		if said, err := strconv.Atoi(a.header.Get("Retry-After")); err == nil && said >= 0 && said < 1<<20 {
			delay = max(delay, time.Duration(said)*time.Second)
		}
	}
	timer := time.NewTimer(min(delay, r.MaxWait))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
