package backend

import (
	"fmt"
	"strings"
	"time"
)

// LockedError says who holds the lock.
type LockedError struct {
	// Location is the path or URL of the state.
	Location string
	// Holder is what the holder said of itself. It is zero while the holder has
	// the lock but has not written its name yet.
	Holder LockInfo
	// Looked is when that was, by the clock of whoever looked; zero where nobody
	// said. It only turns times into words.
	Looked time.Time
	// Timeout is for how long it is waited for in all; 0 where it is not, or only
	// until it shows whether the holder lives.
	Timeout time.Duration
}

// Error names the holder, what is known of it and what can be done.
func (e *LockedError) Error() string {
	if e.Holder.ID == "" {
		return fmt.Sprintf("the state %s is locked by another process, which has not said who it is yet; try again", e.Location)
	}
	h := e.Holder
	var b strings.Builder
	fmt.Fprintf(&b, "the state %s is locked by %s for %q", e.Location, h.name(), h.Operation)
	if !h.Created.IsZero() { // not every server keeps that
		b.WriteString(" since " + h.Created.UTC().Format(time.RFC3339))
	}
	b.WriteString(", lock ID " + h.ID)
	if words := h.Lease.Words(e.Looked); words != "" {
		b.WriteString("; " + words)
	}
	wait := "wait for"
	if e.Timeout > 0 {
		wait = "wait longer for"
	}
	if h.Lease.Duration > 0 && h.Lease.Verdict != Alive {
		fmt.Fprintf(&b, "; %s that (--lock-timeout), or `esd force-unlock %s` when that run is surely over", wait, h.ID)
	} else {
		fmt.Fprintf(&b, "; %s it (--lock-timeout) or, when that run is surely over, `esd force-unlock %s`", wait, h.ID)
	}
	return b.String()
}

// Running names the holder, and what it does since when.
func (i LockInfo) Running() string {
	if i.ID == "" {
		return "another process, which has not said who it is yet"
	}
	text := fmt.Sprintf("%s runs %q", i.name(), i.Operation)
	if !i.Created.IsZero() {
		text += " since " + i.Created.UTC().Format(time.RFC3339)
	}
	return text
}

// name is who that is: user and host, process and job.
func (i LockInfo) name() string {
	text := i.Who
	if p, ok := i.Process(); ok {
		if p.PID != 0 {
			text += fmt.Sprintf(" (process %d)", p.PID)
		}
		if p.Job != "" {
			text += " in " + p.Job
		}
	}
	return text
}

// Words says of a lease what people want to know: when the holder was last
// heard of, and when the lock is free if it stays silent. now is the clock of
// whoever looks; zero leaves out what would need one. A lock without a lease has
// nothing to say.
func (l Lease) Words(now time.Time) string {
	silent := l.Silent.Round(time.Second)
	switch {
	case l.Duration <= 0:
		return ""
	case l.Verdict == Dead && silent > 0 && l.Silent >= l.Duration:
		return fmt.Sprintf("it is dead: it was silent for %s, which is all of its lease", silent)
	case l.Verdict == Dead:
		return "it is dead, so that its lock can be taken over"
	case l.Verdict == Undecided && silent > 0:
		return fmt.Sprintf("it has been silent for %s while it was watched; if it stays so, its lock is taken over in %s", silent, l.left())
	case l.Verdict == Undecided:
		return "whether it still runs is not known yet" + l.lastHeard(now) + fmt.Sprintf("; one that is silent for %s loses its lock", l.Duration)
	}
	return "it runs" + l.lastHeard(now)
}

// left is how long it takes until a holder that stays silent loses its lock.
func (l Lease) left() time.Duration {
	return max(l.Duration-l.Silent, 0).Round(time.Second)
}

// lastHeard tells of the last heartbeat. Clocks differ: where the difference
// makes no sense, there is only the time itself to tell.
func (l Lease) lastHeard(now time.Time) string {
	ago := now.Sub(l.Renewed)
	switch {
	case l.Renewed.IsZero():
		return ""
	case now.IsZero() || ago < -time.Second || ago > 10*l.Duration:
		return " (last heartbeat " + l.Renewed.UTC().Format(time.RFC3339) + ")"
	case ago < time.Second:
		return " (last heartbeat just now)"
	}
	return fmt.Sprintf(" (last heartbeat %s ago)", ago.Round(time.Second))
}

// Sightings remember what was seen of the lease of one holder after another, to
// say for how long it has been silent. Only differences of one clock count. The
// zero value has seen nothing.
type Sightings struct {
	id      string
	renewed time.Time
	since   time.Time
}

// Note completes what is known of a holder that was seen just now.
func (s *Sightings) Note(holder *LockInfo, now time.Time) {
	if holder.ID != s.id || !holder.Lease.Renewed.Equal(s.renewed) {
		s.id, s.renewed, s.since = holder.ID, holder.Lease.Renewed, now
	}
	if holder.Lease.Silent == 0 && holder.Lease.Duration > 0 && !holder.Lease.Renewed.IsZero() {
		holder.Lease.Silent = now.Sub(s.since)
	}
}
