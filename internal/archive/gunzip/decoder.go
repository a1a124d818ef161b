package gunzip

import (
	"encoding/binary"
	"errors"
	"io"
)

const (
	window   = 32 << 10 // how far back a match may reach
	chunk    = 128 << 10
	maxMatch = 258
	// slack is what one turn of the loop may write: literals, the longest match,
	// and what copying by eights writes beyond it.
	slack = maxMatch + 32

	input = 64 << 10
	// padding follows the end of the input, so that eight bytes can be read
	// at once wherever bits are left.
	padding = 64
	// reach is what one turn of the loop may read.
	reach = 32
)

type state int

const (
	atHeader state = iota // of a block
	inStored
	inCompressed
	atEnd
)

// decoder decodes deflate into out, until it is full.
type decoder struct {
	r       io.Reader
	in      []byte // in[pos:end] was read and not used
	pos     int
	end     int
	readErr error // what came after end
	ended   bool  // nothing comes after end, and padding is there

	// bits has the next bits of the stream, the first lowest. The lowest nbits
	// of them are counted as read from in; those above are right as well, or zero.
	bits  uint64
	nbits uint

	out   []byte
	tail  int // of what is decoded
	start int // where the member begins, or 0 when that is no longer in out

	state  state
	last   bool // it is the last block
	stored int  // bytes left of a stored block
	lit    litTable
	dist   distTable
}

func (d *decoder) init(r io.Reader) {
	d.r = r
	d.in = make([]byte, input+padding)
	d.out = make([]byte, window+chunk+slack)
}

// begin starts with a stream that refers to nothing before it.
func (d *decoder) begin() {
	d.start, d.state, d.last = d.tail, atHeader, false
	d.bits, d.nbits = 0, 0
}

// slide keeps the window and makes room behind it.
func (d *decoder) slide() {
	if d.tail+slack <= len(d.out)-chunk/2 {
		return
	}
	by := d.tail - window
	copy(d.out, d.out[by:d.tail])
	d.tail = window
	d.start = max(0, d.start-by)
}

// available reads more if there is nothing left, and tells whether there is
// something then.
func (d *decoder) available() (bool, error) {
	if d.pos < d.end {
		return true, nil
	}
	err := d.fill()
	return d.pos < d.end, err
}

// fill reads more behind what was not used.
func (d *decoder) fill() error {
	if d.ended {
		return nil
	}
	if d.readErr == nil {
		back := min(d.pos, 8) // align may want to go back
		d.end = copy(d.in, d.in[d.pos-back:d.end])
		d.pos = back
		n, err := 0, error(nil)
		for tries := 0; n == 0 && err == nil; tries++ {
			if tries == 100 {
				err = io.ErrNoProgress
				break
			}
			n, err = d.r.Read(d.in[d.end : len(d.in)-padding])
		}
		d.end += n
		d.readErr = err
		if n > 0 {
			return nil
		}
	}
	if !errors.Is(d.readErr, io.EOF) {
		return d.readErr
	}
	d.ended = true
	clear(d.in[d.end : d.end+padding])
	return nil
}

// overrun tells whether bits were used that were not there.
func (d *decoder) overrun() bool { return d.ended && d.pos-int(d.nbits>>3) > d.end }

// refill makes at least 56 bits available; behind the end they are zero.
func (d *decoder) refill() error {
	for d.pos+8 > d.end && !d.ended {
		if err := d.fill(); err != nil {
			return err
		}
	}
	if d.overrun() {
		return io.ErrUnexpectedEOF
	}
	d.bits |= binary.LittleEndian.Uint64(d.in[d.pos:]) << (d.nbits & 63)
	d.pos += int((63 - d.nbits) >> 3)
	d.nbits |= 56
	return nil
}

func (d *decoder) take(n uint) uint32 {
	v := uint32(d.bits) & (1<<n - 1)
	d.bits >>= n
	d.nbits -= n
	return v
}

// align drops the rest of a byte, and gives back the bytes that were not used.
func (d *decoder) align() {
	d.pos -= int(d.nbits >> 3)
	d.bits, d.nbits = 0, 0
}

// decode fills out. The end of the last block gives io.EOF.
func (d *decoder) decode() error {
	for {
		var err error
		switch d.state {
		case atHeader:
			err = d.blockHeader()
		case inStored:
			err = d.copyStored()
		case inCompressed:
			err = d.compressed()
		case atEnd:
			return io.EOF
		}
		if errors.Is(err, ErrCorrupt) && d.ended && d.pos-int(d.nbits>>3)+trailerSize > d.end {
			err = io.ErrUnexpectedEOF // of what was cut off, zeros were decoded
		}
		if err != nil || d.tail > len(d.out)-slack {
			return err
		}
	}
}

// blockEnd is called at the end of each block.
func (d *decoder) blockEnd() {
	if d.state = atHeader; d.last {
		d.state = atEnd
	}
}

func (d *decoder) blockHeader() error {
	if err := d.refill(); err != nil {
		return err
	}
	d.last = d.take(1) == 1
	kind := d.take(2)
	if d.overrun() {
		return io.ErrUnexpectedEOF
	}
	switch kind {
	case 0:
		return d.storedHeader()
	case 1:
		d.fixedTables()
	case 2:
		if err := d.readTables(); err != nil {
			return err
		}
	default:
		return ErrCorrupt
	}
	d.state = inCompressed
	return nil
}

func (d *decoder) storedHeader() error {
	d.align()
	if err := d.refill(); err != nil {
		return err
	}
	n, complement := d.take(16), d.take(16)
	if d.overrun() {
		return io.ErrUnexpectedEOF
	}
	if n != ^complement&0xffff {
		return ErrCorrupt
	}
	d.align()
	d.stored, d.state = int(n), inStored
	return nil
}

func (d *decoder) copyStored() error {
	for d.stored > 0 {
		room := len(d.out) - slack + 1 - d.tail
		if room <= 0 {
			return nil
		}
		more, err := d.available()
		switch {
		case err != nil:
			return err
		case !more:
			return io.ErrUnexpectedEOF
		}
		n := copy(d.out[d.tail:d.tail+room], d.in[d.pos:min(d.end, d.pos+d.stored)])
		d.pos += n
		d.tail += n
		d.stored -= n
	}
	d.blockEnd()
	return nil
}
