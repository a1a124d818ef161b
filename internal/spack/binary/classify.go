package binary

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"unicode/utf8"
)

// fileType is what relocation takes a file for.
type fileType int

const (
	typeUnknown fileType = iota // and left alone
	typeBinary
	typeText
)

// classify tells the type of a file from its content, as file_type in
// binary_distribution.py does: ELF and Mach-O by their magic numbers; text is
// what is UTF-8 throughout, or has no control character at all if it is taken
// for Latin 1.
func classify(b []byte) fileType {
	switch {
	case len(b) < 8:
		return typeUnknown
	case isBinary(b):
		return typeBinary
	case utf8.Valid(b), !hasControl(b):
		return typeText
	}
	return typeUnknown
}

// classifyStream is classify for files of any size, and not short ones.
func classifyStream(r io.ReaderAt, size int64) (fileType, error) {
	var magic [8]byte
	if _, err := r.ReadAt(magic[:], 0); err != nil {
		return typeUnknown, err
	}
	if isBinary(magic[:]) {
		return typeBinary, nil
	}
	return textType(io.NewSectionReader(r, 0, size))
}

func isBinary(magic []byte) bool {
	for _, m := range []string{"\x7fELF", "\xcf\xfa\xed\xfe", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe", "\xfe\xed\xfa\xce"} {
		if bytes.HasPrefix(magic, []byte(m)) {
			return true
		}
	}
	// Universal Mach-O binaries have the magic number of Java classes, but a
	// number of architectures where those have the version of the language.
	return bytes.HasPrefix(magic, []byte("\xca\xfe\xba\xbe")) && binary.BigEndian.Uint32(magic[4:]) < 10 ||
		bytes.HasPrefix(magic, []byte("\xbe\xba\xfe\xca")) && binary.LittleEndian.Uint32(magic[4:]) < 10
}

// textType reads until it is clear that a file is no text.
func textType(r io.Reader) (fileType, error) {
	buf := make([]byte, 64<<10)
	utf, latin := true, true
	for kept := 0; utf || latin; {
		n, err := io.ReadFull(r, buf[kept:])
		data, end := buf[:kept+n], err != nil
		latin = latin && !hasControl(data[kept:])
		if utf {
			kept = incomplete(data)
			utf = utf8.Valid(data[:len(data)-kept]) && !(end && kept > 0)
			copy(buf, data[len(data)-kept:])
		} else {
			kept = 0
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			if utf || latin {
				return typeText, nil
			}
			return typeUnknown, nil
		case err != nil:
			return typeUnknown, err
		}
	}
	return typeUnknown, nil
}

// incomplete gives the number of bytes at the end of b that may be the beginning
// of a character.
func incomplete(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

// hasControl reports whether Latin 1 text has a byte of [\x00\x7f-\x9f].
func hasControl(b []byte) bool {
	for _, c := range b {
		if c == 0 || c >= 0x7f && c <= 0x9f {
			return true
		}
	}
	return false
}
