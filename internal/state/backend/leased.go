package backend

import "time"

// Lease is what is known of the lease of a lock at the moment it was looked
// at. A holder renews its lease again and again (its heartbeat); one that was
// silent for the whole of it has lost the lock.
//
// Nobody's clock decides that: whoever wants the lock watches whether the
// lease is renewed, and measures the silence with a clock of its own. The
// times are there for people.
type Lease struct {
	// Duration is how long a silent holder keeps the lock; 0 where the lock
	// has no lease and is taken away by force-unlock only, or where the system
	// frees it when its process ends.
	Duration time.Duration
	// Renewed is the time of the last heartbeat by the clock of whoever keeps
	// the state, or else of the holder. Zero where it is not known.
	Renewed time.Time
	// Expires is when the lock is free if no other heartbeat follows, by the
	// same clock.
	Expires time.Time
	// Silent is for how long whoever looks has seen no sign of life, by its own
	// clock; 0 where it has only begun to look. Acquire fills it in where the
	// backend did not.
	Silent time.Duration
	// Verdict says what watching has shown.
	Verdict Verdict
}

// Verdict is what is known of the holder of a lock.
type Verdict int

const (
	// Alive: a sign of life was seen, or there is no way to see one, so that
	// the lock has to be respected.
	Alive Verdict = iota
	// Undecided: the holder was not watched for long enough.
	Undecided
	// Dead: the holder was silent for the whole lease, or its process is known
	// to be gone.
	Dead
)

// String is a word for people.
func (v Verdict) String() string {
	switch v {
	case Alive:
		return "alive"
	case Undecided:
		return "not known"
	case Dead:
		return "dead"
	}
	return "?"
}
