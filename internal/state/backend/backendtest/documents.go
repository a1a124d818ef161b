package backendtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"esd/internal/state"
	"esd/internal/state/backend"
)

func empty(t *testing.T, store Store, _ Options) {
	ctx := context.Background()
	s, meta, err := store.Open().Read(ctx)
	if s != nil || meta != (backend.Meta{}) || err != nil {
		t.Errorf("read: %v, %+v, %v", s, meta, err)
	}
	if holder, err := store.Open().Holder(ctx); holder != nil || err != nil {
		t.Errorf("holder: %v, %v", holder, err)
	}
	l := mustLock(t, store.Open(), "apply")
	if s, _, err := store.Open().Read(ctx); s != nil || err != nil {
		t.Errorf("read while locked: %v, %v", s, err)
	}
	mustUnlock(t, l)
}

func written(t *testing.T, store Store, _ Options) {
	l := mustLock(t, store.Open(), "apply")
	for serial := int64(1); serial <= 3; serial++ {
		mustWrite(t, l, sample(serial, int(serial)))
		mustHold(t, store, sample(serial, int(serial)))
	}
	mustUnlock(t, l)
	_, before, err := store.Open().Read(context.Background())
	if err != nil || before.Size == 0 || len(before.Digest) != 64 || before.Location == "" {
		t.Errorf("meta: %+v, %v", before, err)
	}
	l = mustLock(t, store.Open(), "apply")
	mustWrite(t, l, sample(9, 3))
	mustUnlock(t, l)
	if _, after, err := store.Open().Read(context.Background()); err != nil || after.Digest == before.Digest {
		t.Errorf("the digest did not change: %+v, %v", after, err)
	}
}

func succession(t *testing.T, store Store, _ Options) {
	ctx := context.Background()
	l := mustLock(t, store.Open(), "apply")
	mustWrite(t, l, sample(5, 1))
	mustUnlock(t, l)
	foreign := sample(6, 1)
	foreign.Lineage = "00000000-0000-4000-8000-000000000000"
	// Once with the client that wrote it, once with one that has read nothing.
	for range 2 {
		l = mustLock(t, store.Open(), "apply")
		for name, next := range map[string]*state.State{
			"same serial": sample(5, 2), "lower serial": sample(4, 2), "other lineage": foreign,
		} {
			var conflict *state.ConflictError
			if err := l.Write(ctx, next); !errors.As(err, &conflict) || conflict.Recorded.Serial != 5 {
				t.Errorf("%s: %v", name, err)
			}
			mustHold(t, store, sample(5, 1))
		}
		mustUnlock(t, l)
	}
}

func overwrite(t *testing.T, store Store, opts Options) {
	ctx := context.Background()
	l := mustLock(t, store.Open(), "state push")
	mustWrite(t, l, sample(5, 1))
	other := sample(2, 2)
	if opts.SerialsGrow {
		other = sample(6, 2)
	}
	other.Lineage = "00000000-0000-4000-8000-000000000000"
	if err := l.Overwrite(ctx, other); err != nil {
		t.Fatal(err)
	}
	mustHold(t, store, other)
	if err := store.Plant([]byte("{")); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(ctx, sample(9, 1)); !errors.Is(err, state.ErrTruncated) {
		t.Errorf("write over a truncated state: %v", err)
	}
	if err := l.Overwrite(ctx, sample(9, 1)); err != nil {
		t.Fatal(err)
	}
	mustHold(t, store, sample(9, 1))
	mustUnlock(t, l)
}

func invalid(t *testing.T, store Store, _ Options) {
	l := mustLock(t, store.Open(), "apply")
	mustWrite(t, l, sample(1, 1))
	next := sample(2, 2)
	next.Put(&state.Object{Address: "recipe.x", Kind: "recipe", Key: "too short"})
	if err := l.Write(context.Background(), next); err == nil {
		t.Error("written")
	}
	mustHold(t, store, sample(1, 1))
	mustUnlock(t, l)
}

func unreadable(t *testing.T, store Store, opts Options) {
	ctx := context.Background()
	good, err := state.Encode(sample(3, 3))
	if err != nil {
		t.Fatal(err)
	}
	l := mustLock(t, store.Open(), "apply")
	for _, tc := range []struct {
		data string
		is   error
	}{
		{"", state.ErrTruncated},
		{string(good[:len(good)/2]), state.ErrTruncated},
		{strings.Replace(string(good), `"recipe"`, `5`, 1), state.ErrInvalid},
		{`{"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "x"}`, state.ErrForeign},
		{"<html>log in</html>", state.ErrForeign},
		{strings.Replace(string(good), `"format_version": 1`, `"format_version": 2`, 1), state.ErrNewerFormat},
	} {
		if tc.data == "" && opts.EmptyIsNone {
			continue
		}
		if err := store.Plant([]byte(tc.data)); err != nil {
			t.Fatal(err)
		}
		if s, _, err := store.Open().Read(ctx); !errors.Is(err, tc.is) || s != nil {
			t.Errorf("read %.40q: %v, %v", tc.data, s, err)
		}
		if err := l.Write(ctx, sample(9, 9)); !errors.Is(err, tc.is) {
			t.Errorf("write over %.40q: %v", tc.data, err)
		}
		if raw, err := store.Raw(); err != nil || string(raw) != tc.data {
			t.Errorf("%.40q became %.40q, %v", tc.data, raw, err)
		}
	}
	mustUnlock(t, l)
}

func readers(t *testing.T, store Store, _ Options) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l := mustLock(t, store.Open(), "apply")
	mustWrite(t, l, sample(1, 500))
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			b, last := store.Open(), int64(0)
			for ctx.Err() == nil {
				s, _, err := b.Read(context.Background())
				if err != nil || s == nil || len(s.Objects) != 500 || s.Serial < last {
					t.Errorf("read %s after serial %d: %v", describe(s), last, err)
					return
				}
				last = s.Serial
			}
		})
	}
	for serial := int64(2); serial <= 30; serial++ {
		mustWrite(t, l, sample(serial, 500))
	}
	cancel()
	wg.Wait()
	mustUnlock(t, l)
}

func large(t *testing.T, store Store, _ Options) {
	if testing.Short() {
		t.Skip("50 MB are left out with -short")
	}
	s := sample(1, 100)
	value, err := json.Marshal(strings.Repeat("0123456789abcdef", 50<<20/16))
	if err != nil {
		t.Fatal(err)
	}
	s.Outputs["large"] = state.NewOutput(json.RawMessage(`"string"`), value)
	l := mustLock(t, store.Open(), "apply")
	mustWrite(t, l, s)
	got, meta, err := store.Open().Read(context.Background())
	if err != nil || meta.Size < 50<<20 {
		t.Fatalf("%+v, %v", meta, err)
	}
	if !bytes.Equal(got.Outputs["large"].Value(), value) {
		t.Error("came back different")
	}
	mustWrite(t, l, sample(2, 1))
	mustUnlock(t, l)
	mustHold(t, store, sample(2, 1))
}
