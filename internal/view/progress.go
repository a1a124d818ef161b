package view

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"esd/internal/apply"
	"esd/internal/plan"
)

// Progress follows a run. Its Event can be given to [apply.Run]. Stop ends it,
// waits for its goroutine, and reports the first error of writing; calling it
// again does nothing.
type Progress interface {
	Event(apply.Event)
	Stop() error
}

// Clock is where the followers of a run get the time from. The zero value is
// the real one.
type Clock struct {
	Now func() time.Time
	// Ticks returns a channel that delivers every d, and what ends it.
	Ticks func(d time.Duration) (ticks <-chan time.Time, stop func())
}

func (c Clock) orReal() Clock {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Ticks == nil {
		c.Ticks = func(d time.Duration) (<-chan time.Time, func()) {
			t := time.NewTicker(d)
			return t.C, t.Stop
		}
	}
	return c
}

// heartbeat is how often a run is told of where nobody watches it.
const heartbeat = time.Minute

// pulse calls a function at each tick, in a goroutine of its own, until it is
// stopped.
type pulse struct {
	quit, ended chan struct{}
	stopTicks   func()
}

func startPulse(c Clock, every time.Duration, beat func()) *pulse {
	ticks, stop := c.Ticks(every)
	p := &pulse{make(chan struct{}), make(chan struct{}), stop}
	go func() {
		defer close(p.ended)
		for {
			select {
			case <-p.quit:
				return
			case <-ticks:
				beat()
			}
		}
	}()
	return p
}

// stop returns when the goroutine has ended.
func (p *pulse) stop() {
	close(p.quit)
	<-p.ended
	p.stopTicks()
}

// board is what a follower knows of a run.
type board struct {
	started time.Time
	seen    time.Time // when counts were told
	counts  apply.Counts
	running []*runningStep // in the order in which they started
	notice  string         // that the run is being stopped
	over    bool
}

type runningStep struct {
	step        *plan.Step
	since       time.Time
	done, total int64
	retry       string // why it is tried again
	told        time.Time
}

// see takes note of an event.
func (b *board) see(e apply.Event) {
	b.counts, b.seen = e.Counts, e.Time
	switch e.Kind {
	case apply.RunStarted:
		b.started = e.Time
	case apply.StepStarted:
		b.running = append(b.running, &runningStep{step: e.Step, since: e.Time, told: e.Time})
	case apply.StepProgress:
		if r := b.find(e.Step); r != nil {
			r.done, r.total, r.retry = e.Bytes, e.TotalBytes, ""
		}
	case apply.StepRetried:
		if r := b.find(e.Step); r != nil {
			r.done, r.total, r.retry = 0, 0, firstLine(e.Err)
		}
	case apply.StepDone, apply.StepFailed:
		for i, r := range b.running {
			if r.step.ID == e.Step.ID {
				b.running = append(b.running[:i:i], b.running[i+1:]...)
				break
			}
		}
	case apply.Draining:
		b.notice = "interrupted: waiting for the running steps; interrupt again to end them"
		if e.Err != nil { // nobody has interrupted it
			b.notice = "ending early because " + firstLine(e.Err) + ": waiting for the running steps; interrupt to end them"
		}
	case apply.Stopping:
		b.notice = "interrupted: ending the running steps"
	case apply.RunDone:
		b.over = true
	case apply.StepSkipped:
	}
}

func (b *board) find(s *plan.Step) *runningStep {
	for _, r := range b.running {
		if r.step.ID == s.ID {
			return r
		}
	}
	return nil
}

// left says how much time is left; empty if nobody knows.
func (b *board) left(now time.Time) string {
	if b.counts.Remaining < 0 {
		return ""
	}
	d := b.counts.Remaining - now.Sub(b.seen)
	switch {
	case d < 10*time.Second:
		return "a few seconds left"
	case d > 10*time.Minute:
		d = d.Round(time.Minute)
		return "about " + strings.TrimSuffix(wholeSeconds(d), "00s") + " left"
	}
	return "about " + wholeSeconds(d) + " left"
}

// settled is the number of steps that will not be looked at again.
func (b *board) settled() int { return b.counts.Done + b.counts.Failed + b.counts.Skipped }

// tally says in words how far the run is.
func (b *board) tally() string {
	s := fmt.Sprintf("%s of %s done", Number(b.counts.Done), Number(b.counts.Total))
	if b.counts.Failed > 0 {
		s += fmt.Sprintf(", %s failed", Number(b.counts.Failed))
	}
	if b.counts.Skipped > 0 {
		s += fmt.Sprintf(", %s skipped", Number(b.counts.Skipped))
	}
	return s
}

// skipped collects steps that were skipped because of the same one, which are
// told of together.
type skipped struct {
	because string
	first   *plan.Step
	n       int
	others  bool // steps of other objects than that of the cause are among them
}

// takes reports whether the event goes into the same heap.
func (s *skipped) takes(e apply.Event) bool {
	return e.Kind == apply.StepSkipped && (s.n == 0 || s.because == e.Because)
}

func (s *skipped) add(e apply.Event) {
	if s.n == 0 {
		s.because, s.first = e.Because, e.Step
	}
	s.n++
	s.others = s.others || e.Step.Address != objectOf(e.Because)
}

// text says what was skipped and because of what; what stands behind the
// subject is the caller's.
func (s *skipped) text(verb string) string {
	subject, needs := shortName(s.first.Address), "it needs"
	if s.n > 1 {
		subject, needs = Plural(s.n, "step"), "they need"
	}
	switch {
	case s.because == "":
		return subject + verb + ": the run was stopped"
	case !s.others && s.n > 1:
		return fmt.Sprintf("%s of %s%s: its %s failed", subject, shortName(s.first.Address), verb, operationOf(s.because))
	case !s.others:
		return fmt.Sprintf("%s%s: its %s failed", subject, verb, operationOf(s.because))
	}
	return fmt.Sprintf("%s%s: %s %s, which failed", subject, verb, needs, shortName(objectOf(s.because)))
}

// objectOf is the address within the identity of a step.
func objectOf(stepID string) string {
	if i := strings.LastIndexByte(stepID, '#'); i > 0 {
		return stepID[:i]
	}
	return stepID
}

// operationOf is the operation within the identity of a step.
func operationOf(stepID string) string {
	if i := strings.LastIndexByte(stepID, '#'); i > 0 {
		return stepID[i+1:]
	}
	return "step"
}

// reasonOf says why a step failed. What the second interrupt ended has not
// failed by itself, and what the machinery says of that tells nobody anything.
func reasonOf(err error) string {
	switch {
	case err == nil:
		return "no reason was given"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	}
	return err.Error()
}

// firstLine is the first line of the reason.
func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(reasonOf(err)), "\n")
	return line
}

// stepWords says what a step does, and of what that is a part or a change: the
// environment for a package, whose name and hash are said already.
func stepWords(s *plan.Step) (doing, where string) {
	if environment, name := placeOf(s.Kind, s.Address); environment != "" {
		verb := s.Op
		if verb == "sources" {
			verb = "sources of"
		}
		return verb + " " + name, environment
	}
	if s.Title == "" {
		return s.Op, s.Address
	}
	return s.Title, s.Address
}

// shortName is an object in a sentence about a step: a package of an environment
// by its name and hash.
func shortName(address string) string {
	_, name := placeOf(packageKind, address)
	return name
}
