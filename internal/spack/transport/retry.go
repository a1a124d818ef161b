package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"time"

	"esd/internal/oci"
)

// transientError marks a failure that may pass.
type transientError struct {
	cause      error
	retryAfter time.Duration // what the server asked to wait, 0 for nothing
}

// Error implements error.
func (e *transientError) Error() string { return e.cause.Error() }

// Unwrap implements errors.Unwrap.
func (e *transientError) Unwrap() error { return e.cause }

// IsTransient tells failures that may pass from those that will not: network errors,
// cut connections, and what servers say of themselves. What was retried already, for as
// long as the policy lasts, counts as lasting.
func IsTransient(err error) bool {
	var marked *transientError
	var dns *net.DNSError
	var network net.Error
	switch {
	case err == nil, errors.Is(err, ErrUnavailable):
		return false
	case errors.As(err, &marked):
		return true
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case errors.As(err, &dns):
		return !dns.IsNotFound
	}
	if errors.As(err, &network) {
		// Bare errors of the system have the methods of network errors, and are of files
		// when no network operation is around them: those do not pass.
		if _, bare := network.(syscall.Errno); !bare {
			return true
		}
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNREFUSED)
}

// retry runs op until it succeeds, fails for a cause that will not pass, or the policy
// is used up.
func retry(ctx context.Context, policy oci.RetryPolicy, clock oci.Clock, where string, op func() error) error {
	for try := 1; ; try++ {
		err := op()
		if !IsTransient(err) {
			return err
		}
		var marked *transientError
		var after time.Duration
		if errors.As(err, &marked) {
			after = marked.retryAfter
		}
		refused := errors.Is(err, syscall.ECONNREFUSED)
		if try >= policy.Attempts || refused && try >= oci.RefusedAttempts || after > policy.MaxRetryAfter {
			err = fmt.Errorf("%s: %w: %w (tried %d times)", where, ErrUnavailable, err, try)
			if after > 0 {
				err = fmt.Errorf("%w; it asks to come back in %s", err, after.Round(time.Second))
			}
			return err
		}
		pause := wait(policy, try, after)
		if refused {
			pause = min(pause, oci.RefusedPause)
		}
		if err := clock.Sleep(ctx, pause); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
}

// wait is the pause after the given try, the first being 1. Half of it is random, so
// that many clients do not come back at once.
func wait(p oci.RetryPolicy, try int, after time.Duration) time.Duration {
	if after > 0 {
		return after
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
