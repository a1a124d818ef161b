package register

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"esd/internal/state/backend"
)

// at is the head at a moment.
type at struct {
	head    head
	version string // "" where there is none yet
	raw     []byte
}

// load reads the head. Where there is none it is an empty one. What is older
// than what this client has seen is refused.
func (b *Backend) load(ctx context.Context) (*at, error) {
	b.mu.Lock()
	floor := b.floor // as of before the request: others may see more while it is under way
	b.mu.Unlock()
	raw, version, err := b.store.Load(ctx)
	if err != nil {
		return nil, err
	}
	if version == "" {
		if floor.revision > 0 {
			return nil, b.untrusted("it is gone, and was there before",
				"look who deleted it, and put it back from the versions that the place keeps; or begin anew with `esd state rebuild`")
		}
		return &at{head: head{FormatVersion: formatVersion}}, nil
	}
	h, problem := decodeHead(raw)
	if problem != "" {
		return nil, b.untrusted(problem, "check the address of the state; nothing was overwritten")
	}
	cur := &at{head: *h, version: version, raw: raw}
	if h.Revision < floor.revision {
		return nil, b.untrusted(fmt.Sprintf("its head is older than before (revision %d, seen was %d)", h.Revision, floor.revision),
			"look whether it was restored from a copy, or is served by a cache or by a replica that lags behind")
	}
	cur.head.backward = b.backward(floor.state, h.State)
	b.saw(h)
	return cur, nil
}

func (b *Backend) untrusted(problem, fix string) error {
	return &backend.UntrustedError{Location: b.store.Location(), Problem: problem, Fix: fix}
}

// saw takes note of a head, which later ones must not be older than.
func (b *Backend) saw(h *head) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.floor.revision = max(b.floor.revision, h.Revision)
}

// edit is a change of the head.
type edit struct {
	// make changes a copy of the head, or says why that must not be.
	make func(now *head) error
	// done reports, of a head that was read after an attempt of which nobody
	// knows the outcome, that the attempt has succeeded.
	done func(now *head) bool
	// undone reports, of a head that make refuses, that no attempt has succeeded
	// and been followed by others; nil where that does not matter.
	undone func(now *head) bool
}

// How often and how long swaps are tried again, see change.
const (
	maxDoubts   = 4
	maxRefusals = 8
	firstPause  = 50 * time.Millisecond
	settleTime  = 20 * time.Second
)

// change swaps the head for what an edit makes of it. It begins with cur, or
// reads the head where that is nil. If somebody else was faster it begins again
// from what is there then. If an answer was lost it looks, which tells more
// often than not: a swap that may still be on its way can do no harm to those
// that follow, as it names the head that it replaces.
func (b *Backend) change(ctx context.Context, cur *at, e edit) (*at, error) {
	var (
		doubt    error // of the last swap whose outcome is not known
		doubts   int
		refusals int    // in a row, of a head that did not change
		tried    string // the version that was named last
		attempts [][]byte
	)
	for {
		if cur == nil {
			var err error
			if cur, err = b.lookAgain(ctx, doubt); err != nil {
				return nil, err
			}
			if doubt != nil && e.done(&cur.head) || slices.ContainsFunc(attempts, func(raw []byte) bool { return bytes.Equal(raw, cur.raw) }) {
				return cur, nil
			}
			if doubt != nil && (doubts > maxDoubts || ctx.Err() != nil) {
				return nil, doubt
			}
			if cur.version == tried {
				refusals++
			}
			if refusals > maxRefusals {
				return nil, b.untrusted("it says again and again that its head was changed, which it was not", "look at what keeps it")
			}
		}
		next, err := b.attempt(ctx, cur, e)
		var unreachable *backend.UnreachableError
		switch {
		case err == nil:
			return next, nil
		case next == nil && doubt != nil && e.undone != nil && !e.undone(&cur.head):
			return nil, errors.Join(err, doubt)
		case next == nil:
			return nil, err // the edit must not be
		case errors.As(err, &unreachable) && unreachable.Doubt:
			doubt = err
			doubts++
		case !errors.Is(err, ErrChanged):
			return nil, errors.Join(err, doubt)
		}
		attempts, tried = append(attempts, next.raw), cur.version
		cur = nil
		pause(ctx, firstPause<<min(doubts+refusals/2, 5))
	}
}

// attempt makes the next head and swaps it. It is nil where the edit refused.
func (b *Backend) attempt(ctx context.Context, cur *at, e edit) (*at, error) {
	next := &at{head: cur.head}
	next.head.Previous = slices.Clone(cur.head.Previous)
	if err := e.make(&next.head); err != nil {
		return nil, err
	}
	next.head.FormatVersion = formatVersion
	next.head.Revision++
	var err error
	if next.raw, err = next.head.encode(); err != nil {
		return nil, err
	}
	next.version, err = b.store.Swap(ctx, cur.version, next.raw)
	if err == nil {
		b.saw(&next.head)
	}
	return next, err
}

// lookAgain reads the head. After a doubt it does so even when the run is over,
// for a while: whoever asked wants to know.
func (b *Backend) lookAgain(ctx context.Context, doubt error) (*at, error) {
	if doubt == nil {
		return b.load(ctx)
	}
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	cur, err := b.load(settle)
	var unreachable *backend.UnreachableError
	if errors.As(err, &unreachable) {
		return nil, doubt // which says more
	}
	return cur, err
}

// pause waits for about d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d/2 + rand.N(d/2))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
