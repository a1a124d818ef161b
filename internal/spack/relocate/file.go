package relocate

import (
	"errors"
	"io"
)

// File is a binary that is relocated where it is. Writing behind its end makes
// it longer.
type File interface {
	io.ReaderAt
	io.WriterAt
}

// Buffer is a File in memory.
type Buffer struct{ Data []byte }

// ReadAt implements io.ReaderAt.
func (b *Buffer) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > int64(len(b.Data)) {
		return 0, io.EOF
	}
	n := copy(p, b.Data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt implements io.WriterAt.
func (b *Buffer) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("relocate: negative offset")
	}
	if grow := off + int64(len(p)) - int64(len(b.Data)); grow > 0 {
		b.Data = append(b.Data, make([]byte, grow)...)
	}
	return copy(b.Data[off:], p), nil
}

// Binary relocates an ELF file: first its interpreter and its RPATH or RUNPATH,
// then the C strings anywhere in it. It gives the size that the file has then:
// where interpreter or RPATH become longer than there is room, they move into a
// new segment at the end of the file.
//
// What is no ELF file, or damaged, has its strings replaced and no more, as
// Spack does with it.
func (m *Map) Binary(name string, f File, size int64) (newSize int64, changed bool, err error) {
	if m.Empty() {
		return size, false, nil
	}
	newSize, scan := size, size
	e, err := parseELF(f, size)
	var broken *elfError
	switch {
	case errors.As(err, &broken):
	case err != nil:
		return size, false, err
	default:
		if newSize, scan, changed, err = m.dynamic(name, e); err != nil {
			return size, false, err
		}
	}
	did, err := m.cStrings(name, f, scan)
	return newSize, changed || did, err
}
