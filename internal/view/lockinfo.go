package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"esd/internal/state/backend"
)

// LockReport is what is known of the lock of a state.
type LockReport struct {
	// Location is the path or URL of the state.
	Location string
	// Holder is nil where the lock is free.
	Holder *backend.LockInfo
	// Looked is when that was, by the clock of this machine.
	Looked time.Time
}

// Lock writes who holds a lock, and what is known of the holder.
func Lock(w io.Writer, r LockReport, o Options) error {
	if r.Holder == nil {
		return Text(w, "The state is not locked.", o)
	}
	h := r.Holder
	p, _ := h.Process()
	t := NewTable()
	row := func(name, text string) {
		if text != "" {
			t.Row("  "+name, text)
		}
	}
	row("state", r.Location)
	row("holder", h.Who+processOf(p))
	row("operation", h.Operation+versionOf(h.Version))
	row("job", p.Job)
	row("since", timeAgo(h.Created, r.Looked, 0))
	row("lease", leaseOf(h, r.Looked))
	row("verdict", Verdict(h, r.Looked))
	row("lock ID", h.ID)
	if err := Text(w, "The state is locked.", o); err != nil {
		return err
	}
	return t.Write(w, o)
}

func processOf(p backend.Process) string {
	if p.PID == 0 {
		return ""
	}
	return fmt.Sprintf(", process %d", p.PID)
}

func versionOf(version string) string {
	if version == "" {
		return ""
	}
	return ", esd " + version
}

// leaseOf says for how long the lock is lent, and when it was last renewed.
func leaseOf(h *backend.LockInfo, now time.Time) string {
	l := h.Lease
	switch {
	case l.Duration == 0 && h.Neighbour():
		return "none: it ends with its process, which runs on this machine"
	case l.Duration == 0:
		return "none: the lock stays until it is given back, or taken away with `esd force-unlock`"
	}
	parts := []string{l.Duration.String()}
	if !l.Renewed.IsZero() {
		parts = append(parts, "last heartbeat "+timeAgo(l.Renewed, now, 10*l.Duration))
	}
	if !l.Expires.IsZero() {
		parts = append(parts, "expires "+l.Expires.UTC().Format(time.RFC3339)+" if no other follows")
	}
	return strings.Join(parts, "; ")
}

// Verdict says in words whether the holder of a lock still runs.
func Verdict(h *backend.LockInfo, now time.Time) string {
	switch words := h.Lease.Words(now); {
	case whyDead(h) == "process gone":
		return "it is dead: its process is gone; the next command that locks takes the lock over"
	case words != "":
		return words
	case h.Lease.Verdict == backend.Dead:
		return "it is dead: its connection is gone; the next command that locks takes the lock over"
	case h.Neighbour():
		return "it runs"
	}
	return "not known: there is no lease, so that nothing shows whether it still runs"
}

// timeAgo is a time and how long ago that is. Clocks differ: what makes no sense
// is left out, and so is what is longer ago than most, if that is not 0.
func timeAgo(t, now time.Time, most time.Duration) string {
	if t.IsZero() {
		return ""
	}
	text, ago := t.UTC().Format(time.RFC3339), now.Sub(t)
	if ago < 0 || most > 0 && ago > most {
		return text
	}
	return text + " (" + ago.Round(time.Second).String() + " ago)"
}

// lockDocument is the machine form of a LockReport.
type lockDocument struct {
	FormatVersion string      `json:"format_version"`
	Locked        bool        `json:"locked"`
	Location      string      `json:"location,omitempty"`
	Holder        *lockHolder `json:"holder,omitempty"`
}

type lockHolder struct {
	ID        string    `json:"id"`
	Who       string    `json:"who"`
	Host      string    `json:"host"`
	Operation string    `json:"operation"`
	Version   string    `json:"version"`
	Created   string    `json:"created"`
	PID       int       `json:"pid,omitempty"`
	Job       string    `json:"job,omitempty"`
	Verdict   string    `json:"verdict"`
	Why       string    `json:"why,omitempty"`
	Lease     *lockTime `json:"lease,omitempty"`
}

type lockTime struct {
	Seconds float64 `json:"seconds"`
	Renewed string  `json:"renewed,omitempty"`
	Expires string  `json:"expires,omitempty"`
	Silent  float64 `json:"silent_seconds"`
}

// LockJSON writes what is known of a lock as one JSON document. The verdict is
// alive, dead or unknown; of a dead one it says why that is known.
func LockJSON(w io.Writer, r LockReport) error {
	d := lockDocument{FormatVersion: FormatVersion, Locked: r.Holder != nil, Location: r.Location}
	if h := r.Holder; h != nil {
		p, _ := h.Process()
		d.Holder = &lockHolder{
			ID: h.ID, Who: h.Who, Host: h.Host(), Operation: h.Operation, Version: h.Version, Created: stamp(h.Created),
			PID: p.PID, Job: p.Job, Verdict: verdictWord(h), Why: whyDead(h),
		}
		if l := h.Lease; l.Duration > 0 {
			d.Holder.Lease = &lockTime{l.Duration.Seconds(), stamp(l.Renewed), stamp(l.Expires), l.Silent.Seconds()}
		}
	}
	return indented(w, d)
}

// whyDead says how it is known that a holder is dead: this machine sees its
// processes, a database its connections, and otherwise the lease says it.
func whyDead(h *backend.LockInfo) string {
	l := h.Lease
	switch {
	case l.Verdict != backend.Dead:
		return ""
	case h.Neighbour() && h.Dead():
		return "process gone"
	case l.Duration > 0 && l.Silent >= l.Duration:
		return "silent for its lease"
	}
	return "connection gone"
}

func verdictWord(h *backend.LockInfo) string {
	switch {
	case h.Lease.Verdict == backend.Dead:
		return "dead"
	case h.Lease.Verdict == backend.Undecided, h.Lease.Duration == 0 && !h.Neighbour():
		return "unknown"
	}
	return "alive"
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
