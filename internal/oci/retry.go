package oci

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

// RetryPolicy says how long a failing registry is asked again. Only causes that may
// pass are retried: network errors, cut connections, 408, 429 and 5xx.
type RetryPolicy struct {
	Attempts      int           // tries in all; 1 means no retry
	Base          time.Duration // wait before the second try; doubles each time
	Max           time.Duration // longest wait of our own choice
	MaxRetryAfter time.Duration // longest wait that a registry may ask for; a longer one is a failure at once
}

// DefaultRetry is the policy where none is given: 6 tries within about 16 seconds.
func DefaultRetry() RetryPolicy {
	return RetryPolicy{Attempts: 6, Base: 500 * time.Millisecond, Max: 10 * time.Second, MaxRetryAfter: 2 * time.Minute}
}

// Where nothing listens a connection is refused at once, and a server that is down is
// hardly back within seconds: after RefusedAttempts tries, with RefusedPause between
// them at most, it is a failure whatever the policy.
const (
	RefusedAttempts = 3
	RefusedPause    = 500 * time.Millisecond
)

// Clock tells the time and waits, so that tests need not.
type Clock interface {
	Now() time.Time
	// Sleep waits for d, or until ctx ends, and then returns its cause.
	Sleep(ctx context.Context, d time.Duration) error
}

// SystemClock is the real [Clock].
type SystemClock struct{}

// Now implements Clock.
func (SystemClock) Now() time.Time { return time.Now() }

// Sleep implements Clock.
func (SystemClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// wait is the pause after the given try, the first being 1. Half of it is random, so
// that many clients do not come back at once.
func (p RetryPolicy) wait(try int, retryAfter time.Duration) time.Duration {
	if retryAfter > 0 {
		return retryAfter
	}
	d := p.Max
	if shift := try - 1; shift < 30 {
		d = min(p.Base<<shift, p.Max)
	}
	if d <= 1 {
		return d
	}
	return d/2 + rand.N(d/2)
}

// retryable tells HTTP statuses that may pass from those that will not.
func retryable(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= 500 && status != http.StatusNotImplemented
}

// retry runs op until it succeeds, fails for a cause that will not pass, or the
// policy is used up. op gets the number of the try, beginning with 1.
func (r *remote) retry(ctx context.Context, op func(ctx context.Context, try int) error) error {
	for try := 1; ; try++ {
		a := &attempt{}
		err := r.explain(ctx, op(withAttempt(ctx, a), try), a)
		var t *transientError
		if err == nil || !errors.As(err, &t) {
			return err
		}
		if try >= r.policy.Attempts || t.refused && try >= RefusedAttempts || a.retryAfter > r.policy.MaxRetryAfter {
			return t.final(r.Location(), try, a.retryAfter)
		}
		pause := r.policy.wait(try, a.retryAfter)
		if t.refused {
			pause = min(pause, RefusedPause)
		}
		if err := r.clock.Sleep(ctx, pause); err != nil {
			return fmt.Errorf("%s: %w (while waiting after: %v)", r.Location(), err, t.cause)
		}
	}
}

// transientError marks a failure that may pass.
type transientError struct {
	cause   error
	refused bool // nothing listens there
}

// Error implements error.
func (e *transientError) Error() string { return e.cause.Error() }

// Unwrap implements errors.Unwrap.
func (e *transientError) Unwrap() error { return e.cause }

// final is the failure once no more tries are made.
func (e *transientError) final(location string, tries int, retryAfter time.Duration) error {
	err := fmt.Errorf("%s: %w: %w (tried %d times)", location, ErrUnavailable, e.cause, tries)
	if retryAfter > 0 {
		err = fmt.Errorf("%w; it asks to come back in %s", err, retryAfter.Round(time.Second))
	}
	return err
}
