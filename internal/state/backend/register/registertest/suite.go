package registertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"testing"

	"esd/internal/state/backend/register"
)

// Run checks that a store is what package register needs. open returns another
// client of the same, empty store at each call.
func Run(t *testing.T, open func() register.Store) {
	t.Helper()
	for _, step := range []struct {
		name string
		test func(*testing.T, func() register.Store)
	}{
		{"a store begins without head", empty},
		{"a swap replaces the head that it names and no other", swaps},
		{"of many swaps at once one succeeds", races},
		{"documents are kept as they are", documents},
		{"a session ends with its client", sessions},
		{"documents are listed", lists},
		{"a store that keeps to its contract is not suspected", probes},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.test(t, open) }) {
			return
		}
	}
}

func empty(t *testing.T, open func() register.Store) {
	if head, version, err := open().Load(t.Context()); head != nil || version != "" || err != nil {
		t.Errorf("%q, %q, %v", head, version, err)
	}
	if _, err := open().Swap(t.Context(), "1", []byte("{}")); !errors.Is(err, register.ErrChanged) {
		t.Errorf("a swap of a head that is not there: %v", err)
	}
}

func swaps(t *testing.T, open func() register.Store) {
	s, other := open(), open()
	first, err := s.Swap(t.Context(), "", []byte(`{"n": 1}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Swap(t.Context(), "", []byte(`{"n": 0}`)); !errors.Is(err, register.ErrChanged) {
		t.Errorf("a second first head: %v", err)
	}
	second, err := other.Swap(t.Context(), first, []byte(`{"n": 2}`))
	if err != nil || second == first {
		t.Fatalf("%q after %q, %v", second, first, err)
	}
	if _, err := s.Swap(t.Context(), first, []byte(`{"n": 3}`)); !errors.Is(err, register.ErrChanged) {
		t.Errorf("a swap of an older head: %v", err)
	}
	if head, version, err := s.Load(t.Context()); string(head) != `{"n": 2}` || version != second || err != nil {
		t.Errorf("%s, %q, %v; want version %q", head, version, err, second)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Swap(ctx, second, []byte(`{"n": 4}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("a swap that was cancelled: %v", err)
	}
	if _, _, err := s.Load(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled look: %v", err)
	}
}

func races(t *testing.T, open func() register.Store) {
	for round := range 5 {
		_, version, err := open().Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		const n = 10
		results := make([]error, n)
		var wg sync.WaitGroup
		for i := range n {
			s := open()
			wg.Go(func() {
				_, results[i] = s.Swap(t.Context(), version, fmt.Appendf(nil, `{"round": %d, "n": %d}`, round, i))
			})
		}
		wg.Wait()
		won := 0
		for _, err := range results {
			if err == nil {
				won++
			} else if !errors.Is(err, register.ErrChanged) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d of %d swaps of the same head succeeded", won, n)
		}
	}
}

func documents(t *testing.T, open func() register.Store) {
	s, other := open(), open()
	if _, err := s.Get(t.Context(), "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a document that is not there: %v", err)
	}
	if err := s.Delete(t.Context(), "none"); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
	for name, data := range map[string][]byte{"0000000001-000001-0123456789abcdef.json.zst": {0, 1, 0xff, '\r', '\n'}, "large.x": bytes.Repeat([]byte("0123456789abcdef"), 1<<16)} {
		for range 2 {
			if err := s.Put(t.Context(), name, data); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := other.Get(t.Context(), name); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if err := other.Delete(t.Context(), name); err != nil {
			t.Error(err)
		}
		if _, err := s.Get(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a document that was deleted: %v", err)
		}
	}
}

func sessions(t *testing.T, open func() register.Store) {
	s, ok := open().(register.Sessions)
	if !ok {
		t.Skip("this store has no sessions")
	}
	other := open().(register.Sessions)
	gone := func(want bool, when string) {
		t.Helper()
		if got, err := open().(register.Sessions).Gone(t.Context(), 7); got != want || err != nil {
			t.Errorf("%s: gone is %v, %v", when, got, err)
		}
	}
	first, err := s.Begin(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	// As when a lock is taken, a swap follows: a place may record by it that there is a mark.
	_, version, err := s.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Swap(t.Context(), version, []byte(`{"fence": 7}`)); err != nil {
		t.Fatal(err)
	}
	gone(false, "with one mark")
	second, err := other.Begin(t.Context(), 7)
	if err != nil {
		t.Fatal(err)
	}
	first()
	gone(false, "with the mark of another client")
	second()
	second()
	gone(true, "without marks")
}

func lists(t *testing.T, open func() register.Store) {
	s, ok := open().(register.Lister)
	if !ok {
		t.Skip("this store does not list")
	}
	want := []string{"a.zst", "b-1.zst"}
	for _, name := range want {
		if err := s.Put(t.Context(), name, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	names, err := s.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range want {
		if !slices.Contains(names, name) {
			t.Errorf("%s is not among %q", name, names)
		}
	}
}

func probes(t *testing.T, open func() register.Store) {
	s, ok := open().(register.Prober)
	if !ok {
		t.Skip("this store is trusted")
	}
	for range 3 {
		if err := s.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
