// Package gunzip decompresses gzip (RFC 1952, with deflate of RFC 1951 inside).
// It exists for its speed alone: what is installed from build caches and what
// images are made of is mostly waiting for gzip to be decompressed, and this
// takes less than half of the time that the packages in Go take which are in
// wide use. What it accepts is what the standard library accepts.
//
// The speed comes from decoding into one buffer that is both the window and the
// output, from reading eight bytes of input at a time, and from tables that give
// a length with its extra bits at once. Joseph Eric Biggers described these
// ways in his libdeflate.
package gunzip

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
)

// What can be wrong with the input; a stream that ends too early gives
// [io.ErrUnexpectedEOF].
var (
	ErrHeader   = errors.New("gzip: invalid header")
	ErrChecksum = errors.New("gzip: invalid checksum")
	ErrCorrupt  = errors.New("gzip: corrupt deflate stream")
)

// Reader decompresses; several members after each other are one stream.
type Reader struct {
	d    decoder
	head int // of what was decoded, given out
	crc  uint32
	size uint32 // of the member, modulo 2^32
	err  error  // what follows after all that was decoded
}

// NewReader reads the header of the first member. It reads from r more than it
// needs.
func NewReader(r io.Reader) (*Reader, error) {
	z := &Reader{}
	z.d.init(r)
	if err := z.header(); err != nil {
		return nil, err
	}
	return z, nil
}

// Close does nothing; whoever opened what is read closes that.
func (z *Reader) Close() error { return nil }

// Read implements io.Reader.
func (z *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for z.head == z.d.tail {
		if z.err != nil {
			return 0, z.err
		}
		z.more()
	}
	n := copy(p, z.d.out[z.head:z.d.tail])
	z.head += n
	return n, nil
}

// more decodes as much as there is room for.
func (z *Reader) more() {
	z.d.slide()
	z.head = z.d.tail
	err := z.d.decode()
	decoded := z.d.out[z.head:z.d.tail]
	z.crc = crc32.Update(z.crc, crc32.IEEETable, decoded)
	z.size += uint32(len(decoded))
	if errors.Is(err, io.EOF) {
		err = z.next()
	}
	z.err = err
}

// trailerSize is that of checksum and size, which follow every stream.
const trailerSize = 8

// next checks the end of a member, and begins with the one that follows.
func (z *Reader) next() error {
	var trailer [trailerSize]byte
	z.d.align()
	if err := z.bytes(trailer[:]); err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(trailer[:4]) != z.crc || binary.LittleEndian.Uint32(trailer[4:]) != z.size {
		return ErrChecksum
	}
	z.crc, z.size = 0, 0
	more, err := z.d.available()
	if err != nil {
		return err
	}
	if !more {
		return io.EOF
	}
	return z.header()
}

// Flags of a header (RFC 1952, section 2.3.1).
const (
	hasHeaderCRC = 1 << 1
	hasExtra     = 1 << 2
	hasName      = 1 << 3
	hasComment   = 1 << 4
)

// header reads the header of a member; a name and a comment are skipped.
func (z *Reader) header() error {
	var fixed [10]byte
	if err := z.bytes(fixed[:]); err != nil {
		return err
	}
	if fixed[0] != 0x1f || fixed[1] != 0x8b || fixed[2] != 8 {
		return ErrHeader
	}
	flags, sum := fixed[3], crc32.ChecksumIEEE(fixed[:])
	skip := func(n int, text bool) error {
		var c [1]byte
		for i := 0; text || i < n; i++ {
			if text && i >= maxText {
				return ErrHeader
			}
			if err := z.bytes(c[:]); err != nil {
				return err
			}
			sum = crc32.Update(sum, crc32.IEEETable, c[:])
			if text && c[0] == 0 {
				break
			}
		}
		return nil
	}
	if flags&hasExtra != 0 {
		var length [2]byte
		if err := z.bytes(length[:]); err != nil {
			return err
		}
		sum = crc32.Update(sum, crc32.IEEETable, length[:])
		if err := skip(int(binary.LittleEndian.Uint16(length[:])), false); err != nil {
			return err
		}
	}
	for _, flag := range []byte{hasName, hasComment} {
		if flags&flag != 0 {
			if err := skip(0, true); err != nil {
				return err
			}
		}
	}
	if flags&hasHeaderCRC != 0 {
		var want [2]byte
		if err := z.bytes(want[:]); err != nil {
			return err
		}
		if binary.LittleEndian.Uint16(want[:]) != uint16(sum) {
			return ErrHeader
		}
	}
	z.d.begin()
	return nil
}

// maxText is how long a name or a comment in a header may be, as in the
// standard library.
const maxText = 512

// bytes reads bytes that are not compressed.
func (z *Reader) bytes(p []byte) error {
	for i := range p {
		more, err := z.d.available()
		switch {
		case err != nil:
			return err
		case !more:
			return io.ErrUnexpectedEOF
		}
		p[i] = z.d.in[z.d.pos]
		z.d.pos++
	}
	return nil
}
