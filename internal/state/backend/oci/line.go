package oci

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	registry "esd/internal/oci"
	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
)

// NoticeTakenOver: the lock was that of a run that is dead.
const NoticeTakenOver = lease.NoticeTakenOver

// NoticeForked: versions were found that do not lead to the present one.
const NoticeForked = "state-forked"

// tries is how often a place in the line is given up for a new one because the
// ticket was drawn too early.
const tries = 5

// Lock implements backend.Backend. It looks before it does anything, so that who
// waits for a lock that is held only reads.
func (b *Backend) Lock(ctx context.Context, info backend.LockInfo) (backend.Lock, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	info.Path = b.location()
	if b.unlocked {
		return b.lockNothing(ctx, info)
	}
	info = info.WithLease(b.terms.Duration)
	if err := b.rest(ctx); err != nil {
		return nil, err
	}
	if err := b.canRemove(ctx); err != nil {
		return nil, err
	}
	started := b.now()
	l, err := b.look(ctx, "locking")
	if err != nil {
		return nil, err
	}
	b.restFor(b.now().Sub(started))
	b.forget(l)
	if _, err := b.clear(ctx, slices.Concat(l.locks, l.choosing), l); err != nil {
		return nil, err
	}
	for range tries - 1 {
		h, err := b.takePlace(ctx, info)
		if !errors.Is(err, errEarly) {
			return h, err
		}
	}
	return nil, b.unreachable("locking", errEarly, "try again")
}

// errEarly: others have come and gone since the ticket was drawn.
var errEarly = errors.New("the ticket was drawn too early")

// rest keeps a client that asks again and again from asking more than a tenth of
// the time, however slow the answers are: two hundred who wait must not keep the
// one that has the lock from doing its work.
func (b *Backend) rest(ctx context.Context) error {
	b.mu.Lock()
	d := b.restUntil.Sub(b.now())
	b.mu.Unlock()
	if d <= 0 {
		return nil
	}
	return pause(ctx, d)
}

const longestRest = 3 * time.Second

func (b *Backend) restFor(answer time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.restUntil = b.now().Add(min(9*answer, longestRest))
}

// canRemove finds out before anything is pushed whether it can be removed again.
func (b *Backend) canRemove(ctx context.Context) error {
	b.mu.Lock()
	known := b.removable
	b.mu.Unlock()
	if known {
		return nil
	}
	err := b.place.CanRemove(ctx)
	if errors.Is(err, registry.ErrUnsupported) {
		return b.noRemoving(err)
	}
	if err != nil {
		return b.failed("locking", err)
	}
	b.mu.Lock()
	b.removable = true
	b.mu.Unlock()
	return nil
}

// attempt is a place in the line.
type attempt struct {
	b     *Backend
	token string
	info  backend.LockInfo
	// What was pushed and not removed again.
	choosing, lock *object
	ticket         int64
}

// takePlace draws a ticket, and returns the lock if nobody is before it. It leaves
// the line otherwise: a *backend.LockedError.
func (b *Backend) takePlace(ctx context.Context, info backend.LockInfo) (backend.Lock, error) {
	a := &attempt{b: b, token: newToken(), info: info}
	l, err := a.queue(ctx)
	if err != nil {
		a.leave(ctx)
		return nil, err
	}
	h := &held{b: b, token: a.token, ticket: a.ticket, info: info, lock: *a.lock}
	b.mu.Lock()
	h.notices, b.told = b.told, nil
	b.mu.Unlock()
	if strays := l.chain().strays; len(strays) > 0 {
		h.notices = append(h.notices, b.forked(l.chain()))
	}
	h.keeper = lease.Keep(b.terms, h.renew)
	return h, nil
}

// queue follows the bakery algorithm up to the moment at which the lock is held.
func (a *attempt) queue(ctx context.Context) (*listing, error) {
	choosing, err := a.push(ctx, choosingTag(a.b.name, a.token))
	a.choosing = choosing
	if err != nil {
		return nil, err
	}
	l, err := a.b.look(ctx, "locking")
	if err != nil {
		return nil, err
	}
	if !l.isChoosing(a.token) {
		return nil, a.missing(ctx, choosing.tag)
	}
	if _, err := a.b.clear(ctx, a.rivals(l), l); err != nil {
		return nil, err
	}
	if a.ticket = l.top() + 1; a.ticket >= maxNumber {
		return nil, a.b.untrusted("its tags are numbered to the end of the numbers")
	}
	if a.lock, err = a.push(ctx, lockTag(a.b.name, a.ticket, a.token)); err != nil {
		return nil, err
	}
	if l, err = a.b.look(ctx, "locking"); err != nil {
		return nil, err
	}
	if !l.lock(a.token) {
		return nil, a.missing(ctx, a.lock.tag)
	}
	if !l.isChoosing(a.token) {
		return nil, errEarly // somebody took us for dead: the ticket may be anybody's
	}
	return a.wait(ctx, l)
}

// push pushes a mark. It is returned even if that failed: it may have arrived.
func (a *attempt) push(ctx context.Context, tag string) (*object, error) {
	o, err := newMark(tag, a.info)
	if err != nil {
		return nil, err
	}
	return &o, a.b.failed("locking", a.b.place.Push(ctx, o))
}

// missing tells why a tag of ours is not in the list: somebody took us for dead, and
// has left a mark of that before it removed the tag, or the list is out of date. The
// mark is surely in the next list.
func (a *attempt) missing(ctx context.Context, tag string) error {
	l, err := a.b.look(ctx, "locking")
	if err != nil {
		return err
	}
	if _, broken := l.broken[a.token]; broken {
		return errEarly
	}
	return a.b.stale(tag)
}

// stale says that a list of tags does not show what it must.
func (b *Backend) stale(tag string) error {
	return &backend.UntrustedError{Location: b.location(),
		Problem: fmt.Sprintf("the registry has confirmed the push of %s, but its list of tags does not show it", tag),
		Fix: "a lock cannot be kept where lists are out of date: if a cache stands before the registry, let it pass them on; " +
			"or say `lock = false` in the state block, or keep the state elsewhere"}
}

// rivals are those in whose favour a ticket is not even drawn, when many come at the
// same time: who is in the line already, and one of those who are drawing. This is
// for the sake of speed only.
func (a *attempt) rivals(l *listing) []mark {
	return slices.Concat(l.locks, slices.DeleteFunc(slices.Clone(l.choosing), func(m mark) bool { return m.token >= a.token }))
}

// wait looks until nobody can be before us any more: first is the list after our
// own ticket was there. Who was choosing then may have a lower one, and nobody who
// began later can. Within a lease each of them has chosen or is dead. Lists are no snapshots: that somebody has chosen shows in one,
// and the ticket surely in the next only; that somebody is gone in one, and what it
// wrote surely in the next.
func (a *attempt) wait(ctx context.Context, first *listing) (*listing, error) {
	calm, need := 0, 2
	deadline := a.b.now().Add(a.b.terms.Duration + time.Second)
	for l, try := first, 0; ; try++ {
		if err := a.stillThere(l); err != nil {
			return nil, err
		}
		cleared, err := a.b.clear(ctx, a.ahead(l, first), l)
		if err != nil && (!errors.As(err, new(*backend.LockedError)) || len(a.smaller(l)) > 0 || a.b.now().After(deadline)) {
			return nil, err
		}
		if err == nil && !cleared {
			if calm++; calm == need {
				return l, nil
			}
		} else {
			calm, need = 0, 3
		}
		if err != nil {
			if err := pause(ctx, firstPause<<min(try, 4)); err != nil {
				return nil, err
			}
		}
		if l, err = a.next(ctx); err != nil {
			return nil, err
		}
	}
}

// next is the next list. With the first one the drawing of the ticket ends.
func (a *attempt) next(ctx context.Context) (*listing, error) {
	if a.choosing == nil {
		return a.b.look(ctx, "locking")
	}
	l, err := a.b.remove(ctx, "locking", a.choosing)
	if err == nil {
		a.choosing = nil
	}
	return l, err
}

// stillThere checks that our ticket is there and good.
func (a *attempt) stillThere(l *listing) error {
	if !l.lock(a.token) || a.ticket <= l.spent() {
		return errEarly
	}
	return nil
}

func (a *attempt) smaller(l *listing) []mark {
	own := mark{token: a.token, number: a.ticket}
	return slices.DeleteFunc(slices.Clone(l.locks), func(m mark) bool { return !m.before(own) })
}

// ahead are those who are before us, and then those who may come to be, because
// they were drawing a ticket when ours was there.
func (a *attempt) ahead(l, first *listing) []mark {
	marks := a.smaller(l)
	for _, m := range l.choosing {
		if m.token != a.token && first.isChoosing(m.token) {
			marks = append(marks, m)
		}
	}
	return marks
}

// leaveTimeout is how long a client that ends may take to clean up behind itself.
const leaveTimeout = 10 * time.Second

// leave removes what was pushed, even when the run has been cancelled. What cannot
// be removed is broken by others after the lease.
func (a *attempt) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	objects := slices.DeleteFunc([]*object{a.lock, a.choosing}, func(o *object) bool { return o == nil })
	if len(objects) > 0 {
		_, _ = a.b.remove(ctx, "locking", objects...)
	}
}
