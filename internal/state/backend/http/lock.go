package httpstate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
)

// other is a holder of the lock as the server shows it.
type other struct {
	info backend.LockInfo
	raw  []byte // what the server said, by which some servers want to be asked to unlock
}

// ask tries to lock. It returns nil when the lock was granted to info, or else
// who has it. That info has it already is a success too: an answer was lost.
func (b *Backend) ask(ctx context.Context, at *url.URL, info backend.LockInfo) (*other, error) {
	body, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	a, err := b.client.do(ctx, request{method: b.places.lockMethod, url: at, body: body})
	if err != nil {
		return nil, b.doubtful(b.failure(ctx, locking, err))
	}
	if a.ok() {
		if err := a.page(); err != nil {
			return nil, b.failure(ctx, locking, err)
		}
		if said := parseHolder(a.body); said.ID != "" && said.ID != info.ID {
			return nil, b.untrusted(fmt.Sprintf("the server grants the lock %s where %s was asked for", said.ID, info.ID), fixAddress)
		}
		return nil, nil
	}
	if a.status != http.StatusLocked && a.status != http.StatusConflict {
		return nil, b.doubtful(b.failure(ctx, locking, b.client.status(a)))
	}
	o := &other{info: parseHolder(a.body), raw: a.body}
	if o.info.ID == info.ID {
		return nil, nil
	}
	b.distrustEchoes(o, info)
	return o, nil
}

// doubtful says of an error that what was asked may have been done, if it may.
func (b *Backend) doubtful(err error) error {
	var u *backend.UnreachableError
	if errors.As(err, &u) {
		var broken *brokenError
		var said *statusError
		u.Doubt = errors.As(err, &broken) && broken.sent || errors.As(err, &said) && said.status >= 500
	}
	return err
}

// parseHolder reads the fields of a lock, as far as they can be shown. It is
// zero where there are none.
func parseHolder(body []byte) backend.LockInfo {
	var said struct{ ID, Operation, Info, Who, Version, Created, Path string }
	if json.Unmarshal(body, &said) != nil || said.ID != printable(said.ID) || len(said.ID) > 255 {
		return backend.LockInfo{}
	}
	created, _ := time.Parse(time.RFC3339Nano, said.Created)
	return backend.LockInfo{ID: said.ID, Operation: printable(said.Operation), Info: said.Info,
		Who: printable(said.Who), Version: printable(said.Version), Created: created, Path: printable(said.Path)}
}

func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
}

// distrustEchoes drops what a server says of a holder that is only what was
// said by whoever asks. GitLab does that with four of the fields.
func (b *Backend) distrustEchoes(o *other, asked backend.LockInfo) {
	i := &o.info
	if b.places.flavor == gitlab ||
		i.Operation == asked.Operation && i.Info == asked.Info && i.Version == asked.Version && i.Path == asked.Path {
		i.Operation, i.Info, i.Version, i.Path = "unknown", "", "", b.Location()
	}
}

// probeLease is the lease of a lock that is taken only to see whether somebody
// has it.
const probeLease = 15 * time.Second

// probe returns who has the lock, nil if nobody has it.
func (b *Backend) probe(ctx context.Context) (*other, error) {
	info := backend.NewLockInfo(backend.LockRequest{Operation: "look at the lock", Version: b.client.userAgent, Now: b.now()})
	info.ID, info.Path = marked(info.ID, probeLease), b.Location()
	o, err := b.ask(ctx, b.places.lock, info)
	if o == nil && err == nil || inDoubt(err) {
		if backErr := b.giveBack(ctx, info); err == nil {
			err = backErr
		}
	}
	return o, err
}

func inDoubt(err error) bool {
	var u *backend.UnreachableError
	return errors.As(err, &u) && u.Doubt || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// giveBack unlocks what was locked for a moment, also where the run has ended.
func (b *Backend) giveBack(ctx context.Context, info backend.LockInfo) error {
	patience := 10 * time.Second
	if ctx.Err() != nil {
		patience = 3 * time.Second // somebody waits for the end; its lease is short
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	body, err := json.Marshal(info)
	if err == nil {
		_, err = b.release(ctx, b.places.unlock, info.ID, body)
	}
	return err
}

// outcome is what became of unlocking.
type outcome int

const (
	freed   outcome = iota
	refused         // nothing was unlocked
	unsure          // refused at last, but an answer was lost before
)

// release unlocks with what was locked with.
func (b *Backend) release(ctx context.Context, at *url.URL, id string, body []byte) (outcome, error) {
	if b.places.flavor == gitlab {
		// GitLab unlocks without looking where no ID reaches it, and the body of a
		// DELETE may be lost on the way.
		at = withQuery(at, "ID", id)
	}
	a, err := b.client.do(ctx, request{method: b.places.unlockMethod, url: at, body: body})
	if err != nil {
		return refused, b.doubtful(b.failure(ctx, unlocking, err))
	}
	if a.ok() {
		if err := a.page(); err != nil {
			return refused, b.failure(ctx, unlocking, err)
		}
		return freed, nil
	}
	switch a.status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusLocked, http.StatusPreconditionFailed:
		if a.repeated {
			return unsure, nil
		}
		return refused, nil
	}
	return refused, b.doubtful(b.failure(ctx, unlocking, b.client.status(a)))
}

// key is what the lock of another holder is unlocked with.
func (o *other) key(id string) []byte {
	if o.info.ID == id && json.Valid(o.raw) {
		return o.raw
	}
	body, _ := json.Marshal(backend.LockInfo{ID: id}) // strings and a time: cannot fail
	return body
}

// Lock implements backend.Backend.
func (b *Backend) Lock(ctx context.Context, info backend.LockInfo) (backend.Lock, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	info.Path = b.Location()
	if b.places.lock == nil {
		return b.unprotected(info), nil
	}
	var notices []state.Notice
	var last backend.LockInfo
	for range 3 {
		h := b.newHeld(info)
		o, err := b.ask(ctx, b.places.lock, h.info)
		if err != nil {
			if inDoubt(err) {
				_ = b.giveBack(ctx, h.info)
			}
			return nil, err
		}
		if o == nil {
			h.notices = notices
			if h, err = b.begin(ctx, h, len(notices) > 0); err != nil {
				return nil, err
			}
			return h, nil
		}
		if last = b.look(ctx, o); last.Lease.Verdict != backend.Dead {
			break
		}
		done, err := b.release(ctx, b.places.unlock, last.ID, o.key(last.ID))
		if err != nil {
			return nil, err
		}
		if done == freed {
			notices = append(notices, lease.TakenOver(last))
		}
	}
	return nil, &backend.LockedError{Location: b.Location(), Holder: last}
}

// Holder implements backend.Backend.
func (b *Backend) Holder(ctx context.Context) (*backend.LockInfo, error) {
	if b.places.lock == nil {
		return nil, nil
	}
	o, err := b.probe(ctx)
	if o == nil || err != nil {
		return nil, err
	}
	info := b.look(ctx, o)
	return &info, nil
}

// ForceUnlock implements backend.Backend.
func (b *Backend) ForceUnlock(ctx context.Context, id string) error {
	if b.places.lock == nil {
		return fmt.Errorf("state %s: %w", b.Location(), backend.ErrNotLocked)
	}
	o, err := b.probe(ctx)
	switch {
	case err != nil:
		return err
	case o == nil:
		return fmt.Errorf("state %s: %w", b.Location(), backend.ErrNotLocked)
	case o.info.ID != "" && o.info.ID != id:
		return &backend.LockIDError{ID: id, Holder: b.look(ctx, o)}
	}
	done, err := b.release(ctx, b.places.unlock, id, o.key(id))
	if err == nil && done == refused {
		err = b.failure(ctx, unlocking, errors.New("the server refuses to unlock with this ID; look again who holds the lock"))
	}
	return err
}

// Kinds of notices that a lock gives besides lease.NoticeTakenOver.
const (
	// NoticeNoLease: the lock of this run stays if it dies.
	NoticeNoLease = "lock-without-lease"
	// NoticeNoLock: nothing keeps two runs apart.
	NoticeNoLock = "state-not-locked"
)
