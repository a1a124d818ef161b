package graph

import (
	"errors"
	"fmt"
	"strings"
)

// Status is what became of a node in a walk.
type Status int

// The zero value is that of a node the walk did not come to.
const (
	NotStarted Status = iota // the walk ended early
	Done                     // fn returned nil
	Failed                   // fn returned an error
	Canceled                 // fn returned the error of its context
	Skipped                  // a node that it depends on failed
)

// String returns the status in words.
func (s Status) String() string {
	switch s {
	case NotStarted:
		return "not started"
	case Done:
		return "done"
	case Failed:
		return "failed"
	case Canceled:
		return "canceled"
	case Skipped:
		return "skipped"
	}
	return fmt.Sprintf("Status(%d)", int(s))
}

// Outcome is what became of a node in a walk, and why.
type Outcome struct {
	Status Status
	// Err is what fn returned. It is nil unless fn was called.
	Err error
	// Cause is the failed node because of which this one was skipped: that
	// which failed itself, and of several the one with the least id. It is -1
	// for a node that was not skipped.
	Cause int
}

// Why a walk ended early, other than the cause of its context.
var (
	// ErrDrained: its Drain channel was closed.
	ErrDrained = errors.New("no more was to be started")
	// ErrFailFast: a node failed, and FailFast was set.
	ErrFailFast = errors.New("another node failed")
)

// WalkError says that a walk did not get all nodes done. It wraps the error of
// the first failed node and what ended the walk early.
type WalkError struct {
	Total, Failed, Canceled, Skipped, NotStarted int // numbers of nodes
	// Node is the id of the first failed node in the order of the graph, and
	// Err its error. Err is nil when none failed.
	Node string
	Err  error
	// Ended is why the walk ended early, or nil when it did not.
	Ended error
}

// Error counts the nodes by their status and quotes the first failure.
func (e *WalkError) Error() string {
	var counts []string
	for _, c := range []struct {
		n    int
		text string
	}{{e.Failed, "failed"}, {e.Skipped, "skipped"}, {e.Canceled, "canceled"}, {e.NotStarted, "not started"}} {
		if c.n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", c.n, c.text))
		}
	}
	text := fmt.Sprintf("%s, of %d", strings.Join(counts, ", "), e.Total)
	if e.Err != nil {
		text += fmt.Sprintf("; %s: %v", e.Node, e.Err)
	}
	if e.Ended != nil {
		text += fmt.Sprintf("; ended early: %v", e.Ended)
	}
	return text
}

// Unwrap returns the error of the first failed node and what ended the walk.
func (e *WalkError) Unwrap() []error {
	var wrapped []error
	for _, err := range []error{e.Err, e.Ended} {
		if err != nil {
			wrapped = append(wrapped, err)
		}
	}
	return wrapped
}

// err summarizes the outcomes.
func (w *walk) err() error {
	e := &WalkError{Total: w.d.Len()}
	for _, node := range w.d.order {
		switch o := w.outcomes[node]; o.Status {
		case NotStarted:
			e.NotStarted++
		case Failed:
			if e.Failed++; e.Err == nil {
				e.Node, e.Err = w.d.ID(node), o.Err
			}
		case Canceled:
			e.Canceled++
		case Skipped:
			e.Skipped++
		}
	}
	if e.NotStarted+e.Failed+e.Canceled+e.Skipped == 0 {
		return nil
	}
	if e.NotStarted+e.Canceled > 0 {
		w.stopping() // the context may have ended after the last start
		e.Ended = w.stopped
	}
	return e
}
