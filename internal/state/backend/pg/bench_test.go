package pg_test

import (
	"crypto/rand"
	"fmt"
	"testing"

	"esd/internal/state/backend/pg"
	"esd/internal/state/backend/pg/pgtest"
)

func benchPlace(b *testing.B) place {
	b.Helper()
	server := pgtest.Start(b, pgtest.Options{})
	p := place{}
	p.ConnString, p.Schema, p.Name = server.ConnString("postgres"), "esd", "bench"
	return p
}

func BenchmarkLockWriteUnlock(b *testing.B) {
	p := benchPlace(b)
	backend := open(p.location())
	serial := int64(0)
	for b.Loop() {
		l, err := backend.Lock(b.Context(), request("apply"))
		if err != nil {
			b.Fatal(err)
		}
		serial++
		if err := l.Write(b.Context(), newState(serial)); err != nil {
			b.Fatal(err)
		}
		if err := l.Unlock(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDocumentOf60MB(b *testing.B) {
	p := benchPlace(b)
	store, err := pg.NewStore(p.Options)
	if err != nil {
		b.Fatal(err)
	}
	data := make([]byte, 60<<20)
	if _, err := rand.Read(data); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for i := 0; b.Loop(); i++ {
		name := fmt.Sprintf("d%d", i)
		if err := store.Put(b.Context(), name, data); err != nil {
			b.Fatal(err)
		}
		if _, err := store.Get(b.Context(), name); err != nil {
			b.Fatal(err)
		}
		if err := store.Delete(b.Context(), name); err != nil {
			b.Fatal(err)
		}
	}
}
