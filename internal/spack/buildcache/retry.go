package buildcache

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

// isTransient tells failures that may pass from those that will not: network errors,
// cut connections, and what a transport marked.
func isTransient(err error) bool {
	var marked *transientError
	var network net.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case errors.As(err, &marked):
		return true
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return !dns.IsNotFound
	}
	return errors.As(err, &network) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNREFUSED)
}

// retry runs op until it succeeds, fails for a cause that will not pass, or the policy
// is used up.
func retry(ctx context.Context, policy oci.RetryPolicy, clock oci.Clock, where string, op func() error) error {
	for try := 1; ; try++ {
		err := op()
		if !isTransient(err) {
			return err
		}
		var marked *transientError
		var after time.Duration
		if errors.As(err, &marked) {
			after = marked.retryAfter
		}
		if try >= policy.Attempts || after > policy.MaxRetryAfter {
			err = fmt.Errorf("%s: %w: %w (tried %d times)", where, ErrUnavailable, err, try)
			if after > 0 {
				err = fmt.Errorf("%w; it asks to come back in %s", err, after.Round(time.Second))
			}
			return err
		}
		if err := clock.Sleep(ctx, wait(policy, try, after)); err != nil {
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

// retrying repeats what a transport does as long as the cause may pass.
type retrying struct {
	transport
	policy oci.RetryPolicy
	clock  oci.Clock
}

func (r *retrying) again(ctx context.Context, name string, op func() error) error {
	return retry(ctx, r.policy, r.clock, r.location()+"/"+name, op)
}

func (r *retrying) get(ctx context.Context, name string, opts getOptions) (o *object, err error) {
	err = r.again(ctx, name, func() error {
		o, err = r.transport.get(ctx, name, opts)
		return err
	})
	return o, err
}

func (r *retrying) stat(ctx context.Context, name string) (info objectInfo, err error) {
	err = r.again(ctx, name, func() error {
		info, err = r.transport.stat(ctx, name)
		return err
	})
	return info, err
}

func (r *retrying) put(ctx context.Context, name string, src source) error {
	return r.again(ctx, name, func() error { return r.transport.put(ctx, name, src) })
}

func (r *retrying) remove(ctx context.Context, name string) error {
	return r.again(ctx, name, func() error { return r.transport.remove(ctx, name) })
}

// list is repeated from its beginning: yield may see a name twice.
func (r *retrying) list(ctx context.Context, prefix string, yield func(string, objectInfo) error) error {
	return r.again(ctx, prefix, func() error { return r.transport.list(ctx, prefix, yield) })
}

// readAll reads an object of at most limit bytes, and again when it was cut short.
func (r *retrying) readAll(ctx context.Context, name string, limit int64, opts getOptions) (text []byte, info objectInfo, err error) {
	err = r.again(ctx, name, func() error {
		o, err := r.transport.get(ctx, name, opts)
		if err != nil {
			return err
		}
		defer o.Close()
		text, err = readLimited(o, r.location()+"/"+name, limit)
		info = o.objectInfo
		return err
	})
	return text, info, err
}
