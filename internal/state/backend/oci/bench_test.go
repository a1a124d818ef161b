package oci

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	registry "esd/internal/oci"
	"esd/internal/state"
)

// BenchmarkReadChangeWrite locks, reads, changes one object, writes and unlocks, with
// a new client each time, as a command does, at the reference registry.
func BenchmarkReadChangeWrite(b *testing.B) {
	for _, n := range []int{10, 100_000} {
		b.Run(fmt.Sprintf("objects=%d", n), func(b *testing.B) {
			location := startDistribution(b, "delete: {enabled: true}") + "/team/states"
			var meter registry.Meter
			s := large(n)
			change := func() {
				ref, err := registry.ParseRef(location)
				if err != nil {
					b.Fatal(err)
				}
				store, err := registry.Open(b.Context(), ref, registry.Options{Credentials: registry.StaticCredential{}, Meter: &meter})
				if err != nil {
					b.Fatal(err)
				}
				client, err := New(store, Options{Name: "production"})
				if err != nil {
					b.Fatal(err)
				}
				l, err := client.Lock(b.Context(), request("apply"))
				if err != nil {
					b.Fatal(err)
				}
				read, _, err := client.Read(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if read != nil {
					s = read
				}
				s.Serial++
				s.Put(record(0, s.Serial))
				if err := l.Write(b.Context(), s); err != nil {
					b.Fatal(err)
				}
				if err := l.Unlock(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			change()
			meter.Reset()
			rounds := 0
			for b.Loop() {
				change()
				rounds++
			}
			traffic := meter.Snapshot()
			b.ReportMetric(float64(traffic.Total())/float64(rounds), "requests/op")
			b.ReportMetric(float64(traffic.BytesWritten)/float64(rounds)/1e6, "MB-sent/op")
		})
	}
}

func large(n int) *state.State {
	s := state.New(lineage, "0.1.0")
	for i := range n {
		s.Put(record(i, 0))
	}
	return s
}

func record(i int, serial int64) *state.Object {
	sum := sha256.Sum256(fmt.Append(nil, i, serial))
	key := hex.EncodeToString(sum[:])
	return &state.Object{
		Address: fmt.Sprintf("recipe.package-%06d", i), Kind: "recipe", Key: key, When: "2026-11-21T10:00:00Z",
		Attributes: state.Attributes{"prefix": "/opt/esd/" + key, "digest": "sha256:" + key, "size": int64(i) * 4096},
		Inputs:     map[string]string{"script": key[:12], "source": key[12:24]},
	}
}
