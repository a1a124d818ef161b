package wire_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"esd/internal/state"
	"esd/internal/state/backend/wire"
)

const lineage = "6b1f3a0e-9d55-4f0e-8a55-0c7e8f3f2a11"

func encode(t testing.TB, s *state.State) []byte {
	t.Helper()
	data, err := state.Encode(s)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// recorded makes a state as runs record it: recipes with four random
// dependencies each, and how long each took. All that can be random is, so no
// real state of as many objects is larger.
func recorded(n int) *state.State {
	random := rand.New(rand.NewPCG(1, 2))
	digits := func(n int) string {
		b := make([]byte, n/2)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return hex.EncodeToString(b)
	}
	s := state.New(lineage, "0.1.0")
	s.Serial = 2
	keys := make([]string, n)
	for i := range n {
		keys[i] = digits(64)
		name, version := fmt.Sprintf("p%d", i), fmt.Sprintf("1.%d", i%4)
		size := 100_000 + random.IntN(1_000_000_000)
		o := &state.Object{
			Address: "recipe." + name, Kind: "recipe", Key: keys[i],
			When: fmt.Sprintf("2026-11-21T%02d:%02d:%02dZ", random.IntN(24), random.IntN(60), random.IntN(60)),
			Attributes: state.Attributes{"digest": "sha256:" + digits(64), "key": keys[i], "name": name, "version": version,
				"prefix": "/opt/esd/" + name + "-" + version + "-" + keys[i][:7], "size": size},
			Inputs: map[string]string{"name": "=" + name, "network": "=false", "platform": "=linux/amd64/debian-12", "root": "=/opt/esd",
				"script": digits(16), "source file data": digits(16), "version": "=" + version},
		}
		for range min(i, 4) {
			d := random.IntN(i)
			address := fmt.Sprintf("recipe.p%d", d)
			o.Inputs[address] = keys[d][:16]
			if !slices.Contains(o.Dependencies, address) {
				o.Dependencies = append(o.Dependencies, address)
			}
		}
		s.Put(o)
		s.Durations[o.Address+"#build"] = state.Duration{
			Seconds: float64(random.Int64N(1e12)) / 1e9, PeakMemory: random.Int64N(1<<20) * 4096, Size: int64(size)}
	}
	return s
}

// awkward makes states in which everything is a little different from what
// splitting expects.
func awkward() *state.State {
	s := recorded(300)
	key := s.Get("recipe.p7").Key
	for i, address := range []string{`target.image.lab["zen3"]`, `module.x["a.b"].recipe.y`, "recipe.a", "recipe.abcdef0123", "recipe.dead", "recipe.é"} {
		s.Put(&state.Object{
			Address: address, Kind: "recipe", Key: key, Dependencies: []string{"recipe.p9", "recipe.p9", "recipe.none", address},
			Attributes: state.Attributes{"name": "a", "hash": key[:9], "odd": key[:11] + "x", "digits": "00001234567890123456789", "n": i,
				"text": "tab\tquote\"line\nbackslash\\é\u2028", "nested": map[string]any{"recipe.p1": []any{"recipe.p2", "recipe.p2#x", 1.5e300, nil}}},
			Inputs: map[string]string{"recipe.p8": "0123456789abcdef", "recipe.p9": s.Get("recipe.p9").Key[:7], "recipe.p10": s.Get("recipe.p10").Key},
		})
	}
	s.Caches["cache.artifact.x"] = state.CacheSeen{Location: "oci://x", Revision: "sha256:" + key, Entries: map[string]string{key: key, "recipe.p3": key[:16]}}
	s.Durations["recipe.p299#build"] = state.Duration{Seconds: 1}
	s.Durations["recipe.p299#publish x"] = state.Duration{Seconds: 2}
	s.Outputs["o"] = state.NewOutput(json.RawMessage(`"string"`), json.RawMessage(`"recipe.p1"`))
	return s
}

func mustReturn(t testing.TB, data []byte) (packed int) {
	t.Helper()
	p, err := wire.Pack(data)
	if err != nil {
		t.Fatal(err)
	}
	got, err := wire.Unpack(p, "x")
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes came back as %d, %v", len(data), len(got), err)
	}
	return len(p)
}

func TestWhatWasPackedIsUnpacked(t *testing.T) {
	t.Parallel()
	long := encode(t, recorded(500))
	twice := bytes.Replace(long, []byte(`{"address":"recipe.p8"`), []byte(`{"address":"recipe.p7"`), 1)
	for name, data := range map[string][]byte{
		"nothing":                      {},
		"a short document":             []byte(`{"format_version": 1}`),
		"no state":                     bytes.Repeat([]byte("0123456789abcdef"), 1<<16),
		"a state":                      long,
		"an awkward state":             encode(t, awkward()),
		"an address that stands twice": twice,
		"a cut one":                    long[:len(long)-100],
		"one line":                     bytes.ReplaceAll(long, []byte("\n"), []byte(" ")),
		"control characters":           bytes.ReplaceAll(long, []byte("linux"), []byte("\x01\x07\x10\xff")),
		"no UTF-8":                     bytes.ReplaceAll(long, []byte("linux"), []byte("\xff\xfe\x80")),
		"upper case":                   bytes.ToUpper(long),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustReturn(t, data)
		})
	}
}

// The bound is that of the project for 100,000 objects.
func TestStatesOf100000ObjectsStayBelow12MB(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("100,000 objects are left out with -short")
	}
	data := encode(t, recorded(100_000))
	packed := mustReturn(t, data)
	t.Logf("%d bytes of %d", packed, len(data))
	if packed >= 12_000_000 {
		t.Errorf("%d bytes", packed)
	}
}

func TestThePackedFormIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	data := encode(t, recorded(500))
	first, _ := wire.Pack(data)
	second, _ := wire.Pack(data)
	if !bytes.Equal(first, second) {
		t.Error("it is not")
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
	short, err := wire.Pack([]byte(strings.Repeat("a document of some length, ", 100)))
	if err != nil {
		t.Fatal(err)
	}
	data := encode(t, recorded(500))
	long, err := wire.Pack(data)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string][]byte{"a page": []byte("<html>log in</html>"), "a short one, cut": short[:len(short)-3], "of a newer esd": bytes.Replace(long, []byte("esd\x01"), []byte("esd\x02"), 1),
		"more behind it": append(bytes.Clone(long), 0), "twice": append(bytes.Clone(long), long...)}
	for _, n := range []int{1, 4, 7, 8, 10, 20, 40, len(long) / 2, len(long) - 1} {
		cases[fmt.Sprintf("cut to %d", n)] = long[:n]
		flipped := bytes.Clone(long)
		flipped[n] ^= 1
		cases[fmt.Sprintf("byte %d flipped", n)] = flipped
	}
	for name, damaged := range cases {
		var format *state.FormatError
		if got, err := wire.Unpack(damaged, "x"); !errors.As(err, &format) && !bytes.Equal(got, data) {
			t.Errorf("%s: %v", name, err)
		} else if err != nil && got != nil {
			t.Errorf("%s: half a document", name)
		}
	}
}

// lengthen makes a short document as long as those that are split.
func lengthen(data []byte) []byte {
	return append(bytes.Clone(data), bytes.Repeat([]byte("\n"), 1<<14)...)
}

func FuzzUnpack(f *testing.F) {
	packed, err := wire.Pack(lengthen(encode(f, recorded(3))))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := wire.Unpack(data, "x")
		if err != nil && got != nil || len(got) > state.MaxSize {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

func BenchmarkPack(b *testing.B) {
	data := encode(b, recorded(100_000))
	packed, err := wire.Pack(data)
	if err != nil {
		b.Fatal(err)
	}
	for name, run := range map[string]func() ([]byte, error){
		"pack":   func() ([]byte, error) { return wire.Pack(data) },
		"unpack": func() ([]byte, error) { return wire.Unpack(packed, "x") },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := run(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(packed)), "packed-B")
		})
	}
}
