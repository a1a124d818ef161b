package oci

import (
	"context"
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
