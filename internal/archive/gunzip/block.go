package gunzip

import (
	"encoding/binary"
	"errors"
	"io"
)

// compressed decodes a block until out is full or the block ends. All that
// changes often is in local variables, which is why it is one long function.
func (d *decoder) compressed() error {
	in, out, lit, dist := d.in, d.out, &d.lit, &d.dist
	pos, bits, nbits, tail := d.pos, d.bits, d.nbits, d.tail
	limit := d.end - reach // above it, there may be too little input for one turn
	sure := tail           // what was certainly not made of padding
	full := len(out) - slack
	var err error
loop:
	for tail <= full {
		if pos > limit {
			if !d.ended {
				d.pos, d.tail = pos, tail
				if err = d.fill(); err != nil {
					break
				}
				pos, limit = d.pos, d.end-reach
				continue
			}
			if pos-int(nbits>>3) > d.end {
				tail, err = sure, io.ErrUnexpectedEOF
				break
			}
			sure = tail
		}
		bits |= binary.LittleEndian.Uint64(in[pos:]) << (nbits & 63)
		pos += int((63 - nbits) >> 3)
		nbits |= 56

		e := lit[bits&(1<<litBits-1)]
		if e&isLiteral != 0 {
			bits >>= e & 63
			nbits -= uint(e & 0xff)
			out[tail] = byte(e >> 16)
			tail++
			e = lit[bits&(1<<litBits-1)]
			if e&isLiteral != 0 {
				bits >>= e & 63
				nbits -= uint(e & 0xff)
				out[tail] = byte(e >> 16)
				tail++
				e = lit[bits&(1<<litBits-1)]
				if e&isLiteral != 0 {
					bits >>= e & 63
					nbits -= uint(e & 0xff)
					out[tail] = byte(e >> 16)
					tail++
					continue
				}
			}
		}
		if e&isSpecial != 0 {
			if e&(isEnd|isInvalid) == 0 {
				bits >>= e & 63
				nbits -= uint(e & 0xff)
				e = lit[(int(e>>16)+int(bits&(1<<(e>>8&15)-1)))&(len(lit)-1)]
			}
			switch {
			case e&isLiteral != 0:
				bits >>= e & 63
				nbits -= uint(e & 0xff)
				out[tail] = byte(e >> 16)
				tail++
				continue
			case e&isEnd != 0:
				bits >>= e & 63
				nbits -= uint(e & 0xff)
				d.blockEnd()
				break loop
			case e&isInvalid != 0:
				err = ErrCorrupt
				break loop
			}
		}
		length := int(e>>16) + int(uint32(bits&(1<<(e&63)-1))>>(e>>8&15))
		bits >>= e & 63
		nbits -= uint(e & 0xff)

		bits |= binary.LittleEndian.Uint64(in[pos:]) << (nbits & 63)
		pos += int((63 - nbits) >> 3)
		nbits |= 56
		e = dist[bits&(1<<distBits-1)]
		if e&isSpecial != 0 {
			if e&isInvalid == 0 {
				bits >>= e & 63
				nbits -= uint(e & 0xff)
				e = dist[(int(e>>16)+int(bits&(1<<(e>>8&15)-1)))&(len(dist)-1)]
			}
			if e&isInvalid != 0 {
				err = ErrCorrupt
				break
			}
		}
		offset := int(e>>16) + int(uint32(bits&(1<<(e&63)-1))>>(e>>8&15))
		bits >>= e & 63
		nbits -= uint(e & 0xff)
		if offset > tail-d.start {
			err = ErrCorrupt
			break
		}
		repeat(out, tail, offset, length)
		tail += length
	}
	d.pos, d.bits, d.nbits = pos, bits, nbits
	if (err == nil || errors.Is(err, ErrCorrupt)) && d.overrun() {
		tail, err = sure, io.ErrUnexpectedEOF
	}
	d.tail = tail
	return err
}

// repeat appends at tail what stands offset before it. It may write up to
// seven bytes more.
func repeat(out []byte, tail, offset, length int) {
	from := tail - offset
	switch {
	case offset >= 8 && length <= 64:
		to, src := out[tail:tail+length+8], out[from:from+length+8]
		for i := 0; i < length; i += 8 {
			binary.LittleEndian.PutUint64(to[i:], binary.LittleEndian.Uint64(src[i:]))
		}
	case length < 16:
		for i := range length {
			out[tail+i] = out[from+i]
		}
	default:
		for done := 0; done < length; { // each time, there is more to copy from
			done += copy(out[tail+done:tail+length], out[from:tail+done])
		}
	}
}
