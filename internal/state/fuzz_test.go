package state_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"esd/internal/state"
)

func FuzzDecode(f *testing.F) {
	f.Add([]byte(encode(f, full())))
	f.Add([]byte(encode(f, several())))
	for _, seed := range []string{
		``, `{}`, `[]`, `{"format_version": 2}`, `{"version": 4, "terraform_version": "1"}`,
		`{"format_version":1,"lineage":"6b1f3a0e-9d55-4f0e-8a55-0c7e8f3f2a11","serial":1,"x":{"y":[1e5,-0,"\u00e9\ud83d\ude00\u0000"]}}`,
		`{"serial":1,"lineage":"6b1f3a0e-9d55-4f0e-8a55-0c7e8f3f2a11","format_version":1,"outputs":{"a":{"value":null,"type":"dynamic"}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := state.Decode(data, "f")
		if err != nil {
			var format *state.FormatError
			if !errors.As(err, &format) && !errors.Is(err, state.ErrNewerFormat) {
				t.Fatalf("an error of another type: %T %v", err, err)
			}
			return
		}
		if !json.Valid(data) {
			t.Fatal("accepted what is no JSON")
		}
		once, err := state.Encode(s)
		if err != nil {
			t.Fatalf("read but cannot be written: %v", err)
		}
		back, err := state.Decode(once, "f")
		if err != nil {
			t.Fatalf("written but cannot be read: %v\n%s", err, once)
		}
		twice, err := state.Encode(back)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("not stable (%v):\n%s\n%s", err, once, twice)
		}
	})
}
