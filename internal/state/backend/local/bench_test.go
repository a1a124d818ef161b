package local_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/local"
)

// BenchmarkReadChangeWrite locks, reads, changes one object, writes with all
// the fsyncs and unlocks.
func BenchmarkReadChangeWrite(b *testing.B) {
	for _, n := range []int{2_000, 100_000} {
		b.Run(fmt.Sprintf("objects=%d", n), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "s.json")
			change(b, path, func(*state.State) *state.State { return large(n) })
			b.ReportAllocs()
			for b.Loop() {
				change(b, path, func(s *state.State) *state.State {
					o := *s.Get("recipe.package-001000")
					o.Tainted = !o.Tainted
					s.Put(&o)
					s.Serial++
					return s
				})
			}
			_, meta, err := local.New(path).Read(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(meta.Size)/float64(n), "B/object")
		})
	}
}

// change does what a command does, with a new client each time.
func change(b *testing.B, path string, edit func(*state.State) *state.State) {
	b.Helper()
	store := local.New(path)
	l, err := store.Lock(b.Context(), backend.NewLockInfo(backend.LockRequest{Operation: "apply", Now: time.Unix(0, 0)}))
	if err != nil {
		b.Fatal(err)
	}
	s, _, err := store.Read(b.Context())
	if err == nil {
		err = l.Write(b.Context(), edit(s))
	}
	if err == nil {
		err = l.Unlock(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
}

// large makes n objects with 4 dependencies each.
func large(n int) *state.State {
	s := newState(1)
	name := func(i int) string { return fmt.Sprintf("package-%06d", i) }
	for i := range n {
		sum := sha256.Sum256([]byte(name(i)))
		key := hex.EncodeToString(sum[:])
		o := &state.Object{
			Address: "recipe." + name(i), Kind: "recipe", Key: key, When: "2026-11-21T10:00:00Z",
			Attributes: state.Attributes{"digest": "sha256:" + key, "prefix": "/opt/esd/" + name(i) + "-" + key[:12], "size": 1000000 + i},
			Inputs:     map[string]string{"script": key[:12], "source": key[12:24], "version": key[24:36]},
		}
		for d := 1; d <= 4 && i-d*7 >= 0; d++ {
			o.Dependencies = append(o.Dependencies, "recipe."+name(i-d*7))
			o.Inputs["needs "+name(i-d*7)] = key[36+d : 48+d]
		}
		s.Put(o)
	}
	return s
}
