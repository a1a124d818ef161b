package binary

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// spoolMemory is how much of a spool is kept in memory.
const spoolMemory = 64 << 20

// spool keeps bytes that are needed again: in memory, and from a certain size on
// in a temporary file that has no name.
type spool struct {
	dir  string // for the file
	most int64  // in memory

	mem  []byte
	file *os.File
	size int64
}

func newSpool(dir string, most int64) *spool { return &spool{dir: dir, most: most} }

// Write appends.
func (s *spool) Write(p []byte) (int, error) {
	if err := s.reserve(s.size + int64(len(p))); err != nil {
		return 0, err
	}
	return s.WriteAt(p, s.size)
}

// reserve moves the spool into a file when it gets too large for memory.
func (s *spool) reserve(size int64) error {
	if s.file != nil || size <= s.most {
		return nil
	}
	f, err := os.CreateTemp(s.dir, "spool-*")
	if err != nil {
		return fmt.Errorf("keeping what does not fit into memory: %w", err)
	}
	s.file = f
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	_, err = f.WriteAt(s.mem, 0)
	s.mem = nil
	return err
}

// WriteAt implements io.WriterAt.
func (s *spool) WriteAt(p []byte, off int64) (n int, err error) {
	if s.file != nil {
		n, err = s.file.WriteAt(p, off)
	} else {
		if more := off + int64(len(p)) - int64(len(s.mem)); more > 0 {
			s.mem = append(s.mem, make([]byte, more)...)
		}
		n = copy(s.mem[off:], p)
	}
	s.size = max(s.size, off+int64(n))
	return n, err
}

// ReadAt implements io.ReaderAt.
func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, off)
	}
	return bytes.NewReader(s.mem).ReadAt(p, off)
}

// Close gives back what the spool takes.
func (s *spool) Close() {
	s.mem = nil
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
}

// region is a file inside a spool. What is written behind its end is kept apart.
type region struct {
	s         *spool
	off, size int64
	tail      []byte
}

// ReadAt implements io.ReaderAt.
func (r *region) ReadAt(p []byte, off int64) (n int, err error) {
	if off < r.size {
		n, err = io.NewSectionReader(r.s, r.off, r.size).ReadAt(p, off)
		if n == len(p) || err != nil && err != io.EOF {
			return n, err
		}
	}
	behind := off + int64(n) - r.size
	if behind >= int64(len(r.tail)) {
		return n, io.EOF
	}
	m := copy(p[n:], r.tail[behind:])
	if n += m; n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements io.WriterAt.
func (r *region) WriteAt(p []byte, off int64) (n int, err error) {
	if off < r.size {
		n, err = r.s.WriteAt(p[:min(int64(len(p)), r.size-off)], r.off+off)
		if err != nil || n == len(p) {
			return n, err
		}
	}
	end := off + int64(len(p)) - r.size
	if more := end - int64(len(r.tail)); more > 0 {
		r.tail = append(r.tail, make([]byte, more)...)
	}
	return n + copy(r.tail[off+int64(n)-r.size:], p[n:]), nil
}
