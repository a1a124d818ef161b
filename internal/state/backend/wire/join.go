package wire

import (
	"bytes"
	"encoding/hex"
)

// joiner puts a document together again. It believes nothing of the streams.
type joiner struct {
	streams
	line
	out   []byte
	table [][]byte // addresses
	size  int
}

// join makes the document of some size out of its streams.
func (s *streams) join(size int) ([]byte, error) {
	// Counted before they are listed: a list takes far more room than the line
	// feeds that somebody sends in place of addresses.
	count := bytes.Count(s[addresses], []byte("\n"))
	if count > jumps || count*keySize != len(s[keys]) {
		return nil, errDamaged
	}
	j := joiner{streams: *s, out: make([]byte, 0, size), table: make([][]byte, 0, count), size: size}
	for rest := s[addresses]; len(rest) > 0; {
		address, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok || len(address) == 0 {
			return nil, errDamaged
		}
		j.table, rest = append(j.table, address), after
	}
	j.last = -1
	j.begin()
	for len(j.streams[text]) > 0 {
		if !j.step() || len(j.out) > size {
			return nil, errDamaged
		}
	}
	if len(j.out) != size || len(j.streams[hashes])+len(j.streams[digits])+len(j.streams[refs]) > 0 {
		return nil, errDamaged
	}
	return j.out, nil
}

// step copies text up to the next mark and puts in what that stands for.
func (j *joiner) step() bool {
	rest := j.streams[text]
	n := 0
	for n < len(rest) && rest[n] >= 0x20 {
		n++
	}
	j.out = append(j.out, rest[:n]...)
	if n == len(rest) {
		j.streams[text] = nil
		return true
	}
	mark := rest[n]
	j.streams[text] = rest[n+1:]
	switch {
	case mark == '\n':
		j.out = append(j.out, '\n')
		j.begin()
		return true
	case mark >= markDigits:
		return j.put(digits, int(mark-markDigits))
	}
	return j.reference(mark)
}

// put copies bytes of a stream.
func (j *joiner) put(stream, n int) bool {
	if n > len(j.streams[stream]) {
		return false
	}
	j.out = append(j.out, j.streams[stream][:n]...)
	j.streams[stream] = j.streams[stream][n:]
	return true
}

func (j *joiner) reference(mark byte) bool {
	switch mark {
	case markSame:
		return j.head(j.last)
	case markNext:
		return j.head((j.last + 1) % max(len(j.table), 1))
	case markJump:
		distance, ok := j.distance()
		return ok && j.head(j.last+distance)
	case markRef:
		distance, ok := j.distance()
		if ok {
			j.line.refs = append(j.line.refs, j.object+distance)
		}
		return ok && j.named(j.object+distance)
	case markAgain:
		if j.again >= len(j.line.refs) {
			return false
		}
		j.again++
		return j.named(j.line.refs[j.again-1])
	case markName:
		j.out = append(j.out, j.name...)
		return true
	}
	return j.digits(mark)
}

// head puts in the address of the object of the line.
func (j *joiner) head(object int) bool {
	if object < 0 || object >= len(j.table) {
		return false
	}
	j.of(object, j.table[object])
	j.out = append(j.out, j.table[object]...)
	return true
}

// named puts in the address of another object.
func (j *joiner) named(object int) bool {
	if object < 0 || object >= len(j.table) {
		return false
	}
	j.theirs = object
	j.out = append(j.out, j.table[object]...)
	return true
}

// distance reads one of refs.
func (j *joiner) distance() (int, bool) {
	r := j.streams[refs]
	if len(r) < 3 {
		return 0, false
	}
	j.streams[refs] = r[3:]
	zigzag := uint(r[0]) | uint(r[1])<<8 | uint(r[2])<<16
	return int(zigzag>>1) ^ -int(zigzag&1), true
}

// digits puts in hexadecimal digits.
func (j *joiner) digits(mark byte) bool {
	if len(j.streams[text]) == 0 {
		return false
	}
	n := int(j.streams[text][0])
	j.streams[text] = j.streams[text][1:]
	switch mark {
	case markOwn:
		return j.key(j.object, n)
	case markTheirs:
		return j.key(j.theirs, n)
	case markHash:
		if n > len(j.streams[hashes]) {
			return false
		}
		j.out = hex.AppendEncode(j.out, j.streams[hashes][:n])
		j.streams[hashes] = j.streams[hashes][n:]
		return true
	}
	return false
}

// key puts in the first digits of the key of an object.
func (j *joiner) key(object, n int) bool {
	if object < 0 || object >= len(j.table) || n > 2*keySize {
		return false
	}
	at := len(j.out)
	j.out = hex.AppendEncode(j.out, j.streams[keys][object*keySize:(object+1)*keySize])[:at+n]
	return true
}
