package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Relocation replaces the path of a directory in file contents and link targets:
// where a build could not run at its real prefix, it ran below another path of the
// same length.
//
// From is replaced where it is a whole path: the byte after it must not be able to
// continue a file name, that is, not a letter, digit or one of ".", "_", "-", "+".
// So with From "/opt/esd", "/opt/esd/x" and "/opt/esd:" match, "/opt/esdX" and
// "/opt/esd.old" do not. What precedes is not looked at, because paths follow almost
// anything ("-I/opt/esd", string tables of binaries). Bytes from 0x80 on do not
// continue a name: in binaries they are more often the next field.
//
// Compressed contents (a gzipped manual page, a wheel) are not looked into.
type Relocation struct {
	From, To string
}

// Validate tells whether the relocation can be done: both absolute and clean, of one
// length, so that no offset in any file changes.
func (r *Relocation) Validate() error {
	for _, p := range []string{r.From, r.To} {
		if len(p) < 2 || p[0] != '/' || p[len(p)-1] == '/' || strings.Contains(p, "//") || strings.ContainsRune(p, 0) {
			return fmt.Errorf("relocation from %q to %q: %q is not a clean absolute path", r.From, r.To, p)
		}
	}
	if len(r.From) != len(r.To) {
		return fmt.Errorf("relocation from %q to %q: the paths differ in length (%d and %d bytes), so binaries would break",
			r.From, r.To, len(r.From), len(r.To))
	}
	return nil
}

// String gives s with the relocation applied.
func (r *Relocation) String(s string) string {
	if !strings.Contains(s, r.From) {
		return s
	}
	b := []byte(s)
	r.replace(b, len(b))
	return string(b)
}

// Reader gives the content of src with the relocation applied, in one pass; its size
// does not change.
func (r *Relocation) Reader(src io.Reader) io.Reader {
	rr := newRelocatingReader(r)
	rr.reset(src)
	return rr
}

// replace applies the relocation to b in place, to matches that begin before limit,
// and returns where the last of them ended. The end of b counts as the end of the
// content, so callers that have more to come keep limit at len(b)-len(From) or below.
func (r *Relocation) replace(b []byte, limit int) (last int) {
	from := []byte(r.From)
	for at := 0; ; {
		i := bytes.Index(b[at:], from)
		if i < 0 || at+i >= limit {
			return last
		}
		at += i
		end := at + len(from)
		if end < len(b) && continuesName(b[end]) {
			at++
			continue
		}
		copy(b[at:], r.To)
		at, last = end, end
	}
}

// continuesName tells whether c behind a path makes it another path.
func continuesName(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return c == '.' || c == '_' || c == '-' || c == '+'
}

// relocateBuffer is large enough that the bytes kept back at its end do not matter.
const relocateBuffer = 256 << 10

// relocatingReader is Relocation.Reader with a buffer that is used again from file to
// file.
type relocatingReader struct {
	rel  *Relocation
	src  io.Reader
	buf  []byte
	r, w int // buf[r:w] is finished and not yet given out
	n    int // buf[w:n] is read and kept back
	err  error
}

func newRelocatingReader(rel *Relocation) *relocatingReader {
	return &relocatingReader{rel: rel, buf: make([]byte, relocateBuffer+len(rel.From))}
}

func (x *relocatingReader) reset(src io.Reader) {
	x.src, x.r, x.w, x.n, x.err = src, 0, 0, 0, nil
}

// Read implements io.Reader.
func (x *relocatingReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for x.r == x.w {
		if x.err != nil {
			return 0, x.err
		}
		x.fill()
	}
	n := copy(p, x.buf[x.r:x.w])
	x.r += n
	return n, nil
}

// fill moves what was kept back to the front, reads on, and finishes all that cannot
// be part of a match which is not yet seen whole, with the byte after it.
func (x *relocatingReader) fill() {
	x.n = copy(x.buf, x.buf[x.w:x.n])
	x.r, x.w = 0, 0
	var n int
	n, x.err = io.ReadFull(x.src, x.buf[x.n:])
	x.n += n
	if errors.Is(x.err, io.ErrUnexpectedEOF) {
		x.err = io.EOF
	}
	if x.err != nil {
		x.rel.replace(x.buf[:x.n], x.n)
		x.w = x.n
		return
	}
	limit := x.n - len(x.rel.From)
	x.w = max(limit, x.rel.replace(x.buf[:x.n], limit))
}
