package archive

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// Limits bound what reading an archive may cost. Zero fields mean the default, see
// [DefaultLimits]; negative ones mean no limit.
type Limits struct {
	MaxBytes    int64 // uncompressed, all together
	MaxFiles    int   // entries of any kind
	MaxFileSize int64 // one file
	MaxRatio    int64 // uncompressed to compressed, once more than ratioFrom bytes came out
}

// DefaultLimits are far above what scientific software needs (a CUDA toolkit has
// about 6 GB, a TeX distribution 250,000 files) and far below what hurts a server.
func DefaultLimits() Limits {
	return Limits{MaxBytes: 64 << 30, MaxFiles: 4_000_000, MaxFileSize: 32 << 30, MaxRatio: 500}
}

// ratioFrom is below what an extreme ratio is harmless: files of zeros do exist.
const ratioFrom = 256 << 20

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	pick := func(v *int64, fallback int64) {
		if *v == 0 {
			*v = fallback
		}
	}
	pick(&l.MaxBytes, d.MaxBytes)
	pick(&l.MaxFileSize, d.MaxFileSize)
	pick(&l.MaxRatio, d.MaxRatio)
	if l.MaxFiles == 0 {
		l.MaxFiles = d.MaxFiles
	}
	return l
}

// ErrLimit says that an archive is larger than is accepted.
var ErrLimit = errors.New("archive exceeds a limit")

// ErrUnsafe says that an archive would reach outside the directory it is unpacked to,
// or brings what is never unpacked.
var ErrUnsafe = errors.New("archive is not safe to unpack")

func unsafe(name, why string) error {
	return fmt.Errorf("%w: %q: %s", ErrUnsafe, name, why)
}

// budget counts what an archive has used of its limits.
type budget struct {
	Limits
	files   int
	bytes   int64 // contents of files, as announced
	written int64 // contents of files, as read
	source  *countingReader
}

// file accounts for an entry of the given size before anything of it is read.
func (b *budget) file(name string, size int64) error {
	b.files++
	switch {
	case b.MaxFiles >= 0 && b.files > b.MaxFiles:
		return fmt.Errorf("%w: more than %d entries", ErrLimit, b.MaxFiles)
	case size < 0:
		return unsafe(name, "its size is negative")
	case b.MaxFileSize >= 0 && size > b.MaxFileSize:
		return fmt.Errorf("%w: %q has %d bytes, at most %d are accepted for one file", ErrLimit, name, size, b.MaxFileSize)
	case b.MaxBytes >= 0 && size > b.MaxBytes-b.bytes:
		return b.tooLarge()
	}
	b.bytes += size
	return nil
}

func (b *budget) tooLarge() error {
	return fmt.Errorf("%w: more than %d bytes uncompressed", ErrLimit, b.MaxBytes)
}

// reader bounds a decompressed stream. It also catches what is no content of any file:
// padding without end, headers that repeat.
func (b *budget) reader(r io.Reader) *budgetReader { return &budgetReader{b: b, r: r} }

type budgetReader struct {
	b *budget
	r io.Reader
	n int64
}

func (x *budgetReader) Read(p []byte) (int, error) {
	n, err := x.r.Read(p)
	x.n += int64(n)
	// The tar around the contents has its own size: headers and padding of every entry.
	if most := x.b.MaxBytes; most >= 0 && x.n > most+int64(x.b.files+4)*4*blockSize+1<<20 {
		return n, x.b.tooLarge()
	}
	if tooMuch := x.b.ratio(x.n); tooMuch != nil {
		return n, tooMuch
	}
	return n, err
}

// ratio judges n bytes that came out so far.
func (b *budget) ratio(n int64) error {
	if b.MaxRatio >= 0 && n > ratioFrom && n/max(b.source.n.Load(), 1) > b.MaxRatio {
		return fmt.Errorf("%w: it grows more than %d-fold when unpacked", ErrLimit, b.MaxRatio)
	}
	return nil
}

// growingReader judges the contents of files, which may be far larger than the stream
// they are in: the holes of a sparse file need no bytes at all.
type growingReader struct {
	b *budget
	r io.Reader
}

func (x *growingReader) Read(p []byte) (int, error) {
	n, err := x.r.Read(p)
	x.b.written += int64(n)
	if tooMuch := x.b.ratio(x.b.written); tooMuch != nil {
		return n, tooMuch
	}
	return n, err
}

// countingReader counts what is read from the outside, which decompressors do in
// goroutines of their own.
type countingReader struct {
	r io.Reader
	n atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
