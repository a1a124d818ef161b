package artifact

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCache is what every kind of cache has to do.
func TestCache(t *testing.T) {
	ctx := context.Background()
	behaviours := map[string]func(t *testing.T, b backend){
		"knows nothing before anything is put": func(t *testing.T, b backend) {
			c := b.open(t)
			if _, err := c.Get(ctx, keyOf("a")); !errors.Is(err, ErrNotFound) {
				t.Errorf("Get: %v", err)
			}
			for _, n := range []int{0, 1, 100} {
				found, err := c.Has(ctx, manyKeys(n))
				if err != nil || len(found) != 0 {
					t.Errorf("Has of %d: %v, %v", n, found, err)
				}
			}
			for rec, err := range c.List(ctx) {
				t.Errorf("List: %v, %v", rec, err)
			}
			must(t, c.Delete(ctx, keyOf("a")))
		},
		"gives back what was put, also to another process": func(t *testing.T, b backend) {
			p := newProduct(t, "a", "hello")
			rec, err := b.open(t).Put(ctx, p.rec, p.open)
			must(t, err)
			if diff := cmp.Diff(p.rec, rec); diff != "" {
				t.Error(diff)
			}
			mustHave(t, b.open(t), p)
		},
		"finds the few keys that it has among many": func(t *testing.T, b backend) {
			c := b.open(t)
			for _, name := range []string{"a", "b"} {
				p := newProduct(t, name, "of "+name)
				_, err := c.Put(ctx, p.rec, p.open)
				must(t, err)
			}
			for _, n := range []int{3, 500} {
				found, err := c.Has(ctx, append(manyKeys(n), keyOf("a"), keyOf("b")))
				must(t, err)
				if len(found) != 2 || found[keyOf("a")].Key != keyOf("a") || found[keyOf("b")].Archive.Size == 0 {
					t.Errorf("among %d: %v", n, found)
				}
			}
		},
		"keeps the first product of a key": func(t *testing.T, b backend) {
			first, second := newProduct(t, "a", "first"), newProduct(t, "a", "second")
			_, err := b.open(t).Put(ctx, first.rec, first.open)
			must(t, err)
			rec, err := b.open(t).Put(ctx, second.rec, func() (io.ReadCloser, error) {
				t.Error("the second product was opened")
				return second.open()
			})
			must(t, err)
			if rec.Archive != first.rec.Archive {
				t.Error("Put gave the second product")
			}
			mustHave(t, b.open(t), first)
		},
		"keeps one archive for two keys with the same product": func(t *testing.T, b backend) {
			c := b.open(t)
			p, q := newProduct(t, "a", "same"), newProduct(t, "b", "same")
			for _, p := range []product{p, q} {
				_, err := c.Put(ctx, p.rec, p.open)
				must(t, err)
			}
			must(t, c.Delete(ctx, p.rec.Key))
			if _, err := c.Get(ctx, p.rec.Key); !errors.Is(err, ErrNotFound) {
				t.Errorf("deleted, but: %v", err)
			}
			mustHave(t, c, q)
		},
		"lists records in the order of keys": func(t *testing.T, b backend) {
			c := b.open(t)
			var want []string
			for _, name := range []string{"x", "y", "z"} {
				p := newProduct(t, name, name)
				_, err := c.Put(ctx, p.rec, p.open)
				must(t, err)
				want = append(want, p.rec.Key)
			}
			slices.Sort(want)
			var got []string
			for rec, err := range c.List(ctx) {
				must(t, err)
				got = append(got, rec.Key)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		},
		"survives many writers of one key": func(t *testing.T, b backend) {
			p := newProduct(t, "a", "the same from everybody")
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					rec, err := b.open(t).Put(ctx, p.rec, p.open)
					if err != nil || rec.Archive != p.rec.Archive {
						t.Errorf("%v, %v", rec, err)
					}
				})
			}
			wg.Wait()
			mustHave(t, b.open(t), p)
		},
		"stores nothing of a product that is not what its record says": func(t *testing.T, b backend) {
			for name, change := range map[string]func([]byte) []byte{
				"shorter": func(b []byte) []byte { return b[:len(b)-1] },
				"longer":  func(b []byte) []byte { return append(bytes.Clone(b), 0) },
				"other":   flip,
			} {
				p := newProduct(t, name, "promised "+name)
				data := change(p.data)
				_, err := b.open(t).Put(ctx, p.rec, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
				if err == nil {
					t.Errorf("%s: stored", name)
				}
				if _, err := b.open(t).Get(ctx, p.rec.Key); !errors.Is(err, ErrNotFound) {
					t.Errorf("%s: record: %v", name, err)
				}
				_, err = b.open(t).Put(ctx, p.rec, p.open)
				must(t, err)
				mustHave(t, b.open(t), p)
			}
		},
		"refuses keys and records that are not": func(t *testing.T, b backend) {
			c := b.open(t)
			if _, err := c.Get(ctx, "../../etc/passwd"); err == nil || errors.Is(err, ErrNotFound) {
				t.Errorf("Get: %v", err)
			}
			p := newProduct(t, "a", "x")
			p.rec.Prefix = "/opt/../etc"
			if _, err := c.Put(ctx, p.rec, p.open); err == nil {
				t.Error("Put took a prefix with ..")
			}
		},
		"does nothing when cancelled": func(t *testing.T, b backend) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			p := newProduct(t, "a", "x")
			if _, err := b.open(t).Put(ctx, p.rec, p.open); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			if _, err := b.open(t).Get(context.Background(), p.rec.Key); !errors.Is(err, ErrNotFound) {
				t.Errorf("after: %v", err)
			}
		},
		"unpacks a product to its place": func(t *testing.T, b backend) {
			p := newProduct(t, "a", "#!/bin/sh\n")
			c := b.open(t)
			_, err := c.Put(ctx, p.rec, p.open)
			must(t, err)
			dest := filepath.Join(t.TempDir(), "prefix")
			must(t, Unpack(ctx, c, p.rec, UnpackOptions{Dest: dest}))
			data, err := os.ReadFile(filepath.Join(dest, "bin/greet"))
			if err != nil || string(data) != "#!/bin/sh\n" {
				t.Errorf("%q, %v", data, err)
			}
			if err := Unpack(ctx, c, p.rec, UnpackOptions{Dest: dest}); !errors.Is(err, os.ErrExist) {
				t.Errorf("twice: %v", err)
			}
		},
	}
	for name, start := range backends(t) {
		t.Run(name, func(t *testing.T) {
			for name, behaviour := range behaviours {
				t.Run(name, func(t *testing.T) { t.Parallel(); behaviour(t, start(t)) })
			}
		})
	}
}

// TestDamagedProducts is what every kind of cache does when the bytes it keeps change.
func TestDamagedProducts(t *testing.T) {
	ctx := context.Background()
	for name, start := range backends(t) {
		for how, change := range map[string]func([]byte) []byte{
			"a bit flipped": flip,
			"cut short":     func(b []byte) []byte { return b[:len(b)/2] },
			"emptied":       func([]byte) []byte { return nil },
			"lengthened":    func(b []byte) []byte { return append(b, "more"...) },
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				b := start(t)
				if b.damage == nil {
					t.Skip("the stored bytes cannot be reached")
				}
				c := b.open(t)
				p := newProduct(t, "a", "sound")
				_, err := c.Put(ctx, p.rec, p.open)
				must(t, err)
				b.damage(t, p.rec, change)
				_, err = read(t, c, p.rec)
				mustBeCorrupt(t, err)
				dest := filepath.Join(t.TempDir(), "prefix")
				mustBeCorrupt(t, Unpack(ctx, c, p.rec, UnpackOptions{Dest: dest}))
				if _, err := os.Lstat(dest); err == nil {
					t.Error("something was unpacked")
				}
				_, err = c.Put(ctx, p.rec, p.open)
				if b.keepsDamage {
					mustBeCorrupt(t, err)
					return
				}
				must(t, err)
				mustHave(t, b.open(t), p)
			})
		}
	}
}

func TestPutReadsTheProductAgainWhenAskedTo(t *testing.T) {
	// An opener is called for every attempt; a cache must not keep the first reader.
	c := openAt(filepath.Join(t.TempDir(), "c"))(t)
	p := newProduct(t, "a", "x")
	var opened atomic.Int32
	_, err := c.Put(context.Background(), p.rec, func() (io.ReadCloser, error) { opened.Add(1); return nil, os.ErrNotExist })
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	_, err = c.Put(context.Background(), p.rec, func() (io.ReadCloser, error) { opened.Add(1); return p.open() })
	if err != nil || opened.Load() != 2 {
		t.Errorf("opened %d times, %v", opened.Load(), err)
	}
}

func flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 0x10
	return b
}

func manyKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = keyOf("absent" + string(rune('a'+i%26)) + string(rune('0'+i/26)))
	}
	return keys
}
