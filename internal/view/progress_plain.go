package view

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"esd/internal/apply"
)

// maxNamed is how many running steps a heartbeat names.
const maxNamed = 4

// maxFailedReason is how much of an error the line of its step has, in columns.
const maxFailedReason = 72

// Plain follows a run where nothing can be drawn again, as in the log of a CI
// job: one line for each step when it has ended, and a heartbeat each minute
// that says what runs. Steps that start are not told of: the heartbeat names
// those that take long.
type Plain struct {
	o     Options
	w     io.Writer
	clock Clock

	mu    sync.Mutex
	board board
	skips skipped
	err   error
	pulse *pulse
}

// NewPlain returns a follower that writes to w.
func NewPlain(w io.Writer, o Options, c Clock) *Plain {
	f := &Plain{o: o, w: w, clock: c.orReal()}
	f.pulse = startPulse(f.clock, heartbeat, f.beat)
	return f
}

// Event writes what there is to say of an event.
func (f *Plain) Event(e apply.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.skips.takes(e) {
		f.flushSkips()
	}
	f.board.see(e)
	switch e.Kind {
	case apply.RunStarted:
		if e.Counts.Total > 0 { // adoptions are no steps
			f.say("Applying " + Plural(e.Counts.Total, "step") + ".")
		}
	case apply.StepDone:
		text := Duration(e.Elapsed)
		if e.Reused {
			text += ", reused"
		}
		f.step(e, "", plain, text)
	case apply.StepFailed:
		// The summary has all of it, and the path of the log.
		text := fmt.Sprintf("after %s: %s", Duration(e.Elapsed), f.o.cut(f.o.clean(firstLine(e.Err)), maxFailedReason))
		f.step(e, "FAILED", boldRed, text)
	case apply.StepRetried:
		f.step(e, "retry", yellow, fmt.Sprintf("in %s: %s", Duration(e.Wait), firstLine(e.Err)))
	case apply.StepSkipped:
		f.skips.add(e)
	case apply.Draining, apply.Stopping:
		f.say(f.o.paint(yellow, "The run is "+f.board.notice+"."))
	case apply.StepStarted, apply.StepProgress, apply.RunDone:
	}
}

// step writes the line of a step; the word says what is not as it should be.
func (f *Plain) step(e apply.Event, word string, c color, text string) {
	doing, where := stepWords(e.Step)
	if word != "" {
		word = f.o.paint(c, word) + " "
	}
	f.say(fmt.Sprintf("%s %s%s  %s  %s", f.position(), word, f.o.clean(doing), f.o.clean(where), f.o.clean(text)))
}

// position says how many steps are behind.
func (f *Plain) position() string {
	total := fmt.Sprint(f.board.counts.Total)
	return fmt.Sprintf("[%*d/%s]", len(total), f.board.settled(), total)
}

func (f *Plain) flushSkips() {
	if f.skips.n > 0 {
		f.say(fmt.Sprintf("%s %s %s", f.position(), f.o.paint(yellow, "skipped"), f.o.clean(f.skips.text(""))))
		f.skips = skipped{}
	}
}

// beat says how the whole run stands.
func (f *Plain) beat() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.board.started.IsZero() || f.board.over {
		return
	}
	f.flushSkips()
	now := f.clock.Now()
	parts := []string{f.board.tally()}
	if n := len(f.board.running); n > 0 {
		var names []string
		for _, r := range f.board.running {
			doing, _ := stepWords(r.step)
			names = append(names, fmt.Sprintf("%s (%s)", f.o.clean(doing), wholeSeconds(now.Sub(r.since))))
		}
		parts = append(parts, fmt.Sprintf("%s running: %s", Number(n), fewOf(names, maxNamed)))
	}
	if left := f.board.left(now); left != "" {
		parts = append(parts, left)
	}
	f.say(f.o.paint(dim, fmt.Sprintf("-- %s: %s", wholeSeconds(now.Sub(f.board.started)), strings.Join(parts, "; "))))
}

// say writes a line at once.
func (f *Plain) say(line string) {
	if f.err == nil {
		_, f.err = io.WriteString(f.w, strings.TrimRight(line, " ")+"\n")
	}
}

// Stop ends the heartbeat.
func (f *Plain) Stop() error {
	f.mu.Lock()
	p := f.pulse
	f.pulse = nil
	f.mu.Unlock()
	if p != nil {
		p.stop()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flushSkips()
	return f.err
}
