package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/klauspost/compress/zstd"

	"esd/internal/state"
	"esd/internal/state/backend/wire"
)

func TestWhatWasPackedIsUnpacked(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{
		"nothing":    {},
		"a document": []byte(`{"format_version": 1}`),
		"a long one": bytes.Repeat([]byte("0123456789abcdef"), 1<<16),
	} {
		packed, err := wire.Pack(data)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := wire.Unpack(packed, "x"); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestWhatIsTooLargeIsNotUnpacked(t *testing.T) {
	t.Parallel()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	bomb := enc.EncodeAll(make([]byte, state.MaxSize+1), nil)
	if data, err := wire.Unpack(bomb, "x"); !errors.Is(err, state.ErrTooLarge) || data != nil {
		t.Errorf("%d bytes of %d: %v", len(bomb), len(data), err)
	}
}

func TestDamageIsAnError(t *testing.T) {
	t.Parallel()
	packed, err := wire.Pack(bytes.Repeat([]byte("a document of some length, "), 100))
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(packed)
	flipped[len(flipped)/2] ^= 1
	for name, data := range map[string][]byte{
		"cut": packed[:len(packed)-3], "flipped": flipped, "a page": []byte("<html>log in</html>"),
	} {
		var format *state.FormatError
		if _, err := wire.Unpack(data, "x"); !errors.As(err, &format) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
