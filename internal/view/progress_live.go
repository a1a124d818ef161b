package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"esd/internal/apply"
)

// frameTime is the time between two frames at the least.
const frameTime = 100 * time.Millisecond

// maxRows is how many running steps are drawn.
const maxRows = 12

// Control sequences of ECMA-48 and DEC's VT220 that every terminal of today
// knows.
const (
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
	eraseRight = "\x1b[K"
	eraseBelow = "\x1b[J"
)

// LiveOptions is what a live region needs beside a writer.
type LiveOptions struct {
	Options
	// Size asks the terminal for its columns and rows before each frame, so
	// that a new size needs no signal; nil or 0 is unknown.
	Size  func() (columns, rows int)
	Clock Clock
}

// Live follows a run on a terminal: finished steps scroll up, one line each;
// below them stands a region with the running steps and the whole run, drawn
// again at most ten times a second and only where something changed.
type Live struct {
	o LiveOptions
	w io.Writer

	mu      sync.Mutex
	board   board
	skips   skipped
	scroll  []string // finished lines that are not written yet
	frame   []string // what stands in the region
	columns int      // the width for which frame was made
	hidden  bool     // the cursor
	err     error
	pulse   *pulse
}

// NewLive returns a follower that draws on the terminal w.
func NewLive(w io.Writer, o LiveOptions) *Live {
	o.Clock = o.Clock.orReal()
	l := &Live{o: o, w: w}
	l.pulse = startPulse(o.Clock, frameTime, l.tick)
	return l
}

// Event takes note of an event; the next frame shows it.
func (l *Live) Event(e apply.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.skips.takes(e) {
		l.flushSkips()
	}
	l.board.see(e)
	switch e.Kind {
	case apply.StepDone:
		sign, note := l.o.paint(green, l.o.pick("+", "✓")), ""
		if e.Reused {
			sign, note = l.o.paint(blue, "="), "reused, "
		}
		l.finished(sign, e, note+Duration(e.Elapsed))
	case apply.StepFailed:
		l.finished(l.o.paint(boldRed, l.o.pick("x", "✗")), e, fmt.Sprintf("failed after %s: %s", Duration(e.Elapsed), firstLine(e.Err)))
	case apply.StepRetried:
		l.finished(l.o.paint(yellow, l.o.pick("r", "↻")), e, fmt.Sprintf("again in %s: %s", Duration(e.Wait), firstLine(e.Err)))
	case apply.StepSkipped:
		l.skips.add(e)
	case apply.RunStarted, apply.StepStarted, apply.StepProgress, apply.Draining, apply.Stopping, apply.RunDone:
	}
}

// finished adds a line above the region. It may be longer than the terminal
// is wide: it is never drawn again.
func (l *Live) finished(sign string, e apply.Event, text string) {
	doing, where := stepWords(e.Step)
	l.scroll = append(l.scroll, fmt.Sprintf("%s %s  %s  %s", sign, l.o.clean(doing), l.o.paint(dim, l.o.clean(where)), l.o.clean(text)))
}

func (l *Live) flushSkips() {
	if l.skips.n > 0 {
		l.scroll = append(l.scroll, l.o.paint(yellow, "-")+" "+l.o.clean(l.skips.text(" skipped")))
		l.skips = skipped{}
	}
}

func (l *Live) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	columns, rows := l.size()
	l.draw(l.region(columns, rows), columns)
}

func (l *Live) size() (columns, rows int) {
	if l.o.Size != nil {
		columns, rows = l.o.Size()
	}
	if columns <= 0 {
		columns = l.o.Width
	}
	if columns <= 0 {
		columns = 80
	}
	if rows <= 0 {
		rows = 24
	}
	return columns, rows
}

// draw replaces the region in one write, finished lines above it.
func (l *Live) draw(frame []string, columns int) {
	same := slices.Equal(frame, l.frame) && (columns == l.columns || len(frame) == 0)
	if l.err != nil || len(l.scroll) == 0 && same {
		return
	}
	var b strings.Builder
	if !l.hidden {
		b.WriteString(hideCursor)
		l.hidden = true
	}
	if up := l.height(columns); up > 0 {
		fmt.Fprintf(&b, "\r\x1b[%dA", up)
	}
	if columns != l.columns || len(l.scroll) > 0 {
		b.WriteString(eraseBelow)
	}
	for _, line := range l.scroll {
		b.WriteString(line + "\r\n") // may wrap, so nothing is erased behind it
	}
	for _, line := range frame {
		b.WriteString(line + eraseRight + "\r\n")
	}
	b.WriteString(eraseBelow)
	l.scroll, l.frame, l.columns = nil, frame, columns
	_, l.err = io.WriteString(l.w, b.String())
}

// height is how many rows the region takes on a terminal that has become
// columns wide: terminals wrap again what they show when they get narrower.
func (l *Live) height(columns int) int {
	n := 0
	for _, line := range l.frame {
		n += max((displayWidth(stripSequences(line))+columns-1)/columns, 1)
	}
	return n
}

// Stop draws what is left to say, takes the region away and gives the cursor
// back.
func (l *Live) Stop() error {
	l.mu.Lock()
	p := l.pulse
	l.pulse = nil
	l.mu.Unlock()
	if p != nil {
		p.stop()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushSkips()
	columns, _ := l.size()
	l.draw(nil, columns)
	if l.hidden {
		l.hidden = false
		_, err := io.WriteString(l.w, showCursor)
		if l.err == nil {
			l.err = err
		}
	}
	return l.err
}
