package store

import (
	"fmt"
	"os"
	"testing"

	"esd/internal/spack"
)

// bigStore has a database of count records with five dependencies each.
func bigStore(b *testing.B, count int) (*Store, *dag) {
	b.Helper()
	d, s := newDAG(b), openStore(b, b.TempDir(), Options{Projection: spack.DefaultProjection})
	for i := range count {
		var needs []string
		for back := 1; back <= 5 && back <= i; back++ {
			needs = append(needs, fmt.Sprintf("package-%05d:build,link", i-back))
		}
		d.add(fmt.Sprintf("package-%05d", i), needs...)
	}
	err := s.update(b.Context(), func(r *Records) (bool, error) {
		for _, spec := range d.specs {
			a := addition{spec: spec, prefix: prefixOf(b, s, spec)}
			if err := s.addInstalled(r, a, d.specs, noon); err != nil {
				return false, err
			}
		}
		return true, nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return s, d
}

func BenchmarkRead10000(b *testing.B) {
	s, _ := bigStore(b, 10_000)
	info, err := os.Stat(s.dbPath("index.json"))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	b.ReportAllocs()
	for b.Loop() {
		fresh, err := Open(s.UnpaddedRoot(), Options{Projection: spack.DefaultProjection})
		if err != nil {
			b.Fatal(err)
		}
		records, err := fresh.Records(b.Context())
		if err != nil || records.Len() != 10_000 {
			b.Fatal(records.Len(), err)
		}
	}
}

func BenchmarkReadUnchanged10000(b *testing.B) {
	s, _ := bigStore(b, 10_000)
	b.ResetTimer()
	for b.Loop() {
		if _, err := s.Records(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAddOneTo10000(b *testing.B) {
	s, d := bigStore(b, 10_000)
	i := 0
	for b.Loop() {
		b.StopTimer()
		i++
		spec := d.add(fmt.Sprintf("new-%d", i), "package-00007:link")
		b.StartTimer()
		err := s.update(b.Context(), func(r *Records) (bool, error) {
			return true, s.addInstalled(r, addition{spec: spec, prefix: "/p"}, d.specs, noon)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
