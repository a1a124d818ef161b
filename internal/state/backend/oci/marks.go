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

// clear returns a *backend.LockedError for the first of some marks whose maker is
// not dead. The dead ones are broken.
func (b *Backend) clear(ctx context.Context, marks []mark, l *listing) (cleared bool, err error) {
	var first *backend.LockedError
	for _, m := range marks {
		if first != nil {
			// Its turn may come, and then its lease has run since now.
			b.watch(m).Look(m.token, l.sign(m), b.terms.Duration)
			continue
		}
		holder, err := b.holder(ctx, m, l)
		switch {
		case err != nil:
			return cleared, b.failed("locking", err)
		case holder.Lease.Verdict == backend.Dead:
			if err := b.take(ctx, m, holder); err != nil {
				return cleared, err
			}
			cleared = true
		default:
			first = &backend.LockedError{Location: b.location(), Holder: holder, Looked: b.now()}
		}
	}
	if first != nil {
		return cleared, first
	}
	return cleared, nil
}

// holder tells who made a mark and what is known of its lease. If only the name of
// the mark is there (its push was never finished, or it is going away), that is
// nobody with a name, whose lease runs all the same.
func (b *Backend) holder(ctx context.Context, m mark, l *listing) (backend.LockInfo, error) {
	b.mu.Lock()
	info, known := b.infos[m.tag]
	b.mu.Unlock()
	watch := b.watch(m)
	if !known {
		var err error
		if info, err = b.ask(ctx, m); err != nil {
			return info, err
		}
	}
	watched := info
	watched.ID = m.token // the lock ID of a client is the same at each attempt
	verdict := watch.LookAt(watched, l.sign(m))
	if verdict == backend.Alive && l.isChoosing(m.token) {
		verdict = backend.Undecided // who draws a ticket has no lock yet, and may never get it
	}
	p, _ := info.Process()
	info.Lease = backend.Lease{Duration: time.Duration(p.Lease * float64(time.Second)), Verdict: verdict, Silent: watch.Silence()}
	return info, nil
}

// watch remembers what was seen of the maker of a mark.
func (b *Backend) watch(m mark) *lease.Watch {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.watches[m.token]
	if w == nil {
		w = &lease.Watch{Now: b.now}
		b.watches[m.token] = w
	}
	return w
}

// askTimeout bounds how long a registry is asked for a mark: one that is just being
// pushed makes some of them fail for a moment.
const askTimeout = 5 * time.Second

// ask reads what a mark says.
func (b *Backend) ask(ctx context.Context, m mark) (backend.LockInfo, error) {
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	_, manifest, err := b.place.Manifest(asking, m.tag)
	if ctx.Err() == nil && (errors.Is(err, registry.ErrNotFound) || errors.Is(err, registry.ErrUnavailable) || asking.Err() != nil) {
		return backend.LockInfo{}.WithLease(b.terms.Duration), nil
	}
	if err != nil {
		return backend.LockInfo{}, err
	}
	info, err := infoOf(manifest)
	if err != nil {
		return info, b.untrusted(fmt.Sprintf("the tag %s is no lock of esd: %v", m.tag, err))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.infos[m.tag] = info
	return info, nil
}

// forget drops what is known of those that are gone.
func (b *Backend) forget(l *listing) {
	there := map[string]bool{}
	for _, m := range slices.Concat(l.locks, l.choosing) {
		there[m.token], there[m.tag] = true, true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for token := range b.watches {
		if !there[token] {
			delete(b.watches, token)
		}
	}
	for tag := range b.infos {
		if !there[tag] {
			delete(b.infos, tag)
		}
	}
}

// take takes a lock away from a dead holder, for whoever is next.
func (b *Backend) take(ctx context.Context, m mark, holder backend.LockInfo) error {
	if err := b.breakMark(ctx, m); err != nil {
		return err
	}
	if holder.ID == "" {
		return nil // nobody that could be named
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told = append(b.told, lease.TakenOver(holder))
	return nil
}

// breakMark makes a lock, or a place of one that draws a ticket, void. It is the
// mark of this that counts: it stays, so that neither the holder nor anything of
// it that arrives late can be taken for alive, and its ticket is not given again.
func (b *Backend) breakMark(ctx context.Context, m mark) error {
	o, err := newMark(brokenTag(b.name, m.number, m.token), backend.LockInfo{ID: m.token})
	if err == nil {
		err = b.place.Push(ctx, o)
	}
	if err != nil {
		return b.failed("locking", err)
	}
	b.removeTag(ctx, m.tag) // else somebody else does, see prune
	return nil
}

// removeTag removes a tag of somebody else that counts no more, if it can. One that
// names nothing is made to name something before, see remove.
func (b *Backend) removeTag(ctx context.Context, tag string) {
	desc, _, err := b.place.Manifest(ctx, tag)
	if errors.Is(err, registry.ErrNotFound) {
		var o object
		if o, err = newMark(tag, backend.LockInfo{}); err == nil {
			desc, err = o.desc, b.place.Push(ctx, o)
		}
	}
	if err == nil {
		_ = b.place.Remove(ctx, tag, desc)
	}
}

// removals is how often it is tried to remove something.
const removals = 4

// remove removes tags of ours, and returns a list that does not have them any more.
// It looks, because the removal of a manifest and of its tags are two things for some
// registries, and if the second fails the tag stays and names nothing: a docker-registry
// 2.8 stumbles over other tags that are just being pushed. Such a tag goes only if it is
// pushed once more.
func (b *Backend) remove(ctx context.Context, doing string, objects ...*object) (*listing, error) {
	for try := 1; ; try++ {
		for _, o := range objects {
			err := b.place.Remove(ctx, o.tag, o.desc)
			if errors.Is(err, registry.ErrUnsupported) || errors.Is(err, registry.ErrUnauthorized) {
				return nil, b.noRemoving(err)
			}
			if err != nil && try == removals {
				return nil, b.failed(doing, err)
			}
		}
		l, err := b.look(ctx, doing)
		if err != nil {
			return nil, err
		}
		objects = slices.DeleteFunc(objects, func(o *object) bool { return !l.has(o.tag) })
		if len(objects) == 0 {
			return l, nil
		}
		if try == removals {
			return nil, b.noRemoving(errors.New("tags whose removal it confirmed are still in its list"))
		}
		for _, o := range objects {
			if err := b.place.Push(ctx, *o); err != nil {
				return nil, b.failed(doing, err)
			}
		}
	}
}
