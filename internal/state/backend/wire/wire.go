// Package wire is how states travel to the places that keep them elsewhere, and
// rest there: compressed, as one frame of zstd (RFC 8878), so that `zstd -d`
// makes a frame readable.
//
// What comes back is somebody else's: it is unpacked into a bounded space, and
// a frame that is damaged is an error, never half a document.
package wire

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"esd/internal/state"
)

// Extension is the end of the names of packed documents.
const Extension = ".zst"

// Pack compresses a document. The same document makes the same bytes with the
// same version of esd; no other version need make them.
func Pack(data []byte) ([]byte, error) {
	// One goroutine: the frame is to be the same on every machine.
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault))
	if err != nil {
		return nil, fmt.Errorf("compress the state: %w", err)
	}
	defer enc.Close()
	return enc.EncodeAll(data, make([]byte, 0, len(data)/4)), nil
}

// Unpack is the document that was packed. Source names it in errors: a
// *state.FormatError with state.ErrTooLarge if it were larger than
// state.MaxSize, with state.ErrTruncated or state.ErrInvalid if it is damaged.
func Unpack(packed []byte, source string) ([]byte, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(state.MaxSize))
	if err != nil {
		return nil, fmt.Errorf("decompress the state: %w", err)
	}
	defer dec.Close()
	data, err := dec.DecodeAll(packed, nil)
	if err != nil {
		return nil, damaged(err, source)
	}
	return data, nil
}

func damaged(err error, source string) error {
	out := &state.FormatError{Source: source, Err: state.ErrInvalid, Detail: "its compressed form is damaged: " + err.Error(),
		Fix: "go back to a version before, where the place that keeps it has one"}
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) {
		out.Err, out.Detail = state.ErrTooLarge, fmt.Sprintf("unpacked it would have more than %d bytes", state.MaxSize)
		out.Fix = "check the address of the state"
	}
	return out
}
