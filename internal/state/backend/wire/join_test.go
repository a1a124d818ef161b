package wire

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Streams that nobody has compressed reach what damage to frames, which have
// checksums, does not.
func TestStreamsThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	good := streams{text: []byte("\x01 \x07\x08 \x04 \x05 \x09\x02 \x13"), addresses: []byte("a.b\nc.d\n"), keys: slices.Repeat([]byte{0xab}, 64),
		hashes: []byte{1, 2}, digits: []byte("123"), refs: []byte{2, 0, 0}}
	want := "a.b abababab c.d c.d 0102 123"
	if out, err := good.join(len(want)); err != nil || string(out) != want {
		t.Fatalf("%q, %v", out, err)
	}
	for name, spoil := range map[string]func(*streams){
		"another size":                func(s *streams) { s[text] = append(s[text], ' ') },
		"an unknown mark":             func(s *streams) { s[text] = []byte("\x0b") },
		"a mark without its byte":     func(s *streams) { s[text] = []byte("\x01\x07") },
		"too few hashes":              func(s *streams) { s[hashes] = nil },
		"too many hashes":             func(s *streams) { s[hashes] = make([]byte, 3) },
		"too few digits":              func(s *streams) { s[digits] = nil },
		"too few refs":                func(s *streams) { s[refs] = nil },
		"a ref to nothing":            func(s *streams) { s[refs] = []byte{0xff, 0xff, 0xff} },
		"a ref before the first":      func(s *streams) { s[refs] = []byte{3, 0, 0} },
		"an object without key":       func(s *streams) { s[keys] = s[keys][:32] },
		"no end of an address":        func(s *streams) { s[addresses] = []byte("a.b\nc.d") },
		"an empty address":            func(s *streams) { s[addresses] = []byte("\na.b\n") },
		"a key of no object":          func(s *streams) { s[text] = []byte("\x07\x08") },
		"a key of nobody else":        func(s *streams) { s[text] = []byte("\x01\x08\x08") },
		"more digits than a key":      func(s *streams) { s[text] = []byte("\x01\x07\x50") },
		"again without a first":       func(s *streams) { s[text] = []byte("\x01\x05") },
		"the address before all":      func(s *streams) { s[text] = []byte("\x03") },
		"a jump out of the table":     func(s *streams) { s[text] = []byte("\x02"); s[refs] = []byte{0xff, 0, 0} },
		"an object of an empty table": func(s *streams) { s[text], s[addresses], s[keys] = []byte("\x01"), nil, nil },
	} {
		s := streams{}
		for i := range good {
			s[i] = slices.Clone(good[i])
		}
		spoil(&s)
		if out, err := s.join(len(want)); err == nil || out != nil {
			t.Errorf("%s: %q, %v", name, strings.ToValidUTF8(string(out), "?"), err)
		}
	}
}

// It takes a few thousand bytes to send line feeds without end. The test runs
// by itself, as it measures.
func TestAddressesWithoutEndDoNotFillTheMemory(t *testing.T) {
	const size = 64 << 20
	feeds := streams{text: []byte("x"), addresses: bytes.Repeat([]byte("\n"), size)}
	packed, err := feeds.pack(1)
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = Unpack(packed, "here")
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; err == nil || taken > 4*size {
		t.Errorf("%d bytes became %d: %v", len(packed), taken, err)
	}
}

func FuzzSplit(f *testing.F) {
	key := func(i int) string { return strings.Repeat(fmt.Sprintf("%02x", 0xa1+i), keySize) }
	object := func(i int, rest string) string {
		return fmt.Sprintf(`{"address":"recipe.p%d","kind":"recipe","key":"%s","attributes":{"digest":"sha256:%s","prefix":"/p%d-%.7s"%s}`,
			i, key(i), key(9*i+1), i, key(i), rest)
	}
	inputs := fmt.Sprintf(`,"inputs":{"recipe.p1":"%.16s","recipe.p2":"%.16s"},"dependencies":["recipe.p1","recipe.p2"]`, key(1), key(2))
	durations := "\n\"recipe.p0#build\": {\"seconds\":12.345678901234567890},\n\"recipe.p0#push\": {\"seconds\":2},\n\"recipe.p2#build\": 77"
	f.Add([]byte(object(0, inputs) + "\n" + object(1, "") + "\n" + object(2, inputs) + durations))
	f.Add([]byte(object(3, `"recipe.p3" p3 /p3 p3x "p3" recipe.p3 0123456789abcdef0 00000000`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, ok := split(data)
		if !ok {
			return
		}
		if out, err := s.join(len(data)); err != nil || !bytes.Equal(out, data) {
			t.Errorf("%q came back as %q, %v", data, out, err)
		}
	})
}
