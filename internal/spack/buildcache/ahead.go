package buildcache

import (
	"io"
	"sync"
)

const (
	aheadBuffers = 4
	aheadSize    = 256 << 10
)

// aheadReader reads in a goroutine of its own, so that receiving and verifying an index
// and parsing it go on at the same time. Its buffers go round.
type aheadReader struct {
	full  chan chunk
	empty chan []byte
	stop  chan struct{}
	done  sync.WaitGroup
	now   []byte // rest of the chunk that is being read
	buf   []byte
	err   error
}

type chunk struct {
	data []byte
	err  error
}

func readAhead(r io.Reader) *aheadReader {
	a := &aheadReader{full: make(chan chunk, aheadBuffers), empty: make(chan []byte, aheadBuffers), stop: make(chan struct{})}
	for range aheadBuffers {
		a.empty <- make([]byte, aheadSize)
	}
	a.done.Go(func() { a.fill(r) })
	return a
}

func (a *aheadReader) fill(r io.Reader) {
	for {
		select {
		case <-a.stop:
			return
		case buf := <-a.empty:
			n, err := fillBuffer(r, buf)
			select {
			case a.full <- chunk{buf[:n], err}:
			case <-a.stop:
				return
			}
			if err != nil {
				return
			}
		}
	}
}

// fillBuffer is io.ReadFull that tells the end from a connection that was cut.
func fillBuffer(r io.Reader, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	return n, err
}

// Read implements io.Reader.
func (a *aheadReader) Read(p []byte) (int, error) {
	for len(a.now) == 0 {
		if a.err != nil {
			return 0, a.err
		}
		if a.buf != nil {
			a.empty <- a.buf
		}
		c := <-a.full
		a.now, a.buf, a.err = c.data, c.data[:cap(c.data)], c.err
	}
	n := copy(p, a.now)
	a.now = a.now[n:]
	return n, nil
}

// Close ends the goroutine, once the read that it is in ends.
func (a *aheadReader) Close() error {
	close(a.stop)
	a.done.Wait()
	return nil
}
