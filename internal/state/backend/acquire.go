package backend

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// WaitOptions say how long to wait for a lock.
type WaitOptions struct {
	// Timeout is how long to wait. With 0 a holder that shows a sign of life is
	// not waited for; one of which it is not known yet whether it lives is
	// watched until that shows, which its lease bounds.
	Timeout time.Duration
	// Waiting, if set, is called each time the lock is found held and waited
	// for, and once with nil when it was obtained after that.
	Waiting func(*LockedError)
	// MinDelay and MaxDelay bound the time between two attempts, which doubles
	// from one to the other. 0 means 50 ms and 5 s.
	MinDelay, MaxDelay time.Duration
}

// Acquire takes the lock, waiting while somebody else holds it. When time is up
// it returns the *LockedError of the last attempt; when ctx ends, its cause,
// with the *LockedError beside it.
func Acquire(ctx context.Context, b Backend, info LockInfo, opts WaitOptions) (Lock, error) {
	delay, longest := opts.MinDelay, opts.MaxDelay
	if delay <= 0 {
		delay = 50 * time.Millisecond
	}
	if longest <= 0 {
		longest = 5 * time.Second
	}
	last := opts.Timeout <= 0
	deadline := make(<-chan time.Time)
	if !last {
		timer := time.NewTimer(opts.Timeout)
		defer timer.Stop()
		deadline = timer.C
	}
	var seen Sightings
	now, waited := time.Now, false
	for {
		lock, err := b.Lock(ctx, info)
		if err == nil && waited {
			opts.Waiting(nil)
		}
		var locked *LockedError
		if err == nil || !errors.As(err, &locked) {
			return lock, err
		}
		locked.Looked, locked.Timeout = now(), opts.Timeout
		seen.Note(&locked.Holder, locked.Looked)
		if last && (opts.Timeout > 0 || locked.Holder.Lease.Verdict != Undecided) {
			return nil, err
		}
		if opts.Waiting != nil {
			waited = true
			opts.Waiting(locked)
		}
		// Between half and all of the delay, so that those who wait do not come
		// all at once.
		pause := time.NewTimer(delay/2 + rand.N(delay/2+1))
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil, errors.Join(context.Cause(ctx), err)
		case <-deadline:
			pause.Stop()
			last = true
		case <-pause.C:
		}
		delay = min(2*delay, longest)
	}
}
