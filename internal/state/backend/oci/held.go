package oci

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
)

// held is a lock that is held.
type held struct {
	b       *Backend
	token   string
	ticket  int64
	info    backend.LockInfo
	lock    object
	keeper  *lease.Keeper
	notices []state.Notice

	beating sync.Mutex // guards the two below
	beats   int64
	beat    *object // the last heartbeat

	mu       sync.Mutex // one write at a time; guards what follows
	released bool
	doubtful *pushed // a version whose push may still arrive
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
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.mine(ctx, "checking the lock on")
	return err
}

// mine looks at the list and checks that the lock is still ours. A lock that is
// gone never comes back: its tag is pushed once only.
func (h *held) mine(ctx context.Context, doing string) (*listing, error) {
	lost := fmt.Errorf("state %s: %w", h.b.location(), backend.ErrLockLost)
	if h.released {
		return parseListing(h.b.name, nil), lost
	}
	l, err := h.b.look(ctx, doing)
	if err != nil {
		return nil, err
	}
	if !l.lock(h.token) {
		return l, lost
	}
	return l, nil
}

// renew is the heartbeat: a tag with a new number, in place of the one before. It
// is another tag than that of the lock, so that a heartbeat that arrives late does
// not make a lock that is gone.
func (h *held) renew(ctx context.Context) error {
	h.beating.Lock()
	defer h.beating.Unlock()
	o, err := newMark(beatTag(h.b.name, h.token, h.beats+1), h.info)
	if err != nil {
		return err
	}
	if err := h.b.place.Push(ctx, o); err != nil {
		return h.b.failed("renewing the lock on", err)
	}
	h.beats++
	last := h.beat
	h.beat = &o
	if last != nil {
		_ = h.b.place.Remove(ctx, last.tag, last.desc) // else whoever writes next does
	}
	l, err := h.b.look(ctx, "renewing the lock on")
	if err == nil && !l.lock(h.token) {
		err = backend.ErrLockLost
	}
	return err
}

// Unlock implements backend.Lock.
func (h *held) Unlock(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.released {
		return nil
	}
	h.keeper.Stop()
	_, lost := h.mine(ctx, "unlocking")
	if lost != nil && !errors.Is(lost, backend.ErrLockLost) {
		return lost
	}
	h.released = true
	h.beating.Lock()
	defer h.beating.Unlock()
	objects := []*object{&h.lock}
	if h.beat != nil {
		objects = append(objects, h.beat)
	}
	if lost != nil {
		_, _ = h.b.remove(ctx, "unlocking", objects[1:]...)
		return lost
	}
	if h.doubtful != nil {
		// What may still arrive must not have the number of somebody's lock.
		if err := h.b.breakMark(ctx, mark{tag: h.lock.tag, token: h.token, number: h.ticket}); err != nil {
			return err
		}
	}
	_, err := h.b.remove(ctx, "unlocking", objects...)
	return err
}

// Holder implements backend.Backend.
func (b *Backend) Holder(ctx context.Context) (*backend.LockInfo, error) {
	l, err := b.look(ctx, "looking at the lock of")
	if err != nil || len(l.locks) == 0 {
		return nil, err
	}
	info, err := b.holder(ctx, l.locks[0], l)
	if err != nil {
		return nil, b.failed("looking at the lock of", err)
	}
	return &info, nil
}

// ForceUnlock implements backend.Backend. A client that hangs while it draws a
// ticket can be removed as well.
func (b *Backend) ForceUnlock(ctx context.Context, id string) error {
	l, err := b.look(ctx, "unlocking")
	if err != nil {
		return err
	}
	var first *backend.LockInfo
	for _, m := range slices.Concat(l.locks, l.choosing) {
		info, err := b.holder(ctx, m, l)
		if err != nil {
			return b.failed("unlocking", err)
		}
		if info.ID == id {
			return b.breakMark(ctx, m)
		}
		if first == nil && l.lock(m.token) {
			first = &info
		}
	}
	if first == nil {
		return fmt.Errorf("state %s: %w", b.location(), backend.ErrNotLocked)
	}
	return &backend.LockIDError{ID: id, Holder: *first}
}

// forked tells of versions that do not lead to the present one.
func (b *Backend) forked(c chain) state.Notice {
	return state.Notice{
		Kind:    NoticeForked,
		Summary: fmt.Sprintf("The state %s has forked: %d of its versions are left aside", b.location(), len(c.strays)),
		Detail: fmt.Sprintf("They were written by runs that had lost the lock, or past a list of tags that was out of date: %s. What counts is %s. "+
			"If something of them is missing, `esd state rebuild` finds it again.", describeAll(c.strays), c.line[0].describe()),
	}
}
