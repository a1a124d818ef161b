package binary

import (
	"fmt"
	"io"
	"sync/atomic"

	"esd/internal/archive"
)

// maxFiles is several times what the largest packages have (a TeX distribution
// has 250,000 files); names are kept in memory.
const maxFiles = 1_000_000

// budget counts what an archive uses of its limits.
type budget struct {
	archive.Limits
	files  int
	bytes  int64        // of contents, as announced
	stored atomic.Int64 // bytes of the archive as it is stored
	tar    atomic.Int64 // bytes of the tar
}

func newBudget(l archive.Limits) *budget {
	d := archive.DefaultLimits()
	d.MaxFiles = maxFiles
	for _, f := range []struct {
		v       *int64
		usually int64
	}{{&l.MaxBytes, d.MaxBytes}, {&l.MaxFileSize, d.MaxFileSize}, {&l.MaxRatio, d.MaxRatio}} {
		if *f.v == 0 {
			*f.v = f.usually
		}
	}
	if l.MaxFiles == 0 {
		l.MaxFiles = d.MaxFiles
	}
	return &budget{Limits: l}
}

// member accounts for a member before anything of it is read.
func (b *budget) member(name string, size int64) error {
	b.files++
	switch {
	case b.MaxFiles >= 0 && b.files > b.MaxFiles:
		return fmt.Errorf("%w: more than %d members", archive.ErrLimit, b.MaxFiles)
	case size < 0:
		return unsafeMember(name, "its size is negative")
	case b.MaxFileSize >= 0 && size > b.MaxFileSize:
		return fmt.Errorf("%w: %q has %d bytes, at most %d are accepted for one file", archive.ErrLimit, short(name), size, b.MaxFileSize)
	case b.MaxBytes >= 0 && size > b.MaxBytes-b.bytes:
		return b.tooLarge()
	}
	b.bytes += size
	return nil
}

func (b *budget) tooLarge() error {
	return fmt.Errorf("%w: more than %d bytes uncompressed", archive.ErrLimit, b.MaxBytes)
}

// storedReader counts the archive as it comes.
func (b *budget) storedReader(r io.Reader) io.Reader { return countingReader{r, &b.stored} }

type countingReader struct {
	r io.Reader
	n *atomic.Int64
}

func (c countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

const (
	// ratioFrom is the size below which a file of zeros is just that.
	ratioFrom = 256 << 20
	// perMember is room for the headers of one member, long names included.
	perMember = 32 << 10
)

// tarReader judges what comes out of the decompressor, headers and padding too.
func (b *budget) tarReader(r io.Reader) io.Reader { return tarBudget{r, b} }

type tarBudget struct {
	r io.Reader
	b *budget
}

func (t tarBudget) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	total := t.b.tar.Add(int64(n))
	if most := t.b.MaxBytes; most >= 0 {
		overhead := int64(1 << 30)
		if t.b.MaxFiles >= 0 {
			overhead = int64(t.b.MaxFiles) * perMember
		}
		if total-most > overhead {
			return n, t.b.tooLarge()
		}
	}
	if ratio := t.b.MaxRatio; ratio >= 0 && total > ratioFrom && total/max(t.b.stored.Load(), 1) > ratio {
		return n, fmt.Errorf("%w: it grows more than %d-fold when unpacked", archive.ErrLimit, ratio)
	}
	return n, err
}
