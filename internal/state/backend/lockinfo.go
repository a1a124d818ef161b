package backend

import (
	"encoding/json"
	"os"
	"os/user"
	"strings"
	"time"

	"esd/internal/state"
)

// LockInfo says who holds a lock. The seven fields and their names are those of
// Terraform's lock protocol, so that servers and people who know that one can
// read it; GitLab insists on all of them.
type LockInfo struct {
	// ID is a UUID, drawn for this lock.
	ID string
	// Operation is the command: "apply", "state mv".
	Operation string
	// Info is a JSON object: see Process.
	Info string
	// Who is user@host.
	Who string
	// Version is that of the esd which holds the lock.
	Version string
	// Created is when the lock was taken.
	Created time.Time
	// Path is the path or URL of the state. The backend fills it in.
	Path string

	// Lease is what was seen of the lease when the lock was looked at. It is no
	// part of the document.
	Lease Lease `json:"-"`
}

// Process is what Info holds: the process behind a lock.
type Process struct {
	// PID is its number on the host of Who.
	PID int `json:"pid,omitempty"`
	// Start tells it from a later process of that number, where the system can
	// say: the boot and the time of its start. It means nothing elsewhere.
	Start string `json:"start,omitempty"`
	// Space is the PID namespace in which the number means something; two
	// containers of one name have two.
	Space string `json:"space,omitempty"`
	// Job is the address of the CI job that runs it.
	Job string `json:"job,omitempty"`
	// Lease is the duration of the lease in seconds, 0 for none.
	Lease float64 `json:"lease,omitempty"`
}

// LockRequest is what the caller knows about the lock it wants.
type LockRequest struct {
	// Operation is the command: "apply", "state mv".
	Operation string
	// Version of this esd.
	Version string
	// Job is the address of the CI job, if there is one.
	Job string
	// Now is the present time.
	Now time.Time
}

// NewLockInfo returns what this process says of itself when it takes a lock.
func NewLockInfo(r LockRequest) LockInfo {
	pid := os.Getpid()
	info, _ := json.Marshal(Process{PID: pid, Start: ProcessStart(pid), Space: processSpace(), Job: r.Job}) // strings and a number: cannot fail
	return LockInfo{
		ID:        state.NewID(),
		Operation: r.Operation,
		Info:      string(info),
		Who:       userName() + "@" + hostName(),
		Version:   r.Version,
		Created:   r.Now.UTC(),
	}
}

// Process returns the process behind the lock, false when Info does not say.
func (i LockInfo) Process() (Process, bool) {
	var p Process
	err := json.Unmarshal([]byte(i.Info), &p)
	return p, err == nil
}

// WithLease is the lock with a lease of some duration.
func (i LockInfo) WithLease(d time.Duration) LockInfo {
	p, _ := i.Process()
	p.Lease = d.Seconds()
	info, _ := json.Marshal(p)
	i.Info = string(info)
	return i
}

// Host is the host part of Who.
func (i LockInfo) Host() string {
	return i.Who[strings.LastIndexByte(i.Who, '@')+1:]
}

// Dead reports whether the holder surely no longer runs: it was a process of
// this host, and that process is gone. Where the lock can come from elsewhere,
// a host is told by its boot and its process namespace too, as containers may
// share a name: see Neighbour.
func (i LockInfo) Dead() bool {
	p, ok := i.Process()
	return ok && p.PID > 0 && i.Host() == hostName() && (p.Space == "" || p.Space == processSpace()) && !processRuns(p)
}

// Neighbour reports whether the holder is, or was, a process that this one can
// see: of the same host, boot and process namespace. Only then what Dead says
// of a lock that is kept elsewhere can be relied on.
func (i LockInfo) Neighbour() bool {
	p, ok := i.Process()
	boot, _, known := strings.Cut(p.Start, "/")
	own, _, _ := strings.Cut(ProcessStart(os.Getpid()), "/")
	return ok && known && p.PID > 0 && i.Host() == hostName() && boot == own && p.Space == processSpace()
}

func userName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "unknown"
}

func hostName() string {
	if h, err := os.Hostname(); err == nil && h != "" {
		return h
	}
	return "unknown"
}
