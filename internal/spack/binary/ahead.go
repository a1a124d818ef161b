package binary

import (
	"context"
	"io"
)

const (
	aheadBuffer  = 512 << 10
	aheadBuffers = 8
	// firstAhead is the size of the first buffer. Most archives have no more in
	// them, and need no goroutine.
	firstAhead = 256 << 10
)

// readAhead reads a stream in a goroutine of its own: decompressing keeps one
// processor busy while files are written by another.
type readAhead struct {
	full chan chunk
	free chan []byte
	stop context.CancelFunc
	cur  []byte // not yet given out
	buf  []byte // that cur is part of
	err  error
}

type chunk struct {
	data []byte
	err  error // of what follows data
}

// newReadAhead reads the beginning of r, and starts a goroutine if that is not
// all. Close has to be called before r is used again.
func newReadAhead(ctx context.Context, r io.Reader) *readAhead {
	first := make([]byte, firstAhead)
	n, err := fill(r, first)
	a := &readAhead{cur: first[:n], err: err}
	if err == nil {
		a.full, a.free = make(chan chunk, aheadBuffers), make(chan []byte, aheadBuffers)
		ctx, a.stop = context.WithCancel(ctx)
		go a.run(ctx, r)
	}
	return a
}

func (a *readAhead) run(ctx context.Context, r io.Reader) {
	defer close(a.full)
	for made := 0; ; {
		var buf []byte
		if made < aheadBuffers && len(a.free) == 0 {
			buf = make([]byte, aheadBuffer)
			made++
		} else {
			select {
			case buf = <-a.free:
			case <-ctx.Done():
				return
			}
		}
		n, err := fill(r, buf)
		select {
		case a.full <- chunk{buf[:n], err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// fill reads until buf is full or there is an error, which it gives unchanged:
// io.ReadFull would hide that a stream was cut short behind an error of its own.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}

// Read implements io.Reader.
func (a *readAhead) Read(p []byte) (int, error) {
	for len(a.cur) == 0 {
		if a.err != nil {
			return 0, a.err
		}
		if a.buf != nil {
			a.free <- a.buf[:aheadBuffer]
			a.buf = nil
		}
		c, ok := <-a.full
		if !ok {
			a.err = context.Canceled
			continue
		}
		a.cur, a.buf, a.err = c.data, c.data, c.err
	}
	n := copy(p, a.cur)
	a.cur = a.cur[n:]
	return n, nil
}

// Close ends the goroutine, if there is one, and waits for it.
func (a *readAhead) Close() {
	if a.full == nil {
		return
	}
	a.stop()
	for range a.full {
	}
}
