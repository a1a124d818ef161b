package view

import (
	"fmt"
	"strings"
	"time"
)

// region is what stands below the finished lines: a row for each running
// step and one for the whole run. No row fills the terminal, so none wraps.
func (l *Live) region(columns, rows int) []string {
	b := &l.board
	if b.started.IsZero() || b.over {
		return nil
	}
	now, room := l.o.Clock.Now(), max(columns, minWidth)-1
	limit := min(maxRows, max(rows-3, 1))
	var frame []string
	for i, r := range b.running {
		if i == limit-1 && len(b.running) > limit {
			frame = append(frame, l.o.cut(fmt.Sprintf("  and %s more running", Number(len(b.running)-i)), room))
			break
		}
		frame = append(frame, l.runningRow(r, now, room))
	}
	if b.notice != "" {
		frame = append(frame, l.o.paint(yellow, l.o.cut(b.notice, room)))
	}
	frame = append(frame, l.wholeRow(now, room))
	return frame[max(len(frame)-max(rows-1, 1), 0):]
}

// runningRow shows a running step: what it does, where, bytes, a bar, elapsed
// time. What has no room is left out, the place first.
func (l *Live) runningRow(r *runningStep, now time.Time, room int) string {
	right := wholeSeconds(now.Sub(r.since))
	if room >= 50 {
		right = strings.Repeat(" ", max(6-len(right), 0)) + right
	}
	switch {
	case r.retry != "" && room >= 50:
		right = l.o.cut("waiting to try again", room/2) + "  " + right
	case r.total > 0 && room >= 70:
		right = fmt.Sprintf("%s of %s %s %s", Bytes(r.done), Bytes(r.total), l.bar(r.done, r.total, 10), right)
	case r.total > 0 && room >= 36:
		right = fmt.Sprintf("%d%%  %s", min(r.done*100/r.total, 100), right)
	case r.done > 0 && room >= 50:
		right = Bytes(r.done) + "  " + right
	}
	doing, where := stepWords(r.step)
	doing, where = l.o.clean(doing), l.o.clean(where)
	left := room - 4 - displayWidth(stripSequences(right))
	name := l.o.cutMiddle(doing, max(left, 1))
	width := displayWidth(name)
	if spare := left - width - 2; spare >= 12 {
		where = l.o.cutMiddle(where, spare)
		name += "  " + l.o.paint(dim, where)
		width += 2 + displayWidth(where)
	}
	return l.o.paint(cyan, l.o.pick(">", "▸")) + " " + name + strings.Repeat(" ", max(left-width, 0)+2) + right
}

// wholeRow shows the run: a bar, counts, elapsed time, time left.
func (l *Live) wholeRow(now time.Time, room int) string {
	b := &l.board
	elapsed := wholeSeconds(now.Sub(b.started))
	short := fmt.Sprintf("%d/%d %s", b.settled(), b.counts.Total, elapsed)
	if room < 40 {
		return l.o.cut(short, room)
	}
	text := fmt.Sprintf("%s, %s", b.tally(), elapsed)
	if left := b.left(now); left != "" {
		text += ", " + left
	}
	bar := l.bar(int64(b.settled()), int64(b.counts.Total), 16)
	text = l.o.cut(text, room-18)
	return bar + "  " + l.o.paint(bold, text)
}

// bar draws how much of a whole is done.
func (l *Live) bar(done, total int64, columns int) string {
	full := 0
	if total > 0 {
		full = int(float64(columns) * min(max(float64(done)/float64(total), 0), 1))
	}
	return l.o.paint(green, strings.Repeat(l.o.pick("#", "━"), full)) +
		l.o.paint(dim, strings.Repeat(l.o.pick(".", "─"), columns-full))
}
