package gunzip

import (
	"io"
	"math/bits"
)

// An entry of a table says what the next bits mean:
//
//	bits 0–7    how many to use, extra bits included
//	bits 8–11   how many of them are the code; of a link, the bits of the table
//	bits 12–15  what it is, see below
//	bits 16–31  the byte, or what extra bits are added to, or where a table begins
type entry = uint32

const (
	isLiteral = 1 << 15
	isSpecial = 1 << 14 // a link to another table, unless one of the next two
	isEnd     = 1 << 13 // of the block
	isInvalid = 1 << 12
)

const (
	maxCode  = 15
	litBits  = 11
	distBits = 8
	numLit   = 286 // codes for literals and lengths that may be used
	numDist  = 30
)

// Behind the first table there is room for those of long codes. As codes are
// complete, each of these has two symbols at least: there are at most 143 of 16
// entries, and 15 of 128.
type (
	litTable  [1 << 13]entry
	distTable [1 << 12]entry
)

// litEntries and distEntries are the entries of codes, without their lengths
// (RFC 1951, section 3.2.5).
var (
	litEntries  = makeLitEntries()
	distEntries = makeDistEntries()
)

func makeLitEntries() (list [288]entry) {
	for i := range 256 {
		list[i] = isLiteral | entry(i)<<16
	}
	list[256] = isSpecial | isEnd
	base := entry(3)
	for i := range 28 {
		extra := entry(0)
		if i >= 8 {
			extra = entry(i-4) / 4
		}
		list[257+i] = base<<16 | extra
		base += 1 << extra
	}
	list[285] = maxMatch << 16
	list[286], list[287] = isSpecial|isInvalid, isSpecial|isInvalid
	return list
}

func makeDistEntries() (list [32]entry) {
	base := entry(1)
	for i := range numDist {
		extra := entry(0)
		if i >= 4 {
			extra = entry(i-2) / 2
		}
		list[i] = base<<16 | extra
		base += 1 << extra
	}
	list[30], list[31] = isSpecial|isInvalid, isSpecial|isInvalid
	return list
}

// build makes a table of the lengths of codes. It reports whether these are
// complete, or none, or a single one of one bit, as the standard library wants.
func build(table []entry, first uint, lengths []uint8, symbols []entry) bool {
	var count [maxCode + 1]int
	for _, n := range lengths {
		count[n]++
	}
	count[0] = 0
	longest := uint(maxCode)
	for longest > 0 && count[longest] == 0 {
		longest--
	}
	for i := range table[:1<<first] {
		table[i] = isSpecial | isInvalid
	}
	if longest == 0 {
		return true
	}
	var next [maxCode + 2]uint32
	code := uint32(0)
	for n := 1; n <= int(longest); n++ {
		next[n] = code
		code = (code + uint32(count[n])) << 1
	}
	if code>>1 != 1<<longest && !(code>>1 == 1 && longest == 1) {
		return false
	}
	links := linker{table: table, first: first, longest: longest, free: 1 << first, next: next}
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		c := bits.Reverse16(uint16(next[n])) >> (16 - n)
		next[n]++
		e := symbols[symbol]
		e = e&^0xff | e&0xff + entry(n) | entry(n)<<8
		if uint(n) <= first {
			for i := int(c); i < 1<<first; i += 1 << n {
				table[i] = e
			}
			continue
		}
		// The bits of the first table are used when the link is followed.
		e -= entry(first) | entry(first)<<8
		sub, size := links.follow(c)
		for i := int(c >> first); i < size; i += 1 << (uint(n) - first) {
			sub[i] = e
		}
	}
	return true
}

// linker hands out tables for codes that are longer than the first table's.
type linker struct {
	table          []entry
	first, longest uint
	free           int
	next           [maxCode + 2]uint32
}

// follow finds the table of a code, the bits of which come in the order of the
// stream, and makes it when it is the first that goes there.
func (l *linker) follow(code uint16) (table []entry, size int) {
	at := int(code) & (1<<l.first - 1)
	if l.table[at]&(isSpecial|isInvalid) == isSpecial|isInvalid {
		width := l.longest - l.first
		l.table[at] = isSpecial | entry(l.free)<<16 | entry(width)<<8 | entry(l.first)
		l.free += 1 << width
	}
	e := l.table[at]
	begin, size := int(e>>16), 1<<(e>>8&15)
	return l.table[begin : begin+size], size
}

func (d *decoder) fixedTables() {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	build(d.lit[:], litBits, lengths[:], litEntries[:])
	var distances [32]uint8
	for i := range distances {
		distances[i] = 5
	}
	build(d.dist[:], distBits, distances[:], distEntries[:])
}

// order is that in which the lengths of the codes for lengths come (RFC 1951,
// section 3.2.7).
var order = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// readTables reads the codes of a block.
func (d *decoder) readTables() error {
	if err := d.refill(); err != nil {
		return err
	}
	nlit, ndist, ncode := int(d.take(5))+257, int(d.take(5))+1, int(d.take(4))+4
	if d.overrun() {
		return io.ErrUnexpectedEOF
	}
	if nlit > numLit || ndist > numDist {
		return ErrCorrupt
	}
	var small [19]uint8
	for _, at := range order[:ncode] {
		if err := d.refill(); err != nil {
			return err
		}
		small[at] = uint8(d.take(3))
	}
	if d.overrun() {
		return io.ErrUnexpectedEOF
	}
	var lengths [numLit + numDist]uint8
	if err := d.readLengths(lengths[:nlit+ndist], small[:]); err != nil {
		return err
	}
	if !build(d.lit[:], litBits, lengths[:nlit], litEntries[:]) || !build(d.dist[:], distBits, lengths[nlit:nlit+ndist], distEntries[:]) {
		return ErrCorrupt
	}
	return nil
}

// lengthEntries are the codes for lengths: each is taken for a length, and the
// last three are told from their number.
var lengthEntries = func() (list [19]entry) {
	for i := range list {
		list[i] = entry(i) << 16
	}
	return list
}()

// readLengths reads lengths that are compressed themselves.
func (d *decoder) readLengths(lengths, small []uint8) error {
	const smallBits = 7
	var table [1 << smallBits]entry
	if !build(table[:], smallBits, small, lengthEntries[:]) {
		return ErrCorrupt
	}
	for i := 0; i < len(lengths); {
		if err := d.refill(); err != nil {
			return err
		}
		e := table[d.bits&(1<<smallBits-1)]
		if e&isInvalid != 0 {
			return ErrCorrupt
		}
		d.take(uint(e & 0xff))
		value, times := uint8(e>>16), 1
		switch value {
		case 16:
			if i == 0 {
				return ErrCorrupt
			}
			value, times = lengths[i-1], int(d.take(2))+3
		case 17:
			value, times = 0, int(d.take(3))+3
		case 18:
			value, times = 0, int(d.take(7))+11
		}
		if d.overrun() {
			return io.ErrUnexpectedEOF
		}
		if i+times > len(lengths) {
			return ErrCorrupt
		}
		for range times {
			lengths[i] = value
			i++
		}
	}
	return nil
}
