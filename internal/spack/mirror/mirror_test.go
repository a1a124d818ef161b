package mirror

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack/transport"
)

// archive is a source with the given content, in the place where Spack looks.
func archive(text, extension string, urls ...string) Source {
	sum := sha256.Sum256([]byte(text))
	digest := hex.EncodeToString(sum[:])
	return Source{Package: "zlib", Kind: Archive, URLs: urls, Digest: digest, Path: "_source-cache/archive/" + digest[:2] + "/" + digest + extension}
}

// instantly is a clock that never waits, and counts how often it was to.
type instantly struct{ waits atomic.Int64 }

func (c *instantly) Now() time.Time { return time.Time{} }
func (c *instantly) Sleep(ctx context.Context, _ time.Duration) error {
	c.waits.Add(1)
	return ctx.Err()
}

// mirrorAt is the mirror at a path or URL.
func mirrorAt(t *testing.T, location string, push bool) *Mirror {
	t.Helper()
	store, err := transport.Open(location, transport.Options{Clock: &instantly{}})
	if err != nil {
		t.Fatal(err)
	}
	return New(store, push)
}

func writeFile(dir, path, text string) error {
	name := filepath.Join(dir, path)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(text), 0o644)
}

func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

// content reads the file of a source and makes sure that nothing is left beside.
func content(t *testing.T, dir string, s Source) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, s.Path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, partsDir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left (%v)", partsDir, err)
	}
	return string(text)
}

const text = "The quick brown fox jumps over the lazy dog.\n"

func TestServersThatMisbehave(t *testing.T) {
	t.Parallel()
	ranged := func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
	}
	tests := map[string]struct {
		handler  func(n int64, w http.ResponseWriter, r *http.Request)
		requests int64
		wantErr  string // "" for success
	}{
		"a file that is there comes with one request": {
			handler: func(_ int64, w http.ResponseWriter, r *http.Request) { ranged(w, r) }, requests: 1},
		"an overloaded server is asked again": {
			handler: func(n int64, w http.ResponseWriter, r *http.Request) {
				if n < 3 {
					w.Header().Set("Retry-After", "1")
					w.WriteHeader(http.StatusTooManyRequests)
					return
				}
				ranged(w, r)
			}, requests: 3},
		"half a file is continued": {
			handler: func(n int64, w http.ResponseWriter, r *http.Request) {
				if n == 1 {
					w.Header().Set("Content-Length", fmt.Sprint(len(text)))
					_, _ = w.Write([]byte(text[:10]))
					return
				}
				if r.Header.Get("Range") != "bytes=10-" {
					w.WriteHeader(http.StatusTeapot)
					return
				}
				ranged(w, r)
			}, requests: 2},
		"half a file of a server without ranges comes again": {
			handler: func(n int64, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(len(text)))
				if n == 1 {
					_, _ = w.Write([]byte(text[:10]))
					return
				}
				_, _ = w.Write([]byte(text))
			}, requests: 2},
		"a first half that was wrong is fetched again": {
			handler: func(n int64, w http.ResponseWriter, r *http.Request) {
				if n == 1 {
					w.Header().Set("Content-Length", fmt.Sprint(len(text)))
					_, _ = w.Write([]byte("wrong!"))
					return
				}
				ranged(w, r)
			}, requests: 3},
		"a server that never recovers is given up": {
			handler: func(_ int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, requests: 6, wantErr: "502"},
		"a missing file is not asked for again": {
			handler: func(_ int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, requests: 1, wantErr: "does not exist"},
		"a refusal is not asked for again": {
			handler: func(_ int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, requests: 1, wantErr: "access denied"},
		"another file is not taken": {
			handler: func(_ int64, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("something else")) }, requests: 1, wantErr: "the recipe states"},
		"a web page in place of the file is named": {
			handler: func(_ int64, w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte("<!DOCTYPE html><p>Log in</p>"))
			}, requests: 1, wantErr: "sent a web page"},
		"more than a source may be is refused": {
			handler: func(_ int64, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2<<20)) }, requests: 1, wantErr: "larger than"},
		"a long wait is not waited for": {
			handler: func(_ int64, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "86400")
				w.WriteHeader(http.StatusServiceUnavailable)
			}, requests: 1, wantErr: "503"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int64
			url := serve(t, func(w http.ResponseWriter, r *http.Request) { test.handler(n.Add(1), w, r) })
			s, dir := archive(text, ".tar.gz", url+"/zlib.tar.gz"), t.TempDir()
			err := Fetch(t.Context(), dir, []Source{s}, Options{Transport: transport.Options{Clock: &instantly{}}, MaxSize: 1 << 20})
			if n.Load() != test.requests {
				t.Errorf("%d requests, want %d", n.Load(), test.requests)
			}
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Errorf("error is %v, want one with %q", err, test.wantErr)
				}
				if _, err := os.Stat(filepath.Join(dir, s.Path)); err == nil {
					t.Error("there is a file nevertheless")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(text, content(t, dir, s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNothingIsFetchedTwice(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { n.Add(1); _, _ = w.Write([]byte(text)) })
	dir := t.TempDir()
	sources := []Source{archive(text, ".tar.gz", url+"/a"), archive(text, "", url+"/b"), archive(text, ".tar.gz", url+"/c")}
	var all sync.WaitGroup
	for range 5 { // as if several processes fetched
		all.Go(func() {
			if err := Fetch(t.Context(), dir, sources, Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n.Load() != 1 {
		t.Errorf("%d requests", n.Load())
	}
	for _, s := range sources {
		if content(t, dir, s) != text {
			t.Errorf("%s has other content", s.Path)
		}
	}
}

func TestMirrorsComeBeforeTheInternet(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { n.Add(1); _, _ = w.Write([]byte(text)) })
	full, damaged := t.TempDir(), t.TempDir()
	s := archive(text, ".tar.gz", url+"/a")
	for dir, data := range map[string]string{full: text, damaged: "damaged"} {
		if err := writeFile(dir, s.Path, data); err != nil {
			t.Fatal(err)
		}
	}
	web := mirrorAt(t, serve(t, http.FileServer(http.Dir(full)).ServeHTTP), false)
	for name, test := range map[string]struct {
		mirrors  []*Mirror
		requests int64
	}{
		"a directory":                           {[]*Mirror{mirrorAt(t, full, false)}, 0},
		"a web server":                          {[]*Mirror{web}, 0},
		"one without the file, and one with it": {[]*Mirror{mirrorAt(t, t.TempDir(), false), web}, 0},
		"one with a damaged file, and one more": {[]*Mirror{mirrorAt(t, damaged, false), mirrorAt(t, full, false)}, 0},
		"one that has it not":                   {[]*Mirror{mirrorAt(t, t.TempDir(), false)}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			n.Store(0)
			dir, from := t.TempDir(), ""
			opts := Options{Mirrors: test.mirrors, Events: func(e Event) { from = e.From }}
			if err := Fetch(t.Context(), dir, []Source{s}, opts); err != nil {
				t.Fatal(err)
			}
			if content(t, dir, s) != text || n.Load() != test.requests || from == "" {
				t.Errorf("%d requests to the source's own server, from %s", n.Load(), from)
			}
		})
	}
}

func TestAnInterruptedDownloadIsResumedByTheNextRun(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	var ranges []string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range"))
		if len(ranges) > 1 {
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
			return
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		_, _ = w.Write([]byte(text[:20]))
		w.(http.Flusher).Flush()
		time.AfterFunc(50*time.Millisecond, func() { cancel(stop) })
		<-r.Context().Done()
	})
	dir, s := t.TempDir(), archive(text, ".tar.gz", url)
	if err := Fetch(ctx, dir, []Source{s}, Options{}); !errors.Is(err, stop) {
		t.Fatalf("interrupted: %v", err)
	}
	if err := Fetch(t.Context(), dir, []Source{s}, Options{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"", "bytes=20-"}, ranges); diff != "" || content(t, dir, s) != text {
		t.Errorf("ranges asked for: %s", diff)
	}
}

func TestOneSourceThatFailsDoesNotKeepOthersAway(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/no" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write([]byte(text))
	})
	dir, good, bad := t.TempDir(), archive(text, ".tar.gz", url+"/yes"), archive("other", ".tar.gz", url+"/no", "ftp://127.0.0.1/no")
	err := Fetch(t.Context(), dir, []Source{bad, good}, Options{})
	var failed *SourceError
	if !errors.As(err, &failed) || failed.Source.Digest != bad.Digest || !errors.Is(err, transport.ErrNotFound) {
		t.Errorf("error is %v", err)
	}
	if content(t, dir, good) != text {
		t.Error("the other one is not there")
	}
}

func TestCheckoutsAreLeftToOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := Source{Package: "nest", Kind: Checkout, URLs: []string{"https://git.example.org/nest.git"}, Revision: "commit=1", Path: "_source-cache/git/nest.git/1.tar.gz"}
	if err := Fetch(t.Context(), dir, []Source{s}, Options{}); err == nil || !strings.Contains(err.Error(), "commit=1") {
		t.Errorf("without anybody: %v", err)
	}
	asked := 0
	opts := Options{Others: func(_ context.Context, dir string, sources []Source) error {
		asked += len(sources)
		return writeFile(dir, sources[0].Path, "packed")
	}}
	for range 2 {
		if err := Fetch(t.Context(), dir, []Source{s}, opts); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 || content(t, dir, s) != "packed" {
		t.Errorf("asked for %d", asked)
	}
	second := t.TempDir()
	if err := Fetch(t.Context(), second, []Source{s}, Options{Mirrors: []*Mirror{mirrorAt(t, dir, false)}}); err != nil || content(t, second, s) != "packed" {
		t.Errorf("from another mirror: %v", err)
	}
}

func TestWhatNoMirrorHasAndNoURLGivesIsLeftToOthers(t *testing.T) {
	t.Parallel()
	for name, mirrors := range map[string][]*Mirror{"without a mirror": nil, "with a mirror": {mirrorAt(t, t.TempDir(), false)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, s := t.TempDir(), archive(text, ".tar.gz", "ftp://127.0.0.1/a.tar.gz")
			opts := Options{Mirrors: mirrors, Others: func(_ context.Context, dir string, sources []Source) error {
				return writeFile(dir, sources[0].Path, text)
			}}
			if err := Fetch(t.Context(), dir, []Source{s}, opts); err != nil || content(t, dir, s) != text {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestSourcesThatLeadOutsideAreRefused(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]Source{
		"a path upwards":       {Path: "../x", Digest: strings.Repeat("a", 64)},
		"an absolute path":     {Path: "/x", Digest: strings.Repeat("a", 64)},
		"no path":              {Digest: strings.Repeat("a", 64)},
		"a digest with slash":  {Path: "x", Digest: strings.Repeat("/", 64)},
		"a digest of no kind":  {Path: "x", Digest: "abc"},
		"a path with doubling": {Path: "a//b", Digest: strings.Repeat("a", 64)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := Fetch(t.Context(), t.TempDir(), []Source{s}, Options{}); !errors.Is(err, ErrInvalid) {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestPasswordsAreNotShown(t *testing.T) {
	t.Parallel()
	s := archive(text, "", "http://user:geheim@127.0.0.1:1/file?token=geheim")
	err := Fetch(t.Context(), t.TempDir(), []Source{s}, Options{Transport: transport.Options{Clock: &instantly{}}})
	if err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("error is %v", err)
	}
}
