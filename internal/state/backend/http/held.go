package httpstate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
)

// held is a lock on a state behind HTTP.
type held struct {
	b         *Backend
	info      backend.LockInfo
	notices   []state.Notice
	keeper    *lease.Keeper // nil where nothing is locked
	leased    bool          // the document of the lease names this lock
	leaseLock bool          // and is itself locked by it

	mu       sync.Mutex // one write at a time
	released bool
}

// newHeld is the lock that is asked for.
func (b *Backend) newHeld(info backend.LockInfo) *held {
	b.mu.Lock()
	leased := b.noLease == ""
	b.mu.Unlock()
	if leased {
		info = info.WithLease(b.terms.Duration)
		info.ID = marked(info.ID, b.terms.Duration)
	} else {
		info = info.WithLease(0)
	}
	return &held{b: b, info: info, leased: leased}
}

// unprotected is what stands for a lock where the server has none.
func (b *Backend) unprotected(info backend.LockInfo) *held {
	return &held{b: b, info: info, notices: []state.Notice{{
		Kind:    NoticeNoLock,
		Summary: "Nothing keeps two runs from writing this state at once",
		Detail: "The state block has no lock_address, and none follows from the address. " +
			"Give lock_address and unlock_address if the server can lock.",
	}}}
}

// begin makes a lock that was granted one that can be used.
func (b *Backend) begin(ctx context.Context, h *held, again bool) (*held, error) {
	if err := b.prove(ctx, h.info.ID, again); err != nil {
		if !errors.Is(err, backend.ErrLockLost) {
			_ = b.giveBack(ctx, h.info)
		}
		return nil, err
	}
	if h.leased {
		if err := h.firstSign(ctx); err != nil {
			if ctx.Err() != nil {
				_ = b.giveBack(ctx, h.info)
				return nil, context.Cause(ctx)
			}
			return b.withoutLease(ctx, h, err)
		}
	}
	b.mu.Lock()
	if !h.leased && !b.told && b.places.lease != nil {
		b.told = true
		h.notices = append(h.notices, noLease(b.noLease))
	}
	b.mu.Unlock()
	h.keeper = lease.Keep(b.terms, h.renew)
	return h, nil
}

// withoutLease takes the lock once more, under an ID that promises no lease.
func (b *Backend) withoutLease(ctx context.Context, h *held, cause error) (*held, error) {
	plain := &held{b: b, notices: h.notices}
	plain.info = h.info.WithLease(0)
	plain.info.ID = state.NewID()
	if err := b.giveBack(ctx, h.info); err != nil {
		return nil, err
	}
	o, err := b.ask(ctx, b.places.lock, plain.info)
	if err != nil {
		return nil, err
	}
	if o != nil {
		return nil, &backend.LockedError{Location: b.Location(), Holder: b.look(ctx, o)}
	}
	b.mu.Lock()
	var refused *refusal
	if errors.As(cause, &refused) {
		b.noLease = cause.Error()
	}
	if !b.told {
		b.told = true
		plain.notices = append(plain.notices, noLease(cause.Error()))
	}
	b.mu.Unlock()
	plain.keeper = lease.Keep(b.terms, plain.renew)
	return plain, nil
}

func noLease(why string) state.Notice {
	return state.Notice{
		Kind:    NoticeNoLease,
		Summary: "If this run dies, its lock stays",
		Detail:  fmt.Sprintf("There is no lease: %s. The lock would have to be broken with `esd force-unlock`.", why),
	}
}

// prove makes sure, once for each client, that the server refuses a second lock
// while the first is held. A server that gives it to everybody has no locks.
func (b *Backend) prove(ctx context.Context, id string, again bool) error {
	b.mu.Lock()
	proven := b.excludes && !again
	b.mu.Unlock()
	if proven {
		return nil
	}
	o, err := b.probe(ctx)
	if err == nil && o == nil {
		// The lock may have been taken away in this very moment. So once more:
		// lock, and try a second lock.
		if o, err = b.twice(ctx); err == nil && o == nil {
			return b.untrusted("the server gives the lock to two at once", "no run is safe there; keep the state elsewhere, or "+fixAddress)
		}
	}
	switch {
	case err != nil:
		return err
	case o.info.ID != "" && o.info.ID != id:
		return fmt.Errorf("state %s: %w", b.Location(), backend.ErrLockLost)
	}
	b.mu.Lock()
	b.excludes = true
	b.mu.Unlock()
	return nil
}

// twice locks, tries a second lock, and gives back what it got. It returns who
// had one of the two locks, nil if nobody had.
func (b *Backend) twice(ctx context.Context) (*other, error) {
	info := backend.NewLockInfo(backend.LockRequest{Operation: "look at the lock", Version: b.client.userAgent, Now: b.now()})
	info.ID, info.Path = marked(info.ID, probeLease), b.Location()
	o, err := b.ask(ctx, b.places.lock, info)
	if o != nil || err != nil {
		return o, err
	}
	o, err = b.probe(ctx)
	return o, errors.Join(err, b.giveBack(ctx, info))
}

// mine returns ErrLockLost if the server shows another holder, or none.
func (h *held) mine(ctx context.Context) error {
	if h.released {
		return h.lost()
	}
	if h.b.places.lock == nil {
		return nil
	}
	if h.keeper != nil {
		if err := h.keeper.Err(); err != nil {
			return err
		}
	}
	o, err := h.b.probe(ctx)
	switch {
	case err != nil:
		return err
	case o == nil || o.info.ID != "" && o.info.ID != h.info.ID:
		return h.lost()
	}
	return nil
}

func (h *held) lost() error { return fmt.Errorf("state %s: %w", h.b.Location(), backend.ErrLockLost) }

// Info implements backend.Lock.
func (h *held) Info() backend.LockInfo { return h.info }

// Notices implements backend.Lock.
func (h *held) Notices() []state.Notice { return h.notices }

// Lost implements backend.Lock.
func (h *held) Lost() <-chan struct{} {
	if h.keeper == nil {
		return nil
	}
	return h.keeper.Lost()
}

// Doubt implements backend.Doubter.
func (h *held) Doubt() error {
	if h.keeper == nil {
		return nil
	}
	return h.keeper.Doubt()
}

// Check implements backend.Lock.
func (h *held) Check(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mine(ctx)
}

// Unlock implements backend.Lock.
func (h *held) Unlock(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.released {
		return nil
	}
	if h.keeper == nil {
		h.released = true
		return nil
	}
	h.keeper.Stop()
	if err := h.keeper.Err(); err != nil {
		h.released = true
		return err
	}
	body, err := json.Marshal(h.info)
	if err != nil {
		return err
	}
	if h.leaseLock {
		_, _ = h.b.release(ctx, h.b.places.leaseLock, h.info.ID, body) // the next holder would remove it
	}
	done, err := h.b.release(ctx, h.b.places.unlock, h.info.ID, body)
	if err == nil && done != freed {
		err = h.mine(ctx)
		switch {
		case err == nil:
			err = h.b.failure(ctx, unlocking, errors.New("the server refuses to unlock what it shows as locked by this run"))
		case done == unsure && errors.Is(err, backend.ErrLockLost):
			err = nil // it was given back when the answer was lost
		}
	}
	h.released = err == nil || errors.Is(err, backend.ErrLockLost)
	return err
}
