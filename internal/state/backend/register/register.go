package register

import (
	"context"
	"fmt"
	"sync"
	"time"

	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
)

// Options adapt a register. The zero value is the default.
type Options struct {
	// Terms are those of the leases of its locks.
	Terms lease.Terms
	// Keep is how many versions are kept beside the present one (default 10).
	Keep int
	// Now is the clock that locks are stamped with, for people; nil is the time
	// of the system.
	Now func() time.Time
}

// defaultKeep is the default of Options.Keep.
const defaultKeep = 10

// Backend is a state in a Store. It implements backend.Backend.
type Backend struct {
	store Store
	terms lease.Terms
	keep  int
	now   func() time.Time
	watch lease.Watch

	mu    sync.Mutex
	floor floor
	good  string // the document that is known to be readable
}

// floor is the latest that a client has seen. Nothing older is believed.
type floor struct {
	revision int64
	state    *version
}

// New returns the state in a store. Nobody is asked for anything yet.
func New(store Store, opts Options) *Backend {
	b := &Backend{store: store, terms: opts.Terms.OrDefault(), keep: opts.Keep, now: opts.Now}
	if b.keep <= 0 {
		b.keep = defaultKeep
	}
	if b.now == nil {
		b.now = time.Now
	}
	return b
}

var _ backend.Backend = (*Backend)(nil)

// Location is the address of the state, without secrets.
func (b *Backend) Location() string { return b.store.Location() }

// Holder implements backend.Backend.
func (b *Backend) Holder(ctx context.Context) (*backend.LockInfo, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cur, err := b.load(ctx)
	if err != nil || cur.head.Lock == nil {
		return nil, err
	}
	holder := b.look(ctx, &cur.head)
	return &holder, nil
}

// look is what is known of the holder of the lock in a head.
func (b *Backend) look(ctx context.Context, h *head) backend.LockInfo {
	holder := h.Lock.Holder
	p, _ := holder.Process()
	holder.Lease = backend.Lease{
		Duration: time.Duration(p.Lease * float64(time.Second)),
		Renewed:  h.Lock.Renewed,
		Verdict:  b.watch.LookAt(holder, sign(h)),
		Silent:   b.watch.Silence(),
	}
	holder.Lease.Expires = h.Lock.Renewed.Add(holder.Lease.Duration)
	if sessions, ok := b.store.(Sessions); ok && holder.Lease.Verdict != backend.Dead {
		// Where that cannot be found out, the lease decides.
		if gone, err := sessions.Gone(ctx, h.Fence); err == nil && gone {
			holder.Lease.Verdict = backend.Dead
		}
	}
	return holder
}

// ForceUnlock implements backend.Backend.
func (b *Backend) ForceUnlock(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, err := b.change(ctx, nil, edit{
		make: func(now *head) error {
			switch {
			case now.Lock == nil:
				return fmt.Errorf("state %s: %w", b.store.Location(), backend.ErrNotLocked)
			case now.Lock.Holder.ID != id:
				return &backend.LockIDError{ID: id, Holder: now.Lock.Holder}
			}
			now.Lock = nil
			return nil
		},
		done: func(now *head) bool { return !now.heldBy(id) },
	})
	return err
}
