package sandbox

import (
	"fmt"
	"io"
)

// tailSize is how much of the end of a cut log is kept: a failure stands in the last lines.
const tailSize = 64 << 10

// output forwards what a command prints, up to a limit. It never refuses bytes, so the command is never blocked
// or killed by a full disk or by its own talkativeness.
type output struct {
	w       io.Writer
	head    int64 // bytes that may still be forwarded at once; negative: no limit
	tail    []byte
	tailMax int
	total   int64
	late    int64 // bytes that came after the head was full
	err     error
}

func newOutput(w io.Writer, limit int64) *output {
	if w == nil {
		w = io.Discard
	}
	if limit <= 0 {
		return &output{w: w, head: -1}
	}
	tail := min(limit/4, tailSize)
	return &output{w: w, head: limit - tail, tailMax: int(tail)}
}

// Write forwards the head and remembers the tail. It always takes everything.
func (o *output) Write(p []byte) (int, error) {
	n := len(p)
	o.total += int64(n)
	if o.head < 0 {
		o.forward(p)
		return n, nil
	}
	if o.head > 0 {
		k := min(int64(len(p)), o.head)
		o.forward(p[:k])
		o.head -= k
		p = p[k:]
	}
	o.late += int64(len(p))
	o.keep(p)
	return n, nil
}

// keep appends to the tail. It moves bytes only when twice the tail has come together.
func (o *output) keep(p []byte) {
	if len(p) >= o.tailMax {
		o.tail = append(o.tail[:0], p[len(p)-o.tailMax:]...)
		return
	}
	o.tail = append(o.tail, p...)
	if len(o.tail) > 2*o.tailMax {
		o.tail = append(o.tail[:0], o.tail[len(o.tail)-o.tailMax:]...)
	}
}

func (o *output) forward(p []byte) {
	if o.err != nil || len(p) == 0 {
		return
	}
	if _, err := o.w.Write(p); err != nil {
		o.err = fmt.Errorf("log: %w", err)
	}
}

// close writes what was held back, and where something is missing a line that says how much.
func (o *output) close() (truncated bool) {
	tail := o.tail
	if len(tail) > o.tailMax {
		tail = tail[len(tail)-o.tailMax:]
	}
	if dropped := o.late - int64(len(tail)); dropped > 0 {
		o.forward(fmt.Appendf(nil, "\n[esd: log limit reached, %d bytes dropped here; the last %d bytes follow]\n", dropped, len(tail)))
		truncated = true
	}
	o.forward(tail)
	return truncated
}
