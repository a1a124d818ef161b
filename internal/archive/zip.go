package archive

import (
	"archive/zip"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// zip extracts a zip archive. Its directory is at its end, so it is first copied to a
// file that has no name any more.
func (x *extractor) zip(r io.Reader) error {
	f, size, err := x.spool(r)
	if err != nil {
		return err
	}
	defer f.Close()
	zr, err := zip.NewReader(f, size)
	if err != nil {
		return err
	}
	for _, zf := range zr.File {
		if err := x.zipMember(zf); err != nil {
			return err
		}
	}
	return nil
}

// spool copies r to a temporary file in the system's directory for them.
func (x *extractor) spool(r io.Reader) (*os.File, int64, error) {
	f, err := os.CreateTemp("", "esd-zip-*")
	if err != nil {
		return nil, 0, err
	}
	err = os.Remove(f.Name())
	var size int64
	if err == nil {
		if most := x.budget.MaxBytes; most >= 0 {
			r = io.LimitReader(r, most+1)
		}
		size, err = io.CopyBuffer(onlyWriter{f}, r, x.buf)
	}
	if most := x.budget.MaxBytes; err == nil && most >= 0 && size > most {
		err = x.budget.tooLarge()
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, size, nil
}

func (x *extractor) zipMember(zf *zip.File) error {
	const encrypted = 0x1 // general purpose bit 0, APPNOTE 4.4.4
	if zf.Flags&encrypted != 0 {
		return fmt.Errorf("%q is encrypted", zf.Name)
	}
	if zf.UncompressedSize64 > 1<<62 {
		return unsafe(zf.Name, "its size is absurd")
	}
	m := member{name: zf.Name, mode: zf.Mode(), mtime: zf.Modified, size: int64(zf.UncompressedSize64), kind: kindFile}
	switch {
	case m.mode.IsDir():
		m.kind, m.size = kindDir, 0
		return x.add(m)
	case m.mode&fs.ModeSymlink != 0:
		m.kind = kindSymlink
	case !m.mode.IsRegular():
		m.kind = kindDevice
		return x.add(m)
	}
	body, err := zf.Open()
	if err != nil {
		return fmt.Errorf("%q: %w", zf.Name, err)
	}
	defer body.Close()
	if m.kind == kindSymlink {
		target, err := io.ReadAll(io.LimitReader(body, maxNameLength+1))
		if err != nil {
			return fmt.Errorf("%q: %w", zf.Name, err)
		}
		m.link, m.size = string(target), 0
	}
	m.body = body
	return x.add(m)
}
