package relocate

import (
	"bytes"
	"errors"
	"io"
)

// suffixSafety is how many bytes at the end of a C string stay as they are:
// linkers let a string be the end of another one, and fewer than that are
// hardly ever shared on purpose. (suffix_safety_size in relocate_text.py.)
const suffixSafety = 7

// binaryChunk is how much of a binary is in memory at a time.
const binaryChunk = 1 << 20

// cStrings replaces prefixes in the first size bytes of f, in place and without
// moving anything.
func (m *Map) cStrings(name string, f File, size int64) (changed bool, err error) {
	keep := m.finder.longest + suffixSafety + 1
	buf := make([]byte, min(int64(binaryChunk+keep), size))
	n := 0
	for base := int64(0); ; {
		read, err := f.ReadAt(buf[n:min(int64(len(buf)), size-base)], base+int64(n))
		if err != nil && !errors.Is(err, io.EOF) {
			return changed, err
		}
		n += read
		last := base+int64(n) >= size || read == 0
		limit := n
		if !last {
			limit = n - keep
		}
		done, did, err := m.stringsIn(name, f, base, buf[:n], limit)
		changed = changed || did
		if err != nil || last {
			return changed, err
		}
		base += int64(done)
		n = copy(buf, buf[done:n])
	}
}

// stringsIn replaces what begins in b before limit, and writes it to f where b
// is at base. It gives the number of bytes that are finished.
func (m *Map) stringsIn(name string, f File, base int64, b []byte, limit int) (done int, changed bool, err error) {
	s := m.finder.in(b)
	for {
		at, which := s.next(done)
		if at < 0 || at >= limit {
			return max(done, limit), changed, nil
		}
		r := m.replacements[which]
		suffix, found := suffixOf(b[at+len(r.Old):])
		done = at + len(r.Old) + suffix
		if found {
			done++
		}
		text, err := r.inString(name, b[at:done], suffix, found)
		if err != nil {
			return done, changed, err
		}
		if _, err := f.WriteAt(text, base+int64(at)); err != nil {
			return done, changed, err
		}
		changed = true
	}
}

// suffixOf gives the length of what follows a prefix up to a NUL, when one comes
// within the safety distance.
func suffixOf(b []byte) (n int, found bool) {
	n = bytes.IndexByte(b[:min(len(b), suffixSafety+1)], 0)
	if n < 0 {
		return 0, false
	}
	return n, true
}

// inString gives what replaces the old prefix at the start of old, which goes
// on, if terminated, with suffix bytes and a NUL.
func (r Replacement) inString(name string, old []byte, suffix int, terminated bool) ([]byte, error) {
	shorter := len(r.Old) - len(r.New)
	switch {
	case shorter < 0:
		return nil, &CannotGrowStringError{File: name, Old: r.Old, New: r.New}
	case !terminated, suffix >= suffixSafety, tail(r.Old, suffixSafety-suffix) == tail(r.New, suffixSafety-suffix):
		// Slashes in front keep the end, which others may share, where it is.
		return append(bytes.Repeat([]byte{'/'}, shorter), r.New...), nil
	case shorter > suffixSafety:
		// The new string ends before the part that others may share.
		return append([]byte(r.New), old[len(r.Old):]...), nil
	}
	return nil, &CannotShrinkStringError{File: name, Old: r.Old, New: r.New, String: string(bytes.TrimSuffix(old, []byte{0}))}
}

// StringFits tells whether a prefix can be replaced wherever it is in a C
// string, without looking at any.
func StringFits(old, new string) bool {
	shorter := len(old) - len(new)
	return shorter > suffixSafety || shorter >= 0 && tail(old, suffixSafety) == tail(new, suffixSafety)
}

func tail(s string, n int) string { return s[max(0, len(s)-n):] }
