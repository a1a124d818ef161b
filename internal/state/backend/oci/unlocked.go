package oci

import (
	"cmp"
	"context"
	"errors"
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
// version is there then, or if the version that it is built on was taken back. Of two
// who push at the same time at least one sees the other, so never both succeed; it
// may be that neither does.
func (f *free) write(ctx context.Context, next *state.State, force bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.check(ctx); err != nil {
		return err
	}
	packed, err := encode(ctx, next)
	if err != nil {
		return err
	}
	var c chain
	var previous *recorded
	err = f.b.again(ctx, func() error {
		l, err := f.b.look(ctx, "writing")
		if err != nil {
			return err
		}
		c = l.chain()
		previous, err = f.b.precede(ctx, c, next.Header(), force)
		return err
	})
	if err != nil {
		return f.b.failed("writing", err)
	}
	fence := c.fence
	if force {
		fence++
	}
	p, err := f.b.prepare(fence, previous, next.Header(), packed, f.info)
	if err != nil {
		return err
	}
	return f.b.pushOrTakeBack(ctx, p)
}

func (b *Backend) pushOrTakeBack(ctx context.Context, p *pushed) error {
	pushErr := b.place.Push(ctx, p.object)
	if errors.As(pushErr, new(*unsentError)) {
		return b.failed("writing", pushErr)
	}
	l, err := b.look(ctx, "writing")
	if err != nil || pushErr != nil {
		return b.inDoubt(cmp.Or(pushErr, err))
	}
	c := l.chain()
	at := slices.Index(c.line, p.version)
	if at < 0 && !slices.Contains(c.strays, p.version) && c.generation < p.version.generation {
		return b.stale(p.version.tag) // else it was cleared away as one of many old ones
	}
	if _, sand := l.void[p.version.previous]; sand || at < 0 || len(c.rivals()) > 0 {
		return b.takeBack(ctx, p)
	}
	b.wrote(p)
	if at == 0 {
		b.prune(ctx, l)
	}
	return nil
}

// takeBack makes a version of ours void that is one arm of a fork. Only a mark does
// that, and the version stays: who has built on it meanwhile may have seen no mark,
// and then it does count.
func (b *Backend) takeBack(ctx context.Context, p *pushed) error {
	o, err := newMark(p.version.voidName(b.name), backend.LockInfo{})
	if err == nil {
		err = b.place.Push(ctx, o)
	}
	if err != nil {
		return b.inDoubt(err)
	}
	l, err := b.look(ctx, "writing")
	if err != nil {
		return b.inDoubt(err)
	}
	if slices.Contains(l.versions, p.version) {
		return b.inDoubt(b.unreachable("writing", errors.New("two other runs have written at the same time, and one has built on what was to be taken back"), "read the state again"))
	}
	conflict := &state.ConflictError{Recorded: p.header, Offered: p.header}
	if n := len(l.versions); n > 0 {
		conflict.Recorded.Serial = max(conflict.Recorded.Serial, l.versions[n-1].serial)
	}
	return conflict
}
