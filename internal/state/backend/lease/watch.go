package lease

import (
	"sync"
	"time"

	"esd/internal/state/backend"
)

// Watch remembers what was seen of the holder of one lock. The zero value has
// seen nothing. It may be used by several goroutines.
type Watch struct {
	// Now is the clock, of which only differences count; nil is time.Now, whose
	// differences are those of the monotonic clock.
	Now func() time.Time

	mu       sync.Mutex
	id, sign string
	since    time.Time // when the sign was first seen
	alive    bool      // the sign has changed while it was watched
}

// Look takes note of a sign of the holder with a lock ID, any text that is
// another one after each heartbeat, and says what is known of the holder. A
// duration of 0 is a lock without lease, which has to be respected.
func (w *Watch) Look(id, sign string, duration time.Duration) backend.Verdict {
	if duration <= 0 {
		return backend.Alive
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	switch {
	case id != w.id:
		w.id, w.sign, w.since, w.alive = id, sign, now, false
	case sign != w.sign:
		w.sign, w.since, w.alive = sign, now, true
	}
	switch {
	case now.Sub(w.since) >= duration:
		return backend.Dead
	case w.alive:
		return backend.Alive
	}
	return backend.Undecided
}

// Silence is for how long the present sign has been watched.
func (w *Watch) Silence() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.id == "" {
		return 0
	}
	return w.now().Sub(w.since)
}

func (w *Watch) now() time.Time {
	now := w.Now
	if now == nil {
		now = time.Now
	}
	return now()
}

// LookAt is Look for a holder that may be a process of this machine: whether
// such a process runs is known at once.
func (w *Watch) LookAt(holder backend.LockInfo, sign string) backend.Verdict {
	p, _ := holder.Process()
	verdict := w.Look(holder.ID, sign, time.Duration(p.Lease*float64(time.Second)))
	switch {
	case !holder.Neighbour():
		return verdict
	case holder.Dead():
		return backend.Dead
	case verdict == backend.Undecided:
		return backend.Alive
	}
	return verdict
}
