package httpstate

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"esd/internal/state/backend"
)

// sign is the document of the lease: whose lock it is and how often it was
// renewed. It has the members by which GitLab and Gitea know a version of a
// state, and none by which it could be taken for a state of ours.
type sign struct {
	Version int              `json:"lease_version"`
	Lineage string           `json:"lineage"`
	Serial  int64            `json:"serial"`
	Lock    backend.LockInfo `json:"lock"`
	// Renewed is the time by the clock of the holder, for people.
	Renewed time.Time `json:"renewed"`
}

const signVersion = 1

// refusal says that the server does not take the document of a lease.
type refusal struct{ why string }

// Error says why.
func (r *refusal) Error() string { return r.why }

// readSign returns the document of the lease, nil where there is none. Something
// else at its place is a refusal.
func (b *Backend) readSign(ctx context.Context) (*sign, error) {
	a, err := b.client.do(ctx, request{method: http.MethodGet, url: b.places.lease})
	var untrusted *suspicion
	switch {
	case errors.As(err, &untrusted):
		return nil, &refusal{why: "at its address, " + untrusted.problem}
	case err != nil:
		return nil, b.failure(ctx, reading, err)
	case a.status == http.StatusNotFound || a.status == http.StatusNoContent || a.status == http.StatusOK && len(a.body) == 0:
		return nil, nil
	case a.status != http.StatusOK && a.status < 500:
		return nil, &refusal{why: "the server does not show its document: " + b.client.status(a).Error()}
	case a.status != http.StatusOK:
		return nil, b.failure(ctx, reading, b.client.status(a))
	}
	var s sign
	if err := json.Unmarshal(a.body, &s); err != nil || s.Version < 1 || s.Serial < 0 {
		return nil, &refusal{why: "something else stands where its document should: set lease_address"}
	}
	return &s, nil
}

// look is what is known of a holder: what the server says, and what the lease
// says where it is that of this lock.
func (b *Backend) look(ctx context.Context, o *other) backend.LockInfo {
	info := o.info
	duration, leased := leaseOf(info.ID)
	if b.places.lease == nil {
		return info
	}
	s, err := b.readSign(ctx)
	switch {
	case err != nil:
		// Whoever cannot see a sign of life must not conclude that there is none.
		info.Lease = backend.Lease{Duration: duration, Verdict: backend.Alive}
	case s != nil && info.ID != "" && s.Lock.ID == info.ID:
		info = s.shown()
		info.Lease.Verdict = b.watch.LookAt(info, strconv.FormatInt(s.Serial, 10))
		info.Lease.Silent = b.watch.Silence()
	case leased:
		// It will be named any moment, or never.
		info.Lease = backend.Lease{Duration: duration, Verdict: b.watch.Look(info.ID, "", duration)}
		info.Lease.Silent = b.watch.Silence()
	}
	return info
}

// shown is the holder as its own document shows it.
func (s *sign) shown() backend.LockInfo {
	i := s.Lock
	i.Operation, i.Who, i.Version, i.Path = printable(i.Operation), printable(i.Who), printable(i.Version), printable(i.Path)
	p, _ := i.Process()
	duration := time.Duration(p.Lease * float64(time.Second))
	i.Lease = backend.Lease{Duration: duration, Renewed: s.Renewed, Expires: s.Renewed.Add(duration)}
	return i
}

// firstSign writes the document of the lease for the first time.
func (h *held) firstSign(ctx context.Context) error {
	b := h.b
	before, err := b.readSign(ctx)
	if err != nil {
		return err
	}
	if err := h.sign(ctx, before); err != nil {
		return err
	}
	if before == nil && b.places.flavor == plain {
		return h.apart(ctx)
	}
	return nil
}

// apart makes sure that the lease did not become the state: a simple server may
// keep one document, whatever the path. As there was none before, taking it
// away again loses nothing.
func (h *held) apart(ctx context.Context) error {
	b := h.b
	a, err := b.client.do(ctx, request{method: http.MethodGet, url: b.places.state, enough: func([]byte, int64) bool { return true }})
	if err != nil || a.status != http.StatusOK {
		return nil // which shows when the state is read
	}
	var s sign
	if json.Unmarshal(a.body, &s) != nil || s.Version < 1 || s.Lock.ID != h.info.ID {
		return nil
	}
	gone, err := b.client.do(ctx, request{method: http.MethodDelete, url: h.target()})
	if err != nil || !gone.ok() {
		return &refusal{why: "the server keeps one document for all addresses, and it is that of the lease now; delete it there, and set lease_address to \"none\""}
	}
	return &refusal{why: "the server keeps one document for all addresses"}
}

// sign writes the document of the lease over an earlier one.
func (h *held) sign(ctx context.Context, before *sign) error {
	b := h.b
	for attempt := 0; ; attempt++ {
		next := sign{Version: signVersion, Lineage: h.info.ID, Serial: 1, Lock: h.info, Renewed: b.now().UTC()}
		if before != nil {
			next.Serial = before.Serial + 1
		}
		body, err := json.Marshal(next)
		if err != nil {
			return err
		}
		a, err := h.postSign(ctx, body)
		switch {
		case err != nil:
			return err
		case a.ok():
			b.tidy(ctx, before)
			return nil
		case a.status >= 500 || attempt >= 2:
			return b.refused(ctx, a)
		case locks(a.status) && !h.leaseLock && b.places.leaseLock != nil:
			if err := h.lockSign(ctx); err != nil {
				return err
			}
		case a.status != http.StatusUnprocessableEntity && a.status != http.StatusConflict:
			return b.refused(ctx, a)
		}
		// Somebody whose lock was taken over may have signed once more.
		if before, err = b.readSign(ctx); err != nil {
			return err
		}
	}
}

// locks tells whether a server that answers so may want a lock before it is
// written to.
func locks(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusLocked || status == http.StatusConflict || status == http.StatusPreconditionFailed
}

func (h *held) postSign(ctx context.Context, body []byte) (*answer, error) {
	b := h.b
	to := b.places.lease
	if h.leaseLock {
		to = withQuery(to, "ID", h.info.ID)
	}
	a, err := b.client.do(ctx, request{method: b.places.updateMethod, url: to, body: body})
	if err == nil && a.ok() {
		err = a.page()
	}
	if err != nil {
		return nil, b.failure(ctx, "renewing the lease of", err)
	}
	return a, nil
}

func (b *Backend) refused(ctx context.Context, a *answer) error {
	said := b.client.status(a)
	if a.status >= 500 || a.status == http.StatusTooManyRequests {
		return b.failure(ctx, "renewing the lease of", said)
	}
	return &refusal{why: "the server does not take its document: " + said.Error()}
}

// lockSign locks the document of the lease by the lock of the state. Whoever
// has that may take it away from anybody: it can only be left over.
func (h *held) lockSign(ctx context.Context) error {
	b := h.b
	for range 3 {
		o, err := b.ask(ctx, b.places.leaseLock, h.info)
		if err != nil {
			return &refusal{why: "its document cannot be locked: " + err.Error()}
		}
		if o == nil {
			h.leaseLock = true
			return nil
		}
		if _, err := b.release(ctx, b.places.leaseLock, o.info.ID, o.key(o.info.ID)); err != nil {
			return err
		}
	}
	return &refusal{why: "its document is locked by somebody else"}
}

// renew is the heartbeat: the lock is still ours, and others are shown so.
func (h *held) renew(ctx context.Context) error {
	o, err := h.b.probe(ctx)
	switch {
	case err != nil:
		return err
	case o == nil || o.info.ID != "" && o.info.ID != h.info.ID:
		return h.lost()
	case !h.leased:
		return nil
	}
	before, err := h.b.readSign(ctx)
	if err != nil {
		return err
	}
	return h.sign(ctx, before)
}

// tidy deletes the version of the lease before the present one, where the server
// would keep them all. That it may not is no reason to stop.
func (b *Backend) tidy(ctx context.Context, before *sign) {
	b.mu.Lock()
	untidy := b.untidy
	b.mu.Unlock()
	if before == nil || untidy || b.places.flavor == plain {
		return
	}
	old := b.places.lease.JoinPath("versions", strconv.FormatInt(before.Serial, 10))
	a, err := b.client.send(ctx, request{method: http.MethodDelete, url: old})
	if err == nil && (a.ok() || a.status == http.StatusNotFound) {
		return
	}
	b.mu.Lock()
	b.untidy = true
	b.mu.Unlock()
}
