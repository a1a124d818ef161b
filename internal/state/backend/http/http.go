// Package httpstate keeps a state behind the protocol of Terraform's http
// backend, which GitLab and Gitea serve and many small servers speak.
//
// The protocol is: GET the address for the document; LOCK the lock address with
// seven fields that say who locks, answered by 200, or by 423 or 409 and the
// fields of the holder; POST the document to the address with the ID of the lock
// as ?ID=; UNLOCK with the fields of the lock. GitLab and Gitea lock with POST
// and unlock with DELETE.
//
// Three things are missing in it, and are made here of what there is. There is
// no way to ask who holds a lock: to ask is to try to lock, under an ID that
// nobody else has, and to unlock at once if that succeeds. There is no lease: a
// second, small document beside the state is renewed by the holder (lease.go).
// And nothing says whether a server keeps its promises: one that gives a lock
// to two, or shows something else than was written, is found out.
package httpstate

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
)

// Options say where the state is and how its server is talked to.
type Options struct {
	// Address is the URL of the state. A user and password in it are taken as
	// Username and Password where those are empty.
	Address string
	// LockAddress and UnlockAddress are where it is locked and unlocked. Where
	// both are empty they follow from an address of GitLab or Gitea; of another
	// server, nothing is locked then.
	LockAddress, UnlockAddress string
	// LeaseAddress is where the document of the lease stands; "" is beside the
	// state, NoLease nowhere.
	LeaseAddress string
	// NoLease leaves the lease out.
	NoLease bool
	// The methods; "" is POST, LOCK and UNLOCK, or what GitLab and Gitea take.
	UpdateMethod, LockMethod, UnlockMethod string
	// Username and Password are sent as basic authentication if one is not empty.
	Username, Password string
	// SameHost keeps Username and Password from the hosts of other addresses
	// than Address.
	SameHost bool
	// Headers are sent with each request to the hosts of the addresses.
	Headers map[string]string
	// TLS is the configuration of TLS; nil is the default.
	TLS *tls.Config
	// Retry says how requests are repeated that failed for a while.
	Retry Retry
	// Terms are those of the lease; the default duration is DefaultLease.
	Terms lease.Terms
	// Stall is how long a server may be silent within one request; 0 means one
	// minute.
	Stall time.Duration
	// UserAgent is what the server is told.
	UserAgent string
	// Now is the clock whose times others read in the lease; nil is time.Now.
	// Nothing is decided by it.
	Now func() time.Time
}

// DefaultLease is the duration of the lease where none is set. It is longer
// than elsewhere, as each heartbeat is a version that GitLab stores.
const DefaultLease = 5 * time.Minute

// Backend is a state behind HTTP. It implements backend.Backend.
type Backend struct {
	places places
	client *client
	terms  lease.Terms
	now    func() time.Time
	watch  lease.Watch

	mu       sync.Mutex
	seen     *state.Header // what this client has read or written last
	known    *fingerprint  // of the document that seen is the header of
	excludes bool          // the server was seen to refuse a second lock
	noLease  string        // why there is no lease, "" while there is one
	told     bool          // and that was said
	untidy   bool          // old versions of the lease could not be deleted
}

var _ backend.Backend = (*Backend)(nil)

// New returns the state at an address. Nobody is asked.
func New(opts Options) (*Backend, error) {
	p, err := opts.places()
	if err != nil {
		return nil, err
	}
	if opts.Terms.Duration <= 0 {
		opts.Terms.Duration = DefaultLease
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	b := &Backend{places: p, client: newClient(opts, p), terms: opts.Terms.OrDefault(), now: opts.Now}
	switch {
	case opts.NoLease:
		b.noLease = "the configuration says so"
	case p.lease == nil:
		b.noLease = "its address does not show where the document of a lease could stand"
	}
	return b, nil
}

// Location is the URL of the state without user, password and query.
func (b *Backend) Location() string { return b.places.shown }

// Read implements backend.Backend. It takes no lock.
func (b *Backend) Read(ctx context.Context) (*state.State, backend.Meta, error) {
	if err := ctx.Err(); err != nil {
		return nil, backend.Meta{}, context.Cause(ctx)
	}
	a, err := b.get(ctx, nil)
	if err != nil {
		return nil, backend.Meta{}, err
	}
	if a == nil {
		return nil, backend.Meta{}, b.acceptNone()
	}
	s, data, err := b.decode(a)
	if err != nil {
		return nil, backend.Meta{}, err
	}
	sum := sha256.Sum256(data)
	return s, backend.Meta{Location: b.Location(), Size: int64(len(data)), Digest: hex.EncodeToString(sum[:])}, nil
}

// decode reads the whole document of an answer and takes note of it.
func (b *Backend) decode(a *answer) (*state.State, []byte, error) {
	data, err := unpack(a.body, b.Location())
	if err != nil {
		return nil, nil, err
	}
	s, err := state.Decode(data, b.Location())
	var format *state.FormatError
	if errors.As(err, &format) && errors.Is(err, state.ErrForeign) {
		// As with a page for people: what answers is not what keeps the state.
		return nil, nil, fmt.Errorf("%w (%w)", b.untrusted(format.Detail, format.Fix), state.ErrForeign)
	}
	if err != nil {
		return nil, nil, err
	}
	if err := b.accept(s.Header()); err != nil {
		return nil, nil, err
	}
	b.remember(s.Header(), fingerprintOf(a.body))
	return s, data, nil
}

// accept refuses a state that cannot follow what this client has seen before.
func (b *Backend) accept(h state.Header) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.seen == nil:
		return nil
	case b.seen.Lineage != h.Lineage:
		return b.untrusted(fmt.Sprintf("it has lineage %s now, and had %s a moment ago", h.Lineage, b.seen.Lineage),
			"see who replaced it; nothing was overwritten")
	case b.seen.Serial > h.Serial:
		return b.untrusted(fmt.Sprintf("it has serial %d now, and had %d a moment ago", h.Serial, b.seen.Serial),
			"the server shows an older state than before, from a cache or a copy that lags behind; nothing was overwritten")
	}
	return nil
}

// acceptNone is accept where the server says that there is no state.
func (b *Backend) acceptNone() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen == nil {
		return nil
	}
	return b.untrusted(fmt.Sprintf("it is gone, and had serial %d a moment ago", b.seen.Serial),
		"see whether somebody has deleted it; if not, whether the account may still read it")
}

func (b *Backend) remember(h state.Header, f *fingerprint) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen, b.known = &h, f
}

// forget makes whatever is read next acceptable.
func (b *Backend) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen, b.known = nil, nil
}

func (b *Backend) untrusted(problem, fix string) error {
	return &backend.UntrustedError{Location: b.Location(), Problem: problem, Fix: fix}
}

// failure explains an error of a request that was about the state.
func (b *Backend) failure(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var untrusted *suspicion
	if errors.As(err, &untrusted) {
		return b.untrusted(untrusted.problem, untrusted.fix)
	}
	u := &backend.UnreachableError{Location: b.Location(), Doing: doing, Err: err}
	var said *statusError
	if errors.As(err, &said) {
		u.Fix = said.fix(b.places.flavor, doing)
	} else {
		u.Fix = "see whether the address is right and the server runs"
	}
	return u
}

// withQuery is a URL with another parameter.
func withQuery(u *url.URL, name, value string) *url.URL {
	v := *u
	q := v.Query()
	q.Set(name, value)
	v.RawQuery = q.Encode()
	return &v
}
