package backend

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// WaitOptions say how long to wait for a lock.
type WaitOptions struct {
	// Timeout is how long to wait; 0 is not to wait.
	Timeout time.Duration
	// Waiting, if set, is called each time the lock is found held.
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
	deadline := time.NewTimer(opts.Timeout)
	defer deadline.Stop()
	for last := opts.Timeout <= 0; ; {
		lock, err := b.Lock(ctx, info)
		var locked *LockedError
		if err == nil || !errors.As(err, &locked) || last {
			return lock, err
		}
		if opts.Waiting != nil {
			opts.Waiting(locked)
		}
		// Between half and all of the delay, so that those who wait do not come
		// all at once.
		pause := time.NewTimer(delay/2 + rand.N(delay/2+1))
		select {
		case <-ctx.Done():
			pause.Stop()
			return nil, errors.Join(context.Cause(ctx), err)
		case <-deadline.C:
			pause.Stop()
			last = true
		case <-pause.C:
		}
		delay = min(2*delay, longest)
	}
}
