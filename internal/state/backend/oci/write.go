package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	registry "esd/internal/oci"
	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/wire"
)

// pushed is a version that was pushed, or may have been.
type pushed struct {
	object  object
	version version
	header  state.Header
	sent    bool // the manifest was, at least once
}

// Write implements backend.Lock.
func (h *held) Write(ctx context.Context, next *state.State) error {
	return h.write(ctx, next, false)
}

// Overwrite implements backend.Lock.
func (h *held) Overwrite(ctx context.Context, next *state.State) error {
	return h.write(ctx, next, true)
}

// write pushes a version and then looks whether the lock was ours all the time. If
// it was, whoever takes the lock later sees the version, and builds on it. If it
// was not, somebody may have looked before the version was there; then it counts
// less than what that one writes.
func (h *held) write(ctx context.Context, next *state.State, force bool) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	packed, err := encode(ctx, next)
	if err != nil {
		return err
	}
	var c chain
	var previous *recorded
	err = h.b.again(ctx, func() error {
		l, err := h.mine(ctx, "writing")
		if err == nil && h.doubtful != nil {
			l, err = h.settle(ctx)
		}
		if err != nil {
			return err
		}
		if c = l.chain(); c.fence > h.ticket {
			return fmt.Errorf("state %s: %w", h.b.location(), backend.ErrLockLost)
		}
		previous, err = h.b.precede(ctx, c, next.Header(), force)
		return err
	})
	if err != nil {
		return h.b.failed("writing", err)
	}
	p, err := h.b.prepare(h.ticket, previous, next.Header(), packed, h.info)
	if err != nil {
		return err
	}
	h.doubtful = p
	l, err := h.settle(ctx)
	if err == nil {
		h.b.prune(ctx, l)
	}
	return err
}

func encode(ctx context.Context, next *state.State) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	data, err := state.Encode(next)
	if err != nil {
		return nil, err
	}
	return wire.Pack(data)
}

// settle pushes a version and finds out whether it is there. Nothing else may be
// pushed before that is known. A push is repeated as it was, which does no harm.
func (h *held) settle(ctx context.Context) (*listing, error) {
	p := h.doubtful
	retried := p.sent
	pushErr := h.b.place.Push(ctx, p.object)
	if !retried && errors.As(pushErr, new(*unsentError)) {
		h.doubtful = nil
		return nil, h.b.failed("writing", pushErr)
	}
	p.sent = true
	l, err := h.mine(ctx, "writing")
	if err != nil && !errors.Is(err, backend.ErrLockLost) {
		return nil, h.b.inDoubt(errors.Join(pushErr, err))
	}
	there := slices.Contains(l.versions, p.version)
	if err == nil && pushErr == nil && !there {
		// A list takes its time: perhaps the lock was lost meanwhile, and the version
		// cleared away as one of many old ones.
		if _, err = h.mine(ctx, "writing"); err != nil && !errors.Is(err, backend.ErrLockLost) {
			return nil, h.b.inDoubt(err)
		}
	}
	if there && pushErr != nil {
		// Its name is in the list, but is it whole?
		if _, manifest, err := h.b.place.Manifest(ctx, p.version.tag); err == nil && bytes.Equal(manifest, p.object.manifest) {
			pushErr = nil
		}
	}
	switch {
	case err != nil:
		h.doubtful = nil
		return nil, h.b.outvoted(p, l, there)
	case pushErr != nil:
		return nil, h.b.inDoubt(pushErr)
	case !there:
		return nil, h.b.stale(p.version.tag)
	}
	h.doubtful = nil
	h.keeper.Renewed()
	h.b.wrote(p)
	return l, nil
}

// inDoubt says that a version was sent and may or may not be there.
func (b *Backend) inDoubt(err error) error {
	err = b.failed("writing", err)
	var unreachable *backend.UnreachableError
	if errors.As(err, &unreachable) {
		doubt := *unreachable
		doubt.Doubt = true
		return &doubt
	}
	return err
}

// outvoted says what became of a version that was pushed while the lock was lost.
// The version is left alone: it may have been read, and be built upon.
func (b *Backend) outvoted(p *pushed, l *listing, there bool) error {
	what := "and is not among the versions that are there now"
	if head := l.chain().head(); there && head != nil && *head == p.version {
		what = "and has become the present state all the same, unless whoever has the lock now replaces it"
	} else if there && slices.Contains(l.chain().line, p.version) {
		what = "and was taken over all the same by whoever has the lock now"
	} else if there {
		what = "and does not count, because whoever has the lock now has written a state of its own; it is left aside as " + p.version.tag
	}
	return &lostError{fmt.Sprintf("state %s: the lock was lost (taken away by force-unlock, or taken over) while serial %d was on its way, %s",
		b.location(), p.header.Serial, what)}
}

// precede returns the version that the next one is to follow, nil if there is none.
// Without force it must be readable, and must be one that next may follow.
func (b *Backend) precede(ctx context.Context, c chain, next state.Header, force bool) (*recorded, error) {
	head, err := b.present(c)
	if force {
		return b.overwritten(ctx, c)
	}
	if err == nil && b.unlocked {
		err = b.based(head, next)
	}
	if err != nil || head == nil {
		return nil, err
	}
	r, err := b.recorded(ctx, *head)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	header, known := b.headers[head.digest]
	b.mu.Unlock()
	if !known {
		s, _, err := b.readVersion(ctx, *head)
		if err != nil {
			return nil, fmt.Errorf("the recorded state cannot be read, so it was not replaced: %w", err)
		}
		header = s.Header()
	}
	if err := b.accept(*head, header); err != nil {
		return nil, err
	}
	return r, state.CheckSuccession(&header, next)
}

// overwritten is the present version, or one of several, whatever it is. If not even
// its manifest can be read, a new chain begins.
func (b *Backend) overwritten(ctx context.Context, c chain) (*recorded, error) {
	head := c.head()
	if head == nil {
		return nil, nil
	}
	r, err := b.recorded(ctx, *head)
	if untrusted := new(*backend.UntrustedError); errors.As(err, untrusted) || errors.Is(err, registry.ErrNotFound) {
		return nil, nil
	}
	return r, err
}

// based checks, where no lock does, that what this client has read is still what
// there is: of two versions with one serial it may have been the other.
func (b *Backend) based(head *version, next state.Header) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.base == "" || head != nil && b.base == head.digest {
		return nil
	}
	conflict := &state.ConflictError{Recorded: next, Offered: next}
	if head != nil {
		conflict.Recorded.Serial = max(next.Serial, head.serial)
	}
	return conflict
}

func (b *Backend) prepare(fence int64, previous *recorded, h state.Header, packed []byte, info backend.LockInfo) (*pushed, error) {
	o, v, err := newVersion(b.name, fence, previous, h, packed, info)
	return &pushed{object: o, version: v, header: h}, err
}

// wrote takes note of what is now the present state.
func (b *Backend) wrote(p *pushed) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.headers = map[string]state.Header{p.version.digest: p.header}
	b.seen, b.header, b.base = &p.version, p.header, p.version.digest
}

// Limits of what is kept besides versions, and of what one write removes.
const (
	keepBroken   = 16
	pruneAtATime = 8
)

// prune removes what nobody needs any more. It is done by who has the lock, a little
// at a time, and no harm is done if it cannot be.
func (b *Backend) prune(ctx context.Context, l *listing) {
	c := l.chain()
	if c.head() == nil {
		return
	}
	var gone []string
	var oldest int64 // nothing is old while the line is short: it may not be all there
	if len(c.line) >= b.keep {
		oldest = c.line[b.keep-1].generation
	}
	for _, v := range slices.Concat(l.versions, l.voided) {
		if v.generation < oldest {
			gone = append(gone, v.tag)
		}
	}
	for _, m := range l.void {
		if m.number < oldest {
			gone = append(gone, m.tag)
		}
	}
	for _, m := range l.ended {
		gone = append(gone, m.tag)
	}
	for _, m := range l.beats {
		if !l.lock(m.token) {
			gone = append(gone, m.tag)
		}
	}
	gone = append(gone, b.oldBroken(l, c.line[0].fence)...)
	for _, tag := range gone[:min(len(gone), pruneAtATime)] {
		b.removeTag(ctx, tag)
	}
}

// oldBroken are the marks of locks taken away long ago: their tickets are below the
// fence of the state, and of the lock itself nothing is left.
func (b *Backend) oldBroken(l *listing, fence int64) []string {
	var old []mark
	for _, m := range l.broken {
		ended := slices.ContainsFunc(l.ended, func(e mark) bool { return e.token == m.token })
		if m.number < fence && !ended {
			old = append(old, m)
		}
	}
	slices.SortFunc(old, mark.compare)
	var tags []string
	for _, m := range old[:max(len(old)-keepBroken, 0)] {
		tags = append(tags, m.tag)
	}
	return tags
}
