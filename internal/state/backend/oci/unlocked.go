package oci

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"esd/internal/state"
	"esd/internal/state/backend"
)

// NoticeUnlocked: there is no lock, as the state block says.
const NoticeUnlocked = "lock-none"

// free is what stands for a lock where there is none.
type free struct {
	b       *Backend
	info    backend.LockInfo
	notices []state.Notice

	mu       sync.Mutex
	released bool
}

func (b *Backend) lockNothing(ctx context.Context, info backend.LockInfo) (backend.Lock, error) {
	l, err := b.look(ctx, "looking at")
	if err != nil {
		return nil, err
	}
	if len(l.locks) > 0 {
		// Somebody else does lock it. To write past that would be what it is to prevent.
		if _, err := b.clear(ctx, l.locks[:1], l); err != nil {
			return nil, err
		}
	}
	f := &free{b: b, info: info, notices: []state.Notice{{
		Kind:    NoticeUnlocked,
		Summary: fmt.Sprintf("The state %s is not locked", b.location()),
		Detail:  "Its block says `lock = false`: of two runs at the same time one fails when it writes, after its work was done.",
	}}}
	if c := l.chain(); len(c.strays) > 0 {
		f.notices = append(f.notices, b.forked(c))
	}
	return f, nil
}

// Info implements backend.Lock.
func (f *free) Info() backend.LockInfo { return f.info }

// Notices implements backend.Lock.
func (f *free) Notices() []state.Notice { return f.notices }

// Lost implements backend.Lock.
func (f *free) Lost() <-chan struct{} { return nil }

// Check implements backend.Lock.
func (f *free) Check(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.check(ctx)
}

func (f *free) check(ctx context.Context) error {
	if f.released {
		return fmt.Errorf("state %s: %w", f.b.location(), backend.ErrLockLost)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// Unlock implements backend.Lock.
func (f *free) Unlock(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.released = true
	return nil
}

// Write implements backend.Lock.
func (f *free) Write(ctx context.Context, next *state.State) error {
	return f.write(ctx, next, false)
}

// Overwrite implements backend.Lock. It ends a fork.
func (f *free) Overwrite(ctx context.Context, next *state.State) error {
	return f.write(ctx, next, true)
}

// write pushes a version, and takes it back if another successor of the same
// version is there then. Of two who push at the same time at least one sees the
// other, so never both succeed; it may be that neither does.
func (f *free) write(ctx context.Context, next *state.State, force bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := f.b
	if err := f.check(ctx); err != nil {
		return err
	}
	packed, err := encode(ctx, next)
	if err != nil {
		return err
	}
	l, err := b.look(ctx, "writing")
	if err != nil {
		return err
	}
	c := l.chain()
	previous, err := b.precede(ctx, c, next.Header(), force)
	if err != nil {
		return b.failed("writing", err)
	}
	v := version{generation: c.generation + 1, fence: c.fence}
	if force {
		v.fence++
	}
	p, err := b.prepare(v, previous, next.Header(), packed, f.info)
	if err != nil {
		return err
	}
	pushErr := b.place.Push(ctx, p.object)
	if l, err = b.look(ctx, "writing"); err != nil || pushErr != nil {
		if pushErr != nil {
			err = pushErr
		}
		return b.inDoubt(err)
	}
	c = l.chain()
	at := slices.Index(c.line, p.version)
	if at < 0 && !slices.Contains(c.strays, p.version) {
		return b.stale(p.version.tag)
	}
	if at < 0 || len(c.rivals()) > 0 {
		return b.takeBack(ctx, p, l)
	}
	b.wrote(p)
	if at == 0 {
		b.prune(ctx, l)
	}
	return nil
}

// takeBack removes a version of ours that is one arm of a fork, or where that is not
// possible marks it as void. One that somebody has built upon stays.
func (b *Backend) takeBack(ctx context.Context, p *pushed, l *listing) error {
	var others []version
	for _, v := range l.versions {
		if v.generation >= p.version.generation && v != p.version {
			others = append(others, v)
		}
		if v.previous == p.version.digest {
			return (&forkError{location: b.location(), versions: []version{p.version, v}}).untrusted()
		}
	}
	conflict := &state.ConflictError{Recorded: p.header, Offered: p.header}
	if len(others) > 0 {
		conflict.Recorded.Serial = others[len(others)-1].serial
	}
	o, err := newMark(voidTag(b.name, p.version.digest), backend.LockInfo{})
	if err == nil {
		err = b.place.Push(ctx, o)
	}
	if err != nil {
		return b.inDoubt(err)
	}
	b.removeTag(ctx, p.version.tag)
	return conflict
}
