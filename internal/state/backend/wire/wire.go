// Package wire is how states travel to the places that keep them elsewhere, and
// rest there: compressed.
//
// A large state is mostly hashes, which stand there as hexadecimal digits, in
// part again and again: a content key in the object that has it, in its prefix,
// and in the inputs of all objects that need it. No general compressor makes as
// little of that as there is in it. So a document is split first, into streams
// each of which is of one nature; see [split]. What is packed is a row of zstd
// frames (RFC 8878): one that decoders skip, which says how the streams make a
// document again, and one for each stream. A document that cannot be split, or
// would not gain, is one plain frame.
//
// What comes back is somebody else's: it is unpacked into a bounded space, and
// what is damaged is an error, never half a document.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"esd/internal/state"
)

// Extension is the end of the names of packed documents.
const Extension = ".zst"

// small is the size in bytes below which splitting a document gains nothing.
const small = 16 << 10

// Pack compresses a document. The same document makes the same bytes with the
// same version of esd; no other version need make them.
func Pack(data []byte) ([]byte, error) {
	if len(data) < small {
		return compress(data)
	}
	s, ok := split(data)
	if !ok {
		return compress(data)
	}
	return s.pack(len(data))
}

// window is how far back a frame refers, in bytes. Its reader needs as much.
const window = 8 << 20

// compress makes one frame.
func compress(data []byte) ([]byte, error) {
	// One goroutine: the frame is to be the same on every machine.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBetterCompression), zstd.WithWindowSize(window))
	if err != nil {
		return nil, fmt.Errorf("compress the state: %w", err)
	}
	defer enc.Close()
	return enc.EncodeAll(data, nil), nil
}

// mark begins the frame that decoders skip, behind its length.
const mark = "esd\x01"

// skippable is the magic number of that frame: one of the sixteen that RFC 8878
// (3.1.2) leaves to everybody.
const skippable = 0x184D2A5E

// pack writes the frames of the streams of a document of some size. Each is
// compressed by itself, side by side.
func (s *streams) pack(size int) ([]byte, error) {
	var frames [streamCount][]byte
	var faults [streamCount]error
	var wg sync.WaitGroup
	for i := range s {
		wg.Go(func() { frames[i], faults[i] = compress(s[i]) })
	}
	wg.Wait()
	if err := errors.Join(faults[:]...); err != nil {
		return nil, err
	}
	table := binary.AppendUvarint([]byte(mark), uint64(size))
	total := 0
	for i, frame := range frames {
		table = binary.AppendUvarint(table, uint64(len(s[i])))
		table = binary.AppendUvarint(table, uint64(len(frame)))
		total += len(frame)
	}
	out := make([]byte, 0, 8+len(table)+total)
	out = binary.LittleEndian.AppendUint32(out, skippable)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(table)))
	out = append(out, table...)
	for _, frame := range frames {
		out = append(out, frame...)
	}
	return out, nil
}

// Unpack is the document that was packed. Source names it in errors: a
// *state.FormatError with state.ErrTooLarge if it were larger than
// state.MaxSize, or with state.ErrInvalid if it is damaged.
func Unpack(packed []byte, source string) ([]byte, error) {
	if len(packed) >= 8 && binary.LittleEndian.Uint32(packed) == skippable {
		data, err := unpack(packed)
		return data, explain(err, source)
	}
	data, err := decompress(packed, state.MaxSize)
	return data, explain(err, source)
}

// Faults of packed documents.
var (
	errDamaged = errors.New("its streams do not fit together")
	errNewer   = errors.New("it was packed by a newer esd: use that")
)

func unpack(packed []byte) ([]byte, error) {
	length := binary.LittleEndian.Uint32(packed[4:])
	packed = packed[8:]
	if uint64(length) > uint64(len(packed)) || int(length) < len(mark) || string(packed[:len(mark)-1]) != mark[:len(mark)-1] {
		return nil, errDamaged
	}
	if packed[len(mark)-1] != mark[len(mark)-1] {
		return nil, errNewer
	}
	table, frames := packed[len(mark):length], packed[length:]
	size, n := binary.Uvarint(table)
	if n <= 0 {
		return nil, errDamaged
	}
	if size > state.MaxSize {
		return nil, zstd.ErrDecoderSizeExceeded
	}
	s, err := readStreams(table[n:], frames)
	if err != nil {
		return nil, err
	}
	return s.join(int(size))
}

// readStreams decompresses the streams, each in the space that the table says.
func readStreams(table, frames []byte) (*streams, error) {
	var s streams
	total := uint64(0)
	for i := range s {
		plain, n := binary.Uvarint(table)
		if n <= 0 {
			return nil, errDamaged
		}
		table = table[n:]
		length, n := binary.Uvarint(table)
		if n <= 0 || length > uint64(len(frames)) || plain > state.MaxSize {
			return nil, errDamaged
		}
		table = table[n:]
		// A stream never has more than the document has, and few have as much.
		if total += plain; total > state.MaxSize+state.MaxSize/2 {
			return nil, zstd.ErrDecoderSizeExceeded
		}
		data, err := decompress(frames[:length], plain)
		if err != nil {
			return nil, err
		}
		if uint64(len(data)) != plain {
			return nil, errDamaged
		}
		s[i], frames = data, frames[length:]
	}
	if len(table) > 0 || len(frames) > 0 {
		return nil, errDamaged
	}
	return &s, nil
}

// decompress reads frames of at most limit bytes, or window if that is more.
func decompress(packed []byte, limit uint64) ([]byte, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(max(limit, window)))
	if err != nil {
		return nil, fmt.Errorf("decompress the state: %w", err)
	}
	defer dec.Close()
	data, err := dec.DecodeAll(packed, nil)
	if err != nil {
		return nil, err // and not the part that could be read
	}
	return data, nil
}

func explain(err error, source string) error {
	if err == nil {
		return nil
	}
	out := &state.FormatError{Source: source, Err: state.ErrInvalid, Detail: "its compressed form is damaged: " + err.Error(),
		Fix: "go back to a version before, where the place that keeps it has one"}
	switch {
	case errors.Is(err, errNewer):
		out.Detail, out.Fix = err.Error(), "update esd"
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		out.Err, out.Detail = state.ErrTooLarge, fmt.Sprintf("unpacked it would have more than %d bytes", state.MaxSize)
		out.Fix = "check the address of the state"
	}
	return out
}
