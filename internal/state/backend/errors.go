package backend

import (
	"errors"
	"fmt"

	"esd/internal/state"
)

var (
	// ErrLockLost: the lock is not, or no longer, held; nothing was written.
	ErrLockLost = errors.New("the lock on the state was lost (taken away by force-unlock, or taken over), so nothing was written")
	// ErrBegun: where there was no state there is one now, and it is another one.
	// Only where nothing is locked can that be.
	ErrBegun = errors.New("somebody else has begun this state in the meantime; the next run adopts what was made")
	// ErrNotLocked: there is no lock to break.
	ErrNotLocked = errors.New("the state is not locked")
)

// UnreachableError says that the place where the state is kept did not answer,
// or answered that it cannot. Nothing was changed, unless Doubt.
type UnreachableError struct {
	// Location is the path or URL of the state, without secrets.
	Location string
	// Doing is what was tried: "reading", "writing", "locking".
	Doing string
	// Doubt: the request was sent and its answer lost, so that it may have been
	// carried out.
	Doubt bool
	// Err is the cause.
	Err error
	// Fix says what to do.
	Fix string
}

// Error says what was tried, why it failed and what to do.
func (e *UnreachableError) Error() string {
	text := fmt.Sprintf("%s the state at %s failed: %v", e.Doing, e.Location, e.Err)
	if e.Doubt {
		text += "; whether it was done all the same is not known"
	}
	if e.Fix != "" {
		text += "; " + e.Fix
	}
	return text
}

// Unwrap returns the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// UntrustedError says that what the place of the state answers cannot be right:
// an older state than before, one of another lineage, a page for people, a lock
// that everybody gets. Nothing was overwritten.
type UntrustedError struct {
	// Location is the path or URL of the state, without secrets.
	Location string
	// Problem is what is wrong.
	Problem string
	// Fix says what to do.
	Fix string
}

// Error says what is wrong and what to do.
func (e *UntrustedError) Error() string {
	text := fmt.Sprintf("the state at %s cannot be trusted: %s", e.Location, e.Problem)
	if e.Fix != "" {
		text += "; " + e.Fix
	}
	return text
}

// UnreadableError says that the document which is recorded is no state, or a
// damaged one. Nothing was overwritten.
type UnreadableError struct {
	// Err says where and why: a *state.FormatError, or one of what answers there.
	Err error
}

// Error says what is wrong and what to do.
func (e *UnreadableError) Error() string {
	again := "`esd state rebuild` makes it anew; `esd state push --force FILE` puts a copy back"
	switch {
	case errors.Is(e.Err, state.ErrTooLarge):
		return e.Err.Error()
	case errors.Is(e.Err, state.ErrForeign):
		again = "if it is the right place, " + again
	}
	return e.Err.Error() + "; " + again
}

// Unwrap returns what is wrong.
func (e *UnreadableError) Unwrap() error { return e.Err }

// Unreadable makes of an error in reading what is recorded an *UnreadableError,
// where the document is the reason. One that a newer esd has written is no such
// reason: it is in order.
func Unreadable(err error) error {
	var format *state.FormatError
	if errors.As(err, &format) || errors.Is(err, state.ErrForeign) {
		return &UnreadableError{err}
	}
	return err
}

// LockIDError says that the lock which is held is not the one to be broken.
type LockIDError struct {
	// ID is the one that was asked for.
	ID string
	// Holder is who has the lock.
	Holder LockInfo
}

// Error names both IDs.
func (e *LockIDError) Error() string {
	return fmt.Sprintf("the lock to break is %s, but the lock that is held is %s (%s, %q); it was left alone",
		e.ID, e.Holder.ID, e.Holder.Who, e.Holder.Operation)
}
