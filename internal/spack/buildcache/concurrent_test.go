package buildcache

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"esd/internal/spack"
)

func TestReadersSeeTheOldEntryOrTheNewOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := toy(t, "app", "1.0")
	all := specsOf(s)
	writer, reader := mustOpen(t, dir, Options{}), mustOpen(t, dir, Options{})
	mustPush(t, writer, s, all, "build 0")
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	for range 2 {
		done.Go(func() {
			for ctx.Err() == nil {
				found, err := reader.Lookup(t.Context(), []*spack.Spec{s}, LookupOptions{Verify: true})
				if err != nil || len(found) != 1 || found[s.Hash].Problem != nil {
					t.Errorf("look-up: %v, %v", found, err)
					return
				}
				if text, err := readArchive(t.Context(), reader, found[s.Hash]); err != nil {
					t.Errorf("archive %q: %v", text, err)
					return
				}
			}
		})
	}
	for i := range 100 {
		_, err := writer.Push(t.Context(), PushRequest{Spec: s, Specs: all, Archive: archiveOf(fmt.Sprint("build ", i)), Force: true})
		if err != nil {
			t.Fatal(err)
		}
	}
	stop()
	done.Wait()
}

func TestIndexesThatAreWrittenAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	for name, where := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			location, opts := where(t)
			var done sync.WaitGroup
			var specs []*spack.Spec
			for i := range 6 {
				s := toyFor(t, opts.Layout, fmt.Sprint("app-", i), "1.0")
				specs = append(specs, s)
				done.Go(func() {
					c := mustOpen(t, location, opts)
					mustPush(t, c, s, specsOf(s), gzipped(t, s.Name))
					if _, err := c.UpdateIndex(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			done.Wait()
			c := mustOpen(t, location, opts)
			b, err := c.get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ix, err := c.currentIndex(t.Context(), b, IndexAlways, 1)
			if err != nil || ix == nil {
				t.Fatalf("index %v, %v", ix, err)
			}
			for _, s := range specs {
				if e, ok := ix.find(s.Hash); !ok || !e.inCache {
					t.Errorf("%s is not in the index", s.Name)
				}
			}
		})
	}
}

func TestALookupEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dir, s, _ := faultCache(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := mustOpen(t, faulty(t, dir, nil), Options{})
	if _, err := c.Lookup(ctx, []*spack.Spec{s}, LookupOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestWhatWasLearntOfEntriesIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	dir, s, e := faultCache(t)
	local := t.TempDir()
	var asked atomic.Int32
	url := faulty(t, dir, map[string]fault{"/app/": func(http.ResponseWriter, *http.Request, int) bool {
		asked.Add(1)
		return false
	}})
	lookup := func(opts LookupOptions) Entry {
		t.Helper()
		opts.Index = IndexAlways
		return mustLookup(t, mustOpen(t, url, Options{Directory: local}), opts, s)[s.Hash]
	}
	for _, step := range []struct {
		opts LookupOptions
		want int32
	}{{LookupOptions{}, 0}, {LookupOptions{Details: true}, 1}, {LookupOptions{Details: true}, 1}, {LookupOptions{Verify: true}, 2}} {
		got := lookup(step.opts)
		if asked.Load() != step.want || got.Resolved() != (step.want > 0) || got.Resolved() && got.Archive != e.Archive {
			t.Errorf("%+v: asked %d times, %+v", step.opts, asked.Load(), got)
		}
	}
	// Replaced by one who removes the old archive, as Spack does.
	w := mustOpen(t, dir, Options{})
	if err := w.Delete(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	mustPush(t, w, s, specsOf(s), "another build")
	c := mustOpen(t, url, Options{Directory: local})
	if _, err := c.Archive(t.Context(), lookup(LookupOptions{Details: true})); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v", err)
	}
	if text, err := readArchive(t.Context(), c, lookup(LookupOptions{Verify: true})); err != nil || text != "another build" {
		t.Errorf("got %q, %v", text, err)
	}
}
