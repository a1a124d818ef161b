package binary

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"
	"runtime"

	"github.com/klauspost/compress/flate"
)

// gzipWriter compresses blocks side by side into one gzip member, with the end
// of each block as the dictionary of the next. Blocks have a fixed size, so the
// result depends on the input and the level alone. The header is the one that
// Spack writes: no name, no time.
type gzipWriter struct {
	w       io.Writer
	level   int
	block   []byte
	dict    []byte
	pending chan *gzipBlock // in order; bounds what is in work
	done    chan error
	crc     uint32
	size    uint32
	closed  bool
	err     error
}

// gzipBlock is a block that is being compressed.
type gzipBlock struct {
	out   bytes.Buffer
	err   error
	ready chan struct{}
}

const (
	gzipBlockSize = 1 << 20
	gzipWindow    = 32 << 10
)

func newGzipWriter(w io.Writer, level int) (*gzipWriter, error) {
	if _, err := flate.NewWriter(io.Discard, level); err != nil {
		return nil, err
	}
	z := &gzipWriter{w: w, level: level, pending: make(chan *gzipBlock, runtime.GOMAXPROCS(0)), done: make(chan error, 1)}
	go z.collect()
	return z, nil
}

// collect writes finished blocks in order.
func (z *gzipWriter) collect() {
	_, err := z.w.Write([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"))
	for b := range z.pending {
		<-b.ready
		if err == nil {
			err = b.err
		}
		if err == nil {
			_, err = z.w.Write(b.out.Bytes())
		}
	}
	z.done <- err
}

// Write implements io.Writer.
func (z *gzipWriter) Write(p []byte) (int, error) {
	n := len(p)
	z.crc = crc32.Update(z.crc, crc32.IEEETable, p)
	z.size += uint32(n)
	for len(p) > 0 {
		if z.block == nil {
			z.block = make([]byte, 0, gzipBlockSize)
		}
		m := min(len(p), gzipBlockSize-len(z.block))
		z.block = append(z.block, p[:m]...)
		p = p[m:]
		if len(z.block) == gzipBlockSize {
			z.compress(false)
		}
	}
	return n, nil
}

// compress hands a block out.
func (z *gzipWriter) compress(last bool) {
	b := &gzipBlock{ready: make(chan struct{})}
	block, dict := z.block, z.dict
	z.pending <- b
	go func() {
		defer close(b.ready)
		b.err = deflate(&b.out, z.level, dict, block, last)
	}()
	z.dict = block[max(0, len(block)-gzipWindow):]
	z.block = nil
}

func deflate(out io.Writer, level int, dict, block []byte, last bool) error {
	f, err := flate.NewWriterDict(out, level, dict)
	if err != nil {
		return err
	}
	if _, err := f.Write(block); err != nil {
		return err
	}
	if last {
		return f.Close()
	}
	return f.Flush()
}

// Close ends the stream.
func (z *gzipWriter) Close() error {
	z.compress(true)
	if err := z.abandon(); err != nil {
		return err
	}
	tail := binary.LittleEndian.AppendUint32(nil, z.crc)
	_, err := z.w.Write(binary.LittleEndian.AppendUint32(tail, z.size))
	return err
}

// abandon ends the goroutines; what they wrote is of no use without [Close].
func (z *gzipWriter) abandon() error {
	if !z.closed {
		z.closed = true
		close(z.pending)
		z.err = <-z.done
	}
	return z.err
}
