package oci

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	registry "esd/internal/oci"
	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
	"esd/internal/state/backend/wire"
)

// DefaultKeep is how many versions are kept where nothing is said.
const DefaultKeep = 10

// Options say how a state is kept.
type Options struct {
	// Name tells states of one repository apart: up to 32 letters, digits,
	// underscores and dashes.
	Name string
	// Lease are the terms of the lock.
	Lease lease.Terms
	// Unlocked leaves the lock out: forks are found, not prevented. It is for
	// registries that cannot remove tags.
	Unlocked bool
	// Keep is how many versions are kept, DefaultKeep if 0.
	Keep int
}

// Backend is a state in a repository. It implements backend.Backend.
type Backend struct {
	place    place
	name     string
	terms    lease.Terms
	unlocked bool
	keep     int
	now      func() time.Time // only differences count

	mu        sync.Mutex
	watches   map[string]*lease.Watch     // by token
	infos     map[string]backend.LockInfo // by tag of a mark; a tag never changes
	headers   map[string]state.Header     // of versions that were read whole, by digest
	seen      *version                    // the one that counts most of those that were read or written
	header    state.Header                // of seen
	base      string                      // digest of the version that was last read or written
	removable bool                        // removing tags was found to work
	told      []state.Notice              // what the next lock has to tell
	restUntil time.Time                   // see rest
}

// New returns the state of a name in a repository or layout. Nothing is asked and
// nothing is made.
func New(store registry.Store, opts Options) (*Backend, error) {
	if err := checkName(opts.Name); err != nil {
		return nil, err
	}
	return newBackend(repository{store, new(atomic.Bool)}, opts), nil
}

func newBackend(p place, opts Options) *Backend {
	b := &Backend{
		place: p, name: opts.Name, terms: opts.Lease.OrDefault(), unlocked: opts.Unlocked, keep: opts.Keep, now: time.Now,
		watches: map[string]*lease.Watch{}, infos: map[string]backend.LockInfo{}, headers: map[string]state.Header{},
	}
	if b.keep <= 0 {
		b.keep = DefaultKeep
	}
	return b
}

var _ backend.Backend = (*Backend)(nil)

// Location is the address of the state: the repository and its name in it.
func (b *Backend) Location() string { return b.location() }

func (b *Backend) location() string { return b.place.Location() + ":" + b.name }

// Pauses between questions that are asked again because the answer may be better
// soon.
const (
	firstPause = 20 * time.Millisecond
	againTimes = 7 // 2.5 s in all
)

func pause(ctx context.Context, d time.Duration) error {
	return registry.SystemClock{}.Sleep(ctx, d)
}

// look asks for the list of tags. One that shows an older state than this client
// has seen is asked for again, for the time of a cache that is about to notice,
// and then not believed.
func (b *Backend) look(ctx context.Context, doing string) (*listing, error) {
	for try := 0; ; try++ {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		tags, err := b.place.Tags(ctx, b.name+".")
		if err != nil {
			return nil, b.failed(doing, err)
		}
		l := parseListing(b.name, tags)
		seen, older := b.older(l)
		if !older {
			return l, nil
		}
		if try == againTimes {
			return nil, &backend.UntrustedError{Location: b.location(),
				Problem: fmt.Sprintf("this run has seen the version %s there, and now it is gone: what is shown is older", seen.describe()),
				Fix:     "if a cache stands before the registry, let it pass lists of tags on; if somebody has put back an old copy of the registry, run esd again"}
		}
		if err := pause(ctx, firstPause<<try); err != nil {
			return nil, err
		}
	}
}

// older reports whether a listing shows less than was there before.
func (b *Backend) older(l *listing) (version, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen != nil && l.tookBack(*b.seen) {
		b.seen = nil // it was read before its writer took it back
	}
	switch {
	case b.seen == nil:
		return version{}, false
	case len(l.versions) == 0:
		return *b.seen, true
	}
	return *b.seen, l.versions[len(l.versions)-1].compare(*b.seen) < 0
}

// Read implements backend.Backend.
func (b *Backend) Read(ctx context.Context) (*state.State, backend.Meta, error) {
	s, meta, v, err := b.read(ctx)
	if err != nil || s == nil {
		return nil, backend.Meta{}, err
	}
	if err := b.accept(v, s.Header()); err != nil {
		return nil, backend.Meta{}, err
	}
	return s, meta, nil
}

// read returns the present state, nil if there is none.
func (b *Backend) read(ctx context.Context) (s *state.State, meta backend.Meta, v version, err error) {
	err = b.again(ctx, func() error {
		l, err := b.look(ctx, "reading")
		if err != nil {
			return err
		}
		head, err := b.present(l.chain())
		if err != nil || head == nil {
			return err
		}
		v = *head
		s, meta, err = b.readVersion(ctx, v)
		return err
	})
	return s, meta, v, b.failed("reading", err)
}

// again repeats what may have failed only because the state was changing at this
// moment: a version that is gone was replaced by another one, and of two that
// contradict each other one may be about to be taken back.
func (b *Backend) again(ctx context.Context, do func() error) error {
	for try := 0; ; try++ {
		err := do()
		var forked *forkError
		if !errors.As(err, &forked) && !errors.Is(err, registry.ErrNotFound) || try == againTimes {
			return err
		}
		if err := pause(ctx, firstPause<<try); err != nil {
			return err
		}
	}
}

// present is the present version of a chain, nil if there is none, unless two
// have the same claim.
func (b *Backend) present(c chain) (*version, error) {
	if rivals := c.rivals(); len(rivals) > 0 {
		return nil, &forkError{location: b.location(), versions: append([]version{c.line[0]}, rivals...)}
	}
	return c.head(), nil
}

// readVersion reads one version whole.
func (b *Backend) readVersion(ctx context.Context, v version) (*state.State, backend.Meta, error) {
	meta := backend.Meta{Location: b.place.Location() + ":" + v.tag}
	r, err := b.recorded(ctx, v)
	if err != nil {
		return nil, meta, err
	}
	packed, err := b.place.Blob(ctx, r.document)
	if err != nil {
		return nil, meta, err
	}
	data, err := wire.Unpack(packed, meta.Location)
	if err != nil {
		return nil, meta, err
	}
	s, err := state.Decode(data, meta.Location)
	if err != nil {
		return nil, meta, err
	}
	if s.Lineage != r.header.Lineage || s.Serial != r.header.Serial {
		return nil, meta, b.untrusted(fmt.Sprintf("the manifest of %s promises serial %d of lineage %s, and the document has serial %d of %s",
			v.tag, r.header.Serial, r.header.Lineage, s.Serial, s.Lineage))
	}
	sum := sha256.Sum256(data)
	meta.Size, meta.Digest = int64(len(data)), hex.EncodeToString(sum[:])
	b.mu.Lock()
	b.headers[v.digest] = s.Header()
	b.mu.Unlock()
	return s, meta, nil
}

// recorded reads the manifest of a version.
func (b *Backend) recorded(ctx context.Context, v version) (*recorded, error) {
	desc, manifest, err := b.place.Manifest(ctx, v.tag)
	if err != nil {
		return nil, err
	}
	r, err := readVersion(v, desc, manifest)
	if err != nil {
		return nil, b.untrusted(err.Error())
	}
	return r, nil
}

// accept takes note of a version that was read, unless it cannot follow what this
// client knows.
func (b *Backend) accept(v version, h state.Header) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen != nil {
		switch {
		case h.Lineage != b.header.Lineage:
			return b.untrusted(fmt.Sprintf("it is of lineage %s, and was of %s before", h.Lineage, b.header.Lineage))
		case h.Serial < b.header.Serial:
			return b.untrusted(fmt.Sprintf("its serial went back from %d to %d", b.header.Serial, h.Serial))
		case v.compare(*b.seen) < 0:
			return nil // somebody else was faster with the newer one
		}
	}
	b.seen, b.header, b.base = &v, h, v.digest
	return nil
}

func (b *Backend) untrusted(problem string) error {
	return &backend.UntrustedError{Location: b.location(), Problem: problem,
		Fix: "see who else writes to the repository; `esd state push --force` replaces the state by one that is known to be good"}
}
