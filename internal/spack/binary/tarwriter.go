package binary

import (
	"fmt"
	"io"
	"strconv"
)

// tarWriter writes a tar as Python's tarfile does in its default format, which
// is what archives of Spack are made with: ustar headers, and in front of them a
// pax header for each field that does not fit or is not ASCII. (Go's own writer
// chooses other ways for long names.) The bytes are part of what identifies an
// archive, so they are spelled out here: Lib/tarfile.py, create_pax_header.
type tarWriter struct {
	w    io.Writer
	size int64
}

const (
	tarRecord  = 20 * tarBlock // RECORDSIZE: the end is padded to it
	typeFile   = '0'
	typeHard   = '1'
	typeSym    = '2'
	typeDir    = '5'
	typePax    = 'x'
	fieldName  = 100
	octalSize  = 1 << 33 // from here on a size has no room in its field
	paxOwnName = "././@PaxHeader"
)

// tarHeader is what members of an archive differ in.
type tarHeader struct {
	name, link string
	kind       byte
	mode, size int64
}

func (t *tarWriter) write(p []byte) error {
	n, err := t.w.Write(p)
	t.size += int64(n)
	return err
}

func (t *tarWriter) header(h tarHeader) error {
	if h.kind == typeDir {
		h.name += "/"
	}
	var records []byte
	if len(h.name) > fieldName || !isASCII(h.name) {
		records = appendRecord(records, "path", h.name)
	}
	if len(h.link) > fieldName || !isASCII(h.link) {
		records = appendRecord(records, "linkpath", h.link)
	}
	if h.size >= octalSize {
		records = appendRecord(records, "size", strconv.FormatInt(h.size, 10))
		h.size = 0
	}
	if len(records) > 0 {
		block := ustar(tarHeader{name: paxOwnName, kind: typePax, size: int64(len(records))})
		if err := t.write(append(block, records...)); err != nil {
			return err
		}
		if err := t.pad(tarBlock); err != nil {
			return err
		}
	}
	return t.write(ustar(h))
}

// appendRecord adds a pax record, which begins with its own length.
func appendRecord(records []byte, key, value string) []byte {
	rest := len(key) + len(value) + len(" =\n")
	n := rest
	for n != rest+len(strconv.Itoa(n)) {
		n = rest + len(strconv.Itoa(n))
	}
	return fmt.Appendf(records, "%d %s=%s\n", n, key, value)
}

// ustar makes a header block. Owner, group and time are zero, as Spack has them.
func ustar(h tarHeader) []byte {
	b := make([]byte, tarBlock)
	octal := func(at, digits int, v int64) { copy(b[at:], fmt.Sprintf("%0*o", digits, v)) }
	copy(b[:fieldName], ascii(h.name))
	octal(100, 7, h.mode)
	octal(108, 7, 0) // user
	octal(116, 7, 0) // group
	octal(124, 11, h.size)
	octal(136, 11, 0) // time
	copy(b[148:], "        ")
	b[156] = h.kind
	copy(b[157:157+fieldName], ascii(h.link))
	copy(b[257:], "ustar\x0000")
	sum := int64(0)
	for _, c := range b {
		sum += int64(c)
	}
	octal(148, 6, sum)
	b[154] = 0
	return b
}

// ascii puts a question mark in place of each other character.
func ascii(s string) string {
	if isASCII(s) {
		return s
	}
	var b []byte
	for _, c := range s {
		if c > '~'+1 {
			c = '?'
		}
		b = append(b, byte(c))
	}
	return string(b)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// pad fills up to a multiple of unit.
func (t *tarWriter) pad(unit int64) error {
	if rest := t.size % unit; rest > 0 {
		return t.write(make([]byte, unit-rest))
	}
	return nil
}

// close writes the end of the archive.
func (t *tarWriter) close() error {
	if err := t.write(make([]byte, 2*tarBlock)); err != nil {
		return err
	}
	return t.pad(tarRecord)
}
