package relocate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Text gives b with all prefixes replaced, and whether there were any; b itself
// is not changed.
//
// A prefix counts where it begins a path: behind the start, or any byte that is
// none of word character, "-" and "/", and then any number of word characters
// and "-". So "-I/old", "prefix=/old" and "x/old" are replaced, "/chroot/old"
// is not. What follows is not looked at: "/old-other" becomes "/new-other".
// This is the expression (?<![\w\-_/])([\w\-_]*?)(P1|P2|…)([\w\-_/]*) of Spack,
// relocate_text.py.
func (m *Map) Text(b []byte) ([]byte, bool) {
	var out []byte
	done := 0
	s := m.finder.in(b)
	for from := 0; ; {
		at, which := s.next(from)
		if at < 0 {
			break
		}
		if !beginsPath(b, at) {
			from = at + 1
			continue
		}
		r := m.replacements[which]
		out = append(out, b[done:at]...)
		out = append(out, r.New...)
		done = at + len(r.Old)
		for from = done; from < len(b) && (isWord(b[from]) || b[from] == '/'); from++ {
		}
	}
	if done == 0 {
		return b, false
	}
	return append(out, b[done:]...), true
}

// beginsPath tells whether the "/" at b[at] begins a path: going back over the
// word in front of it does not lead to another "/".
func beginsPath(b []byte, at int) bool {
	i := at - 1
	for i >= 0 && isWord(b[i]) {
		i--
	}
	return i < 0 || b[i] != '/'
}

// isWord is [\w\-] for bytes.
func isWord(c byte) bool {
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

const (
	textChunk = 1 << 20
	// maxLine bounds what has to be in memory of a text that never gets to a
	// byte where it can be cut.
	maxLine = 256 << 20
)

// ErrNoText says that something announced as text cannot be one.
var ErrNoText = errors.New("not a text file")

// TextStream is [Map.Text] for contents of any size, from src to dst.
func (m *Map) TextStream(dst io.Writer, src io.Reader) (changed bool, err error) {
	err = m.finder.pieces(src, func(piece []byte) (bool, error) {
		out, replaced := m.Text(piece)
		changed = changed || replaced
		_, err := dst.Write(out)
		return err == nil, err
	})
	return changed, err
}

// pieces cuts src where no prefix and no path can go across the cut, so that
// each piece can be taken for a text of its own.
func (f *finder) pieces(src io.Reader, each func([]byte) (bool, error)) error {
	cut := f.cutBytes()
	buf := make([]byte, 0, textChunk)
	for {
		n, err := io.ReadFull(src, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		end := len(buf)
		if !last {
			end = bytes.LastIndexAny(buf, cut) + 1
		}
		if end > 0 || last {
			if more, err := each(buf[:end]); err != nil || !more || last {
				return err
			}
			buf = buf[:copy(buf, buf[end:])]
		}
		if len(buf) > cap(buf)/2 {
			if cap(buf) >= maxLine {
				return fmt.Errorf("%w: it has %d bytes without a space or an end of line", ErrNoText, len(buf))
			}
			buf = append(make([]byte, 0, 2*cap(buf)), buf...)
		}
	}
}

// cutBytes are bytes that are part of no prefix and no path.
func (f *finder) cutBytes() string {
	var used [256]bool
	f.tree.mark(&used)
	var cut []byte
	for _, c := range []byte("\n\x00\"';:,()<>= \t\r") {
		if !used[c] {
			cut = append(cut, c)
		}
	}
	return string(cut)
}

func (n *node) mark(used *[256]bool) {
	for _, c := range n.label {
		used[c] = true
	}
	for _, c := range n.children {
		c.mark(used)
	}
}

// Finder looks for prefixes without replacing them: what has to be relocated
// is written down when an archive is made.
type Finder struct{ f finder }

// NewFinder makes a finder of prefixes.
func NewFinder(prefixes []string) (*Finder, error) {
	for _, p := range prefixes {
		if err := checkPrefix(p); err != nil {
			return nil, err
		}
	}
	return &Finder{newFinder(prefixes)}, nil
}

// Starts reports whether s begins with a prefix.
func (f *Finder) Starts(s string) bool { return f.f.matchAt([]byte(s)) != none }

// InText reports whether a text has a prefix that [Map.Text] would replace.
func (f *Finder) InText(b []byte) bool {
	s := f.f.in(b)
	for from := 0; ; {
		at, _ := s.next(from)
		if at < 0 {
			return false
		}
		if beginsPath(b, at) {
			return true
		}
		from = at + 1
	}
}

// InTextStream is InText for texts of any size.
func (f *Finder) InTextStream(src io.Reader) (found bool, err error) {
	err = f.f.pieces(src, func(piece []byte) (bool, error) {
		found = f.InText(piece)
		return !found, nil
	})
	return found, err
}
