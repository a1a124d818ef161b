package state_test

import (
	"fmt"
	"testing"

	"esd/internal/state"
)

// BenchmarkReadChangeWrite reads a document, changes one object and encodes it
// again; the time on disk is in the benchmark of the local backend.
func BenchmarkReadChangeWrite(b *testing.B) {
	for _, n := range []int{2_000, 100_000} {
		data := []byte(encode(b, large(n)))
		b.Run(fmt.Sprintf("objects=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := state.Decode(data, "f")
				if err != nil {
					b.Fatal(err)
				}
				changed := *s.Get("recipe.package-001000")
				changed.Tainted = true
				s.Put(&changed)
				s.Serial++
				if _, err := state.Encode(s); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(data))/float64(n), "B/object")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	data := []byte(encode(b, large(100_000)))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := state.Decode(data, "f"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	s := large(100_000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := state.Encode(s); err != nil {
			b.Fatal(err)
		}
	}
}
