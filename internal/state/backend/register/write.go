package register

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/wire"
)

// Write implements backend.Lock.
func (h *held) Write(ctx context.Context, next *state.State) error {
	return h.write(ctx, next, func(now *head) error {
		if now.backward != nil {
			return now.backward
		}
		if err := h.b.readable(ctx, now); err != nil {
			return fmt.Errorf("the recorded state cannot be read, so it was not replaced: %w", err)
		}
		return state.CheckSuccession(now.State.header(), next.Header())
	})
}

// Overwrite implements backend.Lock. What was there is kept as the version
// before.
func (h *held) Overwrite(ctx context.Context, next *state.State) error {
	return h.write(ctx, next, func(*head) error { return nil })
}

// readable makes sure that the present version can be read, by reading it
// unless this client has done so before, or has written it.
func (b *Backend) readable(ctx context.Context, h *head) error {
	if h.State == nil {
		return nil
	}
	b.mu.Lock()
	known := b.good == h.State.Name
	b.mu.Unlock()
	if known {
		return nil
	}
	if _, err := b.fetch(ctx, h.State); err != nil {
		return b.advise(err, h)
	}
	b.mu.Lock()
	b.good = h.State.Name
	b.mu.Unlock()
	return nil
}

// write puts the document where nobody looks yet, and swaps the head for one
// that points at it. check is asked of the head before, so that nothing large
// is sent in vain, and again of the one that is replaced.
func (h *held) write(ctx context.Context, next *state.State, check func(now *head) error) error {
	h.writing.Lock()
	defer h.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if h.released {
		return fmt.Errorf("state %s: %w", h.b.store.Location(), backend.ErrLockLost)
	}
	data, err := state.Encode(next)
	if err != nil {
		return err
	}
	if err := h.precheck(ctx, check); err != nil {
		return err
	}
	packed, err := wire.Pack(data)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	v := newVersion(next.Header(), h.fence, int64(len(data)), hex.EncodeToString(sum[:]))
	if err := h.b.store.Put(ctx, v.Name, packed); err != nil {
		return err
	}
	return h.point(ctx, v, check)
}

// precheck looks at the head as it was after the last swap of this lock, and
// at the one that is there if that speaks against the write.
func (h *held) precheck(ctx context.Context, check func(now *head) error) error {
	h.swapping.Lock()
	cur := h.cur
	h.swapping.Unlock()
	if cur != nil && h.mine(&cur.head) == nil && check(&cur.head) == nil {
		return nil
	}
	cur, err := h.b.load(ctx)
	if err != nil {
		return err
	}
	if err := h.mine(&cur.head); err != nil {
		return err
	}
	return check(&cur.head)
}

// point makes a version the present one.
func (h *held) point(ctx context.Context, v version, check func(now *head) error) error {
	var dropped []version
	replaced := ""
	next, err := h.swap(ctx, edit{
		make: func(now *head) error {
			if err := check(now); err != nil {
				return err
			}
			if now.State != nil {
				replaced = now.State.Name
			}
			dropped = now.succeed(v, h.b.keep)
			now.Lock = now.Lock.renewed(h.b.now())
			return nil
		},
		done: func(now *head) bool { return now.names(v.Name) },
		undone: func(now *head) bool {
			// This version would stand beside the one that it replaced.
			return now.names(replaced) || replaced == "" && len(now.Previous) < h.b.keep
		},
	})
	if err != nil {
		if errors.Is(err, backend.ErrLockLost) {
			h.discard(ctx, v.Name)
		}
		return err
	}
	h.keeper.Renewed()
	h.b.believe(&next.head)
	h.tidy(ctx, &next.head, dropped)
	return nil
}

// succeed puts a version in the place of the present one, and returns those
// that are no longer kept.
func (h *head) succeed(v version, keep int) (dropped []version) {
	if h.State != nil && h.State.Name != v.Name {
		h.Previous = append([]version{*h.State}, h.Previous...)
	}
	h.State, h.backward = &v, nil
	if len(h.Previous) > keep {
		dropped = h.Previous[keep:]
		h.Previous = h.Previous[:keep:keep]
	}
	return dropped
}

// tidyTime bounds what is done for tidiness.
const tidyTime = 30 * time.Second

// tidy removes the documents of versions that are no longer kept and, once for
// each lock, what writers that were killed have left behind. Nobody has to hear
// of it if that fails.
func (h *held) tidy(ctx context.Context, now *head, dropped []version) {
	ctx, cancel := context.WithTimeout(ctx, tidyTime)
	defer cancel()
	for _, v := range dropped {
		if !now.names(v.Name) {
			_ = h.b.store.Delete(ctx, v.Name)
		}
	}
	lister, ok := h.b.store.(Lister)
	if !ok || h.swept {
		return
	}
	names, err := lister.List(ctx)
	if err != nil {
		return
	}
	h.swept = true
	for _, name := range names {
		// A document of an earlier lock that the head does not name never will
		// be named: its writer can swap no more.
		if fence, ok := fenceOf(name); ok && fence < h.fence && !now.names(name) && ctx.Err() == nil {
			_ = h.b.store.Delete(ctx, name)
		}
	}
}

// discard removes the document of a write that has failed for good.
func (h *held) discard(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, tidyTime)
	defer cancel()
	if cur, err := h.b.load(ctx); err == nil && !cur.head.names(name) {
		_ = h.b.store.Delete(ctx, name)
	}
}
