package register

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/wire"
)

// Read implements backend.Backend.
func (b *Backend) Read(ctx context.Context) (*state.State, backend.Meta, error) {
	missing := ""
	for {
		if err := ctx.Err(); err != nil {
			return nil, backend.Meta{}, err
		}
		cur, err := b.load(ctx)
		if err != nil {
			return nil, backend.Meta{}, err
		}
		v := cur.head.State
		if v == nil || cur.head.backward != nil {
			return nil, backend.Meta{}, cur.head.backward
		}
		s, err := b.fetch(ctx, v)
		if errors.Is(err, fs.ErrNotExist) && v.Name != missing {
			missing = v.Name // it may have grown old and been removed since the head was read
			continue
		}
		if err != nil {
			return nil, backend.Meta{}, b.advise(err, &cur.head)
		}
		b.believe(&cur.head)
		return s, backend.Meta{Location: b.store.Location(), Size: v.Size, Digest: v.SHA256}, nil
	}
}

// believe takes note of the version in a head, which was read or written.
func (b *Backend) believe(h *head) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.good = h.State.Name
	if h.Revision >= b.floor.revision {
		b.floor.state = h.State
	}
}

// backward refuses a version that is older than one which this client has seen,
// or has nothing to do with it.
func (b *Backend) backward(before, v *version) error {
	switch {
	case before == nil:
		return nil
	case v == nil:
		return b.untrusted(fmt.Sprintf("it has no version any more, and had serial %d before", before.Serial), fixOlder)
	case v.Lineage != before.Lineage:
		return b.untrusted(fmt.Sprintf("it has lineage %s, and had %s before: another deployment", v.Lineage, before.Lineage),
			"look who has put another state in its place")
	case v.Serial < before.Serial:
		return b.untrusted(fmt.Sprintf("it has serial %d, and had %d before", v.Serial, before.Serial), fixOlder)
	}
	return nil
}

const fixOlder = "look whether it was restored from a copy, or is served by a cache or by a replica that lags behind"

// fetch reads a version. A document that is not there is fs.ErrNotExist.
func (b *Backend) fetch(ctx context.Context, v *version) (*state.State, error) {
	packed, err := b.store.Get(ctx, v.Name)
	if err != nil {
		return nil, err
	}
	source := b.store.Location()
	data, err := wire.Unpack(packed, source)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != v.SHA256 {
		return nil, &damaged{fmt.Sprintf("the document %s has the digest %x, and was written with %s", v.Name, sum, v.SHA256)}
	}
	s, err := state.Decode(data, source)
	if err != nil {
		return nil, err
	}
	if s.Lineage != v.Lineage || s.Serial != v.Serial {
		return nil, &damaged{fmt.Sprintf("its head says serial %d of lineage %s, and the document %s says serial %d of %s",
			v.Serial, v.Lineage, v.Name, s.Serial, s.Lineage)}
	}
	return s, nil
}

// damaged says what is wrong with a document that is not the one which was
// written.
type damaged struct{ problem string }

func (e *damaged) Error() string { return e.problem }

// advise says how to go on when the present version cannot be had.
func (b *Backend) advise(err error, h *head) error {
	fix := "`esd state rebuild` makes it anew"
	if len(h.Previous) > 0 {
		v := h.Previous[0]
		fix = fmt.Sprintf("the version before, of serial %d, is the document %s; or `esd state rebuild` makes it anew", v.Serial, v.Name)
	}
	var wrong *damaged
	var format *state.FormatError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return b.untrusted(fmt.Sprintf("the document %s of the present version is not there", h.State.Name), fix)
	case errors.As(err, &wrong):
		return b.untrusted(wrong.problem, fix)
	case errors.As(err, &format) && !errors.Is(err, state.ErrForeign):
		format.Fix = fix
	}
	return err
}
