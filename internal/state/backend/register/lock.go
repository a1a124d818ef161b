package register

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
)

// held is a lock on a state in a store.
type held struct {
	b       *Backend
	info    backend.LockInfo
	fence   int64
	notices []state.Notice
	keeper  *lease.Keeper
	end     func() // of the session

	writing  sync.Mutex // one write or unlock at a time
	released bool
	swept    bool

	swapping sync.Mutex // one swap at a time: heartbeats go on while a document is sent
	cur      *at        // after the last swap; nil when that is not known
}

// sign is what changes with each heartbeat.
func sign(h *head) string { return fmt.Sprintf("%d/%d", h.Fence, h.Lock.Renewals) }

// Lock implements backend.Backend.
func (b *Backend) Lock(ctx context.Context, info backend.LockInfo) (backend.Lock, error) {
	info.Path = b.store.Location()
	info = info.WithLease(b.terms.Duration)
	probed := false
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		cur, err := b.load(ctx)
		if err != nil {
			return nil, err
		}
		h := &held{b: b, info: info, fence: cur.head.Fence + 1}
		if cur.head.Lock != nil {
			if err := h.takeOver(ctx, cur); err != nil {
				return nil, err
			}
		}
		if prober, ok := b.store.(Prober); ok && !probed {
			if err := prober.Probe(ctx); err != nil {
				return nil, err
			}
			probed = true
		}
		err = h.take(ctx, cur)
		if err == nil {
			return h, nil
		}
		if !errors.Is(err, ErrChanged) {
			return nil, err
		}
		pause(ctx, firstPause)
	}
}

// takeOver returns a *backend.LockedError unless the holder is dead.
func (h *held) takeOver(ctx context.Context, cur *at) error {
	holder := h.b.look(ctx, &cur.head)
	if holder.Lease.Verdict != backend.Dead {
		return &backend.LockedError{Location: h.b.store.Location(), Holder: holder, Looked: h.b.now()}
	}
	h.notices = append(h.notices, lease.TakenOver(holder))
	return nil
}

// take gets the lock from the free, or dead, holder in a head. It returns
// ErrChanged if there is another head by then.
func (h *held) take(ctx context.Context, cur *at) error {
	h.end = func() {}
	if sessions, ok := h.b.store.(Sessions); ok {
		end, err := sessions.Begin(ctx, h.fence)
		if err != nil {
			return err
		}
		h.end = end
	}
	next, err := h.b.change(ctx, cur, edit{
		make: func(now *head) error {
			if now.Revision != cur.head.Revision {
				return ErrChanged
			}
			now.Fence = h.fence
			now.Lock = &lock{Holder: h.info, Renewed: h.b.now().UTC()}
			return nil
		},
		done: func(now *head) bool { return now.heldBy(h.info.ID) },
	})
	if err != nil {
		h.end()
		return err
	}
	h.cur = next
	h.keeper = lease.Keep(h.b.terms, h.renew)
	return nil
}

// Info implements backend.Lock.
func (h *held) Info() backend.LockInfo { return h.info }

// Notices implements backend.Lock.
func (h *held) Notices() []state.Notice { return h.notices }

// Lost implements backend.Lock.
func (h *held) Lost() <-chan struct{} { return h.keeper.Lost() }

// Doubt implements backend.Doubter.
func (h *held) Doubt() error { return h.keeper.Doubt() }

// Check implements backend.Lock.
func (h *held) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cur, err := h.b.load(ctx)
	if err != nil {
		return err
	}
	return h.mine(&cur.head)
}

// mine is ErrLockLost if the lock in a head is another one.
func (h *held) mine(now *head) error {
	if now.heldBy(h.info.ID) {
		return nil
	}
	if now.Lock != nil {
		return fmt.Errorf("state %s, now locked by %s for %q: %w", h.b.store.Location(), now.Lock.Holder.Who, now.Lock.Holder.Operation, backend.ErrLockLost)
	}
	return fmt.Errorf("state %s: %w", h.b.store.Location(), backend.ErrLockLost)
}

// renew is a heartbeat. A heartbeat of which the outcome is not known does no
// harm: the next one looks.
func (h *held) renew(ctx context.Context) error {
	h.swapping.Lock()
	defer h.swapping.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if h.cur == nil {
			cur, err := h.b.load(ctx)
			if err != nil {
				return err
			}
			h.cur = cur
		}
		next, err := h.b.attempt(ctx, h.cur, edit{make: func(now *head) error {
			if err := h.mine(now); err != nil {
				return err
			}
			now.Lock = now.Lock.renewed(h.b.now())
			return nil
		}})
		if err == nil {
			h.cur = next
			return nil
		}
		h.cur = nil
		if !errors.Is(err, ErrChanged) {
			return err
		}
		pause(ctx, firstPause)
	}
}

// swap is change for the head under this lock.
func (h *held) swap(ctx context.Context, e edit) (*at, error) {
	h.swapping.Lock()
	defer h.swapping.Unlock()
	next, err := h.b.change(ctx, h.cur, edit{
		make: func(now *head) error {
			if err := h.mine(now); err != nil {
				return err
			}
			return e.make(now)
		},
		done: e.done, undone: e.undone,
	})
	h.cur = next
	return next, err
}

// Unlock implements backend.Lock. If it failed it may be tried again; the lease
// ends in any case, as there are no more heartbeats.
func (h *held) Unlock(ctx context.Context) error {
	h.writing.Lock()
	defer h.writing.Unlock()
	if h.released {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	h.keeper.Stop()
	_, err := h.swap(ctx, edit{
		make: func(now *head) error {
			now.Lock = nil
			return nil
		},
		done: func(now *head) bool { return !now.heldBy(h.info.ID) },
	})
	if err == nil || errors.Is(err, backend.ErrLockLost) {
		h.released = true
		h.end()
	}
	return err
}
