// Package backend says what a place that keeps states can do. Each place is a
// package below; all of them pass the one suite in backendtest.
//
// Reading needs no lock and changes nothing, so that a plan can be made by
// anybody at any time. Writing is a method of the lock, not of the backend, so
// that nobody can write without holding it; and each write checks again that
// the lock is still held, that the lineage is the recorded one and that the
// serial grows. So a holder that lost its lock, or slept through its end,
// cannot undo what others did since.
package backend

import (
	"context"

	"esd/internal/state"
)

// Backend is one state in the place where it is kept. Its methods may be called
// from several goroutines.
type Backend interface {
	// Read returns the state, or nil when none was ever written. It never
	// shows half a write. A document that cannot be read is a
	// *state.FormatError or a *state.NewerFormatError.
	Read(ctx context.Context) (*state.State, Meta, error)

	// Lock takes the lock, or returns a *LockedError at once when somebody else
	// has it; Acquire waits. A holder that is known to be dead loses it, which
	// the notices of the new lock tell. A client remembers between two calls
	// what it has seen of the holder, see [Lease].
	Lock(ctx context.Context, info LockInfo) (Lock, error)

	// Holder returns what is known of the holder of the lock, nil when the lock
	// is free. The holder may be dead all the same: Lease says what is known of
	// that, the more the more often a client is asked.
	Holder(ctx context.Context) (*LockInfo, error)

	// ForceUnlock takes the lock away from its holder, whose writes fail from
	// then on. The ID must be that of the lock that is held (*LockIDError
	// otherwise); when none is held it returns ErrNotLocked.
	ForceUnlock(ctx context.Context, id string) error
}

// Lock is a lock that is held. Its methods return ErrLockLost when it no longer
// is; nothing was written then.
type Lock interface {
	// Info is what others see of the holder.
	Info() LockInfo

	// Notices tell what the user should know of how the lock was obtained.
	Notices() []state.Notice

	// Check reports whether the lock is still held.
	Check(ctx context.Context) error

	// Lost is closed when it shows, at a heartbeat, that the lock is held no
	// longer, so that a long run stops early. It is nil where that cannot show.
	Lost() <-chan struct{}

	// Write replaces the recorded state. The next one must have the same
	// lineage and a higher serial (*state.ConflictError), and the recorded one
	// must be readable: what cannot be read is never overwritten.
	Write(ctx context.Context, next *state.State) error

	// Overwrite replaces whatever is recorded, readable or not, without looking
	// at lineage and serial. It is there for `esd state push --force`.
	Overwrite(ctx context.Context, next *state.State) error

	// Unlock gives the lock back. A second call does nothing.
	Unlock(ctx context.Context) error
}

// Doubter is a Lock that tells when its heartbeats do not get through.
type Doubter interface {
	Lock

	// Doubt is nil, or says that and why the lease was not renewed for its whole
	// duration, so that others may take the lock for that of a dead holder. A
	// write may still succeed.
	Doubt() error
}

// Meta describes the document that was read. It is zero when there was none.
type Meta struct {
	// Location is the path or URL of the document.
	Location string
	// Size in bytes.
	Size int64
	// Digest is the sha256 of the document in hexadecimal.
	Digest string
}
