package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"esd/internal/state/backend"
)

// Keeper is the heartbeat of a lock that is held.
type Keeper struct {
	terms  Terms
	now    func() time.Time
	cancel context.CancelFunc
	done   chan struct{}
	lost   chan struct{}

	mu      sync.Mutex
	renewed time.Time // of the last heartbeat that succeeded
	err     error     // why the lock is lost
	last    error     // of the last heartbeat, where it failed
}

// Keep begins to renew a lease that was just taken. renew returns
// backend.ErrLockLost when the lock is held no longer; other errors are tried
// again with the next heartbeat. It is given the time of half a lease.
func Keep(terms Terms, renew func(context.Context) error) *Keeper {
	ctx, cancel := context.WithCancel(context.Background())
	k := &Keeper{terms: terms.OrDefault(), now: time.Now, cancel: cancel, done: make(chan struct{}), lost: make(chan struct{})}
	k.renewed = k.now()
	go k.run(ctx, renew)
	return k
}

func (k *Keeper) run(ctx context.Context, renew func(context.Context) error) {
	defer close(k.done)
	ticker := time.NewTicker(k.terms.Beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		started := k.now()
		beat, cancel := context.WithTimeout(ctx, k.terms.Duration/2)
		err := renew(beat)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if k.note(started, err) {
			close(k.lost)
			return
		}
	}
}

// note takes note of a heartbeat and reports whether the lock is lost.
func (k *Keeper) note(started time.Time, err error) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last = err
	if err == nil {
		k.renewed = started
	}
	if errors.Is(err, backend.ErrLockLost) {
		k.err = err
	}
	return k.err != nil
}

// Renewed takes note that the lease was renewed by something else than a
// heartbeat, such as a write.
func (k *Keeper) Renewed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.renewed, k.last = k.now(), nil
}

// Stop ends the heartbeat and waits for a renewal that is under way. It may be
// called again.
func (k *Keeper) Stop() {
	k.cancel()
	<-k.done
}

// Lost is closed when a heartbeat has shown that the lock is held no longer.
func (k *Keeper) Lost() <-chan struct{} { return k.lost }

// Err is why the lock is lost, nil while it is not known to be.
func (k *Keeper) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// Doubt says that the lease could not be renewed for its whole duration, and
// why; nil if it could, or if the lock is lost for certain.
func (k *Keeper) Doubt() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	silent := k.now().Sub(k.renewed)
	if k.err != nil || silent <= k.terms.Duration {
		return nil
	}
	return fmt.Errorf("the lease on the lock could not be renewed for %s: %w", silent.Round(time.Second), k.last)
}
