package journal

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"esd/internal/state"
)

// Read reads a journal. A torn end is dropped (Torn says how much); damage
// before it is a *CorruptError. A missing file is fs.ErrNotExist.
func Read(path string) (*Journal, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file (%s)", path, info.Mode().Type())
	}
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	defer f.Close()
	live := isLive(f)
	data, err := io.ReadAll(io.LimitReader(f, state.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	if len(data) > state.MaxSize {
		return nil, fmt.Errorf("read journal: %s is larger than %d bytes, no esd writes that; move it away", path, state.MaxSize)
	}
	j, err := parse(data, path)
	if err != nil {
		return nil, err
	}
	j.Live = live
	return j, nil
}

// parse reads the content of a journal.
func parse(data []byte, path string) (*Journal, error) {
	j := &Journal{Path: path}
	for offset, number := 0, 1; offset < len(data); number++ {
		text, end := nextLine(data, offset)
		l, err := parseLine(text)
		if err == nil && end < 0 {
			err = errChecksum // complete but for the line feed: never synced
		}
		if err == nil && l.N != int64(number) {
			err = fmt.Errorf("it is record %d where record %d should be", l.N, number)
		}
		if err != nil {
			if syncedBeyond(data[offset:], offset) {
				return nil, &CorruptError{Path: path, Line: number, Detail: err.Error()}
			}
			j.Torn = int64(len(data) - offset)
			return j, nil
		}
		if err := j.add(l, number); err != nil {
			return nil, err
		}
		offset = end
	}
	return j, nil
}

// add takes over an intact line.
func (j *Journal) add(l line, number int) error {
	if (number == 1) != (l.Header != nil) {
		return &CorruptError{Path: j.Path, Line: number, Detail: "a header must be the first record, and only that"}
	}
	if l.Entry != nil {
		if d := l.Entry.Duration; d != nil && !d.Valid() {
			return &CorruptError{Path: j.Path, Line: number, Detail: "the duration is out of range"}
		}
		j.Entries = append(j.Entries, *l.Entry)
		return nil
	}
	j.Header = *l.Header
	switch h := l.Header; {
	case h.FormatVersion > FormatVersion:
		return &NewerFormatError{Path: j.Path, Format: h.FormatVersion, ESDVersion: h.ESDVersion}
	case h.FormatVersion < 1, h.Run == "", h.Serial < 0, !state.IsID(h.Lineage):
		return &CorruptError{Path: j.Path, Line: number, Detail: "the header is wrong"}
	}
	return nil
}

// nextLine returns the line at an offset and where the next one begins, -1 when
// the line has no end.
func nextLine(data []byte, offset int) (text []byte, end int) {
	n := bytes.IndexByte(data[offset:], '\n')
	if n < 0 {
		return data[offset:], -1
	}
	return data[offset : offset+n], offset + n + 1
}

// syncedBeyond reports whether an intact line in rest was written when the byte
// at offset was already on the disk.
func syncedBeyond(rest []byte, offset int) bool {
	for at := 0; at < len(rest); {
		text, end := nextLine(rest, at)
		if l, err := parseLine(text); err == nil && l.Synced > int64(offset) {
			return true
		}
		if end < 0 {
			return false
		}
		at = end
	}
	return false
}
