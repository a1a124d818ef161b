package wire

import (
	"bytes"
	"encoding/hex"
)

// The streams of a document.
const (
	// text is the document with a mark, see below, for all that stands in
	// another stream. Few of its lines then differ.
	text = iota
	// addresses of all objects, each ended by a line feed.
	addresses
	// keys of all objects, 32 bytes each.
	keys
	// hashes that are nothing known, in binary.
	hashes
	// digits of decimal numbers that differ from line to line.
	digits
	// refs are objects, as the distance from that of the line in 3 bytes.
	refs
	streamCount
)

type streams [streamCount][]byte

// Marks in the text. They are control characters, which do not occur in JSON
// (RFC 8259, 7), so a document that has them is not split. Lines end with a line
// feed, which is none of them.
const (
	// markNext is the address of the object after the last one of which a line
	// began, and markJump another one, from refs. The line is then of that object.
	markNext = 0x01
	markJump = 0x02
	// markSame is the address of the line before.
	markSame = 0x03
	// markRef is the address of an object, from refs; markAgain is the first that
	// this line had so, then the second, and so on.
	markRef   = 0x04
	markAgain = 0x05
	// markName is the last part of the address of the object of the line.
	markName = 0x06
	// markOwn and a byte are as many digits of the key of that object; markTheirs
	// and a byte are those of the object that was named last.
	markOwn    = 0x07
	markTheirs = 0x08
	// markHash and a byte are as many bytes from hashes, in hexadecimal.
	markHash = 0x09
	// markDigits+n are n of the digits.
	markDigits = 0x10
	maxDigits  = 0x0f
)

// jumps is how far refs reach in either direction.
const jumps = 1 << 23

// keySize is that of a content key, in bytes.
const keySize = 32

// beginObject is how the line of an object begins.
const beginObject = `{"address":`

// line is what splitting and joining both know of the line they are at.
type line struct {
	last   int // the object of which a line began last
	object int // that of this line, -1 for none
	name   []byte
	theirs int // the object that was named last, -1 for none
	refs   []int
	again  int // how many of refs were named again
}

func (l *line) begin() {
	l.object, l.name, l.theirs, l.refs, l.again = -1, nil, -1, l.refs[:0], 0
}

// of makes the line that of an object with an address.
func (l *line) of(object int, address []byte) {
	l.last, l.object = object, object
	l.name = address[bytes.LastIndexByte(address, '.')+1:]
}

// Classes of bytes: what words are made of is above other.
const (
	other = iota
	letter
	hexLetter
	digit
)

func classes() (table [256]byte) {
	for c := range table {
		switch {
		case '0' <= c && c <= '9':
			table[c] = digit
		case 'a' <= c && c <= 'f':
			table[c] = hexLetter
		case 'g' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			table[c] = letter
		}
	}
	return table
}

// objects reads address and key of the object of each line that looks as
// package state writes it. The rest is text.
func objects(doc []byte) (found [][]byte, s streams) {
	for rest := doc; len(rest) > 0; {
		row, after, _ := bytes.Cut(rest, []byte("\n"))
		rest = after
		address, key, ok := objectOf(row)
		if !ok || len(found) == jumps {
			continue
		}
		found = append(found, address)
		s[addresses] = append(append(s[addresses], address...), '\n')
		s[keys], _ = hex.AppendDecode(s[keys], key) // checked by objectOf
	}
	return found, s
}

func objectOf(row []byte) (address, key []byte, ok bool) {
	row, ok = bytes.CutPrefix(row, []byte(beginObject+`"`))
	if !ok {
		return nil, nil, false
	}
	address, row, _ = bytes.Cut(row, []byte(`"`))
	row, ok = bytes.CutPrefix(row, []byte(`,"kind":"`))
	if !ok || len(address) == 0 || bytes.IndexByte(address, '\\') >= 0 {
		return nil, nil, false
	}
	_, row, _ = bytes.Cut(row, []byte(`"`))
	row, ok = bytes.CutPrefix(row, []byte(`,"key":"`))
	if !ok || len(row) < 2*keySize {
		return nil, nil, false
	}
	key = row[:2*keySize]
	for _, c := range key {
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'f') {
			return nil, nil, false
		}
	}
	return address, key, true
}
