package workspace

import (
	"context"
	"time"

	"esd/internal/state/backend"
)

// LockStatus is what is known of the lock of a state.
type LockStatus struct {
	// Location is the path or URL of the state.
	Location string
	// Holder is nil where the lock is free. Its lease says what is known of it.
	Holder *backend.LockInfo
	// Looked is when that was.
	Looked time.Time
}

// WatchLock says how long the holder of a lock is looked at.
type WatchLock struct {
	// For is how long to watch a holder of which it is not known whether it
	// lives: 0 only looks; negative is as long as a living one needs to show
	// that it does.
	For time.Duration
	// Watching is told when the watch begins.
	Watching func(LockStatus)
}

// LockStatus looks at the lock of the state and changes nothing. A holder of which it
// is not known whether it lives is watched: it renews its lease, or it does not.
func (w *Workspace) LockStatus(ctx context.Context, opts WatchLock) (LockStatus, error) {
	var sightings backend.Sightings
	status, err := w.look(ctx, &sightings)
	if err != nil || status.Holder == nil || status.Holder.Lease.Verdict != backend.Undecided || opts.For == 0 {
		return status, err
	}
	if opts.Watching != nil {
		opts.Watching(status)
	}
	id, lease := status.Holder.ID, status.Holder.Lease.Duration
	limit := opts.For
	if limit < 0 { // a heartbeat comes four times in a lease
		limit = lease/3 + time.Second
	}
	end := time.After(min(limit, lease+time.Second))
	ticker := time.NewTicker(min(max(lease/40, 50*time.Millisecond), time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return status, context.Cause(ctx)
		case <-end:
			return status, nil
		case <-ticker.C:
		}
		if status, err = w.look(ctx, &sightings); err != nil || status.Holder == nil || status.Holder.ID != id || status.Holder.Lease.Verdict != backend.Undecided {
			return status, err
		}
	}
}

// look looks once.
func (w *Workspace) look(ctx context.Context, sightings *backend.Sightings) (LockStatus, error) {
	holder, err := w.Backend.Holder(ctx)
	status := LockStatus{Location: w.location(), Holder: holder, Looked: w.opts.Now()}
	if err != nil || holder == nil {
		return status, err
	}
	// Where a lock ends with its process, a dead one may be seen all the same.
	if holder.Lease.Duration == 0 && holder.Neighbour() && holder.Dead() {
		holder.Lease.Verdict = backend.Dead
	}
	sightings.Note(holder, time.Now())
	return status, nil
}

// location names the place of the state, whether there is one or not.
func (w *Workspace) location() string {
	if r, ok := w.Backend.(*remembering); ok {
		return r.nameOf("")
	}
	return ""
}
