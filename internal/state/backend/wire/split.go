package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
)

// splitter goes through a document once.
type splitter struct {
	streams
	line
	doc    []byte
	pos    int
	copied int // up to here the document is in the streams
	start  int // of the line
	class  [256]byte
	index  map[string]int // of objects by address
	places [places]place
}

// place remembers what stood behind the same text before. What differs goes to
// a stream of its own, from then on; what is always the same is left where it
// is, where it costs nothing.
type place struct {
	last   uint32
	state  uint8 // 0 not seen, 1 always the same, 2 differs
	behind uint8 // of the hash of the text, so that few places are taken for others
}

const places = 1 << 13

// split takes a document apart. It reports false for one that cannot be split:
// it has control characters, no objects, or two of one address. Any other document comes out of
// join as it was, whatever is in it: the rules only decide what is gained.
func split(doc []byte) (*streams, bool) {
	for _, c := range doc {
		if c < 0x20 && c != '\n' {
			return nil, false
		}
	}
	s := splitter{doc: doc, class: classes(), index: map[string]int{}}
	var found [][]byte
	found, s.streams = objects(doc)
	if len(found) == 0 {
		return nil, false
	}
	for i, address := range found {
		s.index[string(address)] = i
	}
	if len(s.index) < len(found) {
		return nil, false
	}
	s.streams[text] = make([]byte, 0, len(doc)/2)
	s.last = -1
	s.begin()
	for s.pos < len(doc) {
		switch c := doc[s.pos]; s.class[c] {
		case other:
			s.pos++
			switch c {
			case '"':
				s.address()
			case '\n':
				s.start = s.pos
				s.begin()
			}
		default:
			if !s.known() {
				s.word()
			}
		}
	}
	s.copy()
	return &s.streams, true
}

// copy leaves what was passed by in the text.
func (s *splitter) copy() {
	s.streams[text] = append(s.streams[text], s.doc[s.copied:s.pos]...)
	s.copied = s.pos
}

// mark puts a mark in the place of n bytes.
func (s *splitter) mark(n int, marks ...byte) {
	s.copy()
	s.streams[text] = append(s.streams[text], marks...)
	s.pos += n
	s.copied = s.pos
}

// address looks whether a string is, or begins with, the address of an object.
func (s *splitter) address() {
	rest := s.doc[s.pos:]
	end, dotted := 0, false
	for end < len(rest) && rest[end] != '"' && rest[end] != '#' {
		dotted = dotted || rest[end] == '.'
		end++
	}
	if !dotted || s.class[rest[0]] == other {
		return
	}
	object, ok := s.index[string(rest[:end])]
	if !ok {
		return
	}
	first := string(s.doc[s.start:s.pos-1]) == beginObject || s.pos-1 == s.start
	distance := object - s.last
	if !first {
		distance = object - s.object
	}
	switch {
	case first && distance == 0:
		s.mark(end, markSame)
	case first && (distance == 1 || object == 0 && s.last == len(s.index)-1):
		s.mark(end, markNext)
	case s.again < len(s.refs) && s.refs[s.again] == object:
		s.mark(end, markAgain)
		s.theirs = object
		s.again++
		return
	case distance <= -jumps/2 || distance >= jumps/2:
		return
	case first:
		s.mark(end, markJump)
		s.ref(distance)
	default:
		s.mark(end, markRef)
		s.ref(distance)
		s.line.refs = append(s.line.refs, object)
		s.theirs = object
		return
	}
	s.of(object, rest[:end])
}

func (s *splitter) ref(distance int) {
	zigzag := uint(distance<<1) ^ uint(distance>>63)
	s.streams[refs] = append(s.streams[refs], byte(zigzag), byte(zigzag>>8), byte(zigzag>>16))
}

// known looks whether a word is the name or the key of something. It stands at
// the beginning of one.
func (s *splitter) known() bool {
	rest := s.doc[s.pos:]
	if n := len(s.name); n > 1 && n < len(rest) && s.class[rest[n]] == other && bytes.HasPrefix(rest, s.name) {
		s.mark(n, markName)
		return true
	}
	n, letters := 0, false
	for n < len(rest) && s.class[rest[n]] >= hexLetter {
		letters = letters || rest[n] > '9'
		n++
	}
	if n < 7 || n < len(rest) && s.class[rest[n]] != other || !letters && n < 16 {
		return false
	}
	switch {
	case s.keyBegins(s.object, rest[:n]):
		s.mark(n, markOwn, byte(n))
	case s.keyBegins(s.theirs, rest[:n]):
		s.mark(n, markTheirs, byte(n))
	case n%2 == 0 && n >= 8 && n < 256 && s.differs(rest[:n]):
		s.streams[hashes], _ = hex.AppendDecode(s.streams[hashes], rest[:n]) // they are digits
		s.mark(n, markHash, byte(n/2))
	default:
		return false
	}
	return true
}

// keyBegins reports whether digits are the first ones of the key of an object.
func (s *splitter) keyBegins(object int, found []byte) bool {
	if object < 0 || len(found) > 2*keySize {
		return false
	}
	key := s.streams[keys][object*keySize : (object+1)*keySize]
	for i, c := range found {
		nibble := key[i/2] >> 4
		if i%2 == 1 {
			nibble = key[i/2] & 0xf
		}
		if c != hexDigits[nibble] {
			return false
		}
	}
	return true
}

const hexDigits = "0123456789abcdef"

// word takes a word of which nothing is known: its numbers may differ from line
// to line.
func (s *splitter) word() {
	for s.pos < len(s.doc) {
		rest := s.doc[s.pos:]
		n := 0
		for n < len(rest) && (s.class[rest[n]] == letter || s.class[rest[n]] == hexLetter) {
			n++
		}
		s.pos += n
		rest = rest[n:]
		n = 0
		for n < len(rest) && s.class[rest[n]] == digit {
			n++
		}
		switch {
		case n == 0:
			return
		case s.differs(rest[:n]):
			s.streams[digits] = append(s.streams[digits], rest[:n]...)
			for ; n > 0; n -= min(n, maxDigits) {
				s.mark(min(n, maxDigits), markDigits+byte(min(n, maxDigits)))
			}
		default:
			s.pos += n
		}
	}
}

// differs reports whether something else than value stood at this place before.
func (s *splitter) differs(value []byte) bool {
	s.copy()
	var before, now [8]byte
	copy(before[:], s.streams[text][max(0, len(s.streams[text])-8):])
	copy(now[:], value)
	context := mix(binary.LittleEndian.Uint64(before[:]))
	hash := uint32(mix(binary.LittleEndian.Uint64(now[:])^uint64(len(value))) >> 32)
	p, check := &s.places[context%places], uint8(context>>24)
	switch {
	case p.state == 0 || p.behind != check:
		*p = place{last: hash, state: 1, behind: check}
	case p.last != hash:
		p.state = 2
	}
	return p.state == 2
}

// mix makes a hash of a number: the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
