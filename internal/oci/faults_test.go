package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// fault answers a request in place of the registry, and says whether it did.
type fault func(w http.ResponseWriter, r *http.Request, n int) bool

// inject puts a fault in front of the requests that match; n counts them from 1.
func inject(match func(*http.Request) bool, f fault) func(http.Handler) http.Handler {
	var count atomic.Int32
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if match(r) && f(w, r, int(count.Add(1))) {
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func method(m, part string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == m && strings.Contains(r.URL.Path, part) }
}

// failing answers the first n requests with a status, having read what was sent.
func failing(n, status int, header ...string) fault {
	return func(w http.ResponseWriter, r *http.Request, i int) bool {
		if i > n {
			return false
		}
		_, _ = io.Copy(io.Discard, r.Body)
		for h := 0; h+1 < len(header); h += 2 {
			w.Header().Set(header[h], header[h+1])
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": "TEST", "message": "injected\nfault"}}})
		return true
	}
}

// cut ends the connection of the first n requests without an answer.
func cut(n int) fault {
	return func(w http.ResponseWriter, r *http.Request, i int) bool {
		if i > n {
			return false
		}
		_, _ = io.CopyN(io.Discard, r.Body, 10)
		hangUp(w)
		return true
	}
}

func hangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

// fakeClock does not wait; it remembers for how long it should have.
type fakeClock struct{ slept atomic.Int64 }

func (c *fakeClock) Now() time.Time { return time.Unix(1_700_000_000, 0) }

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.slept.Add(int64(d))
	return context.Cause(ctx)
}

func TestUploadSurvivesFaultsThatPass(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		match func(*http.Request) bool
		fault fault
	}{
		"503 to the blob":                 {method("PUT", "/blobs/"), failing(2, 503)},
		"500 to the beginning":            {method("POST", "/blobs/"), failing(2, 500)},
		"502 to the question":             {method("HEAD", "/blobs/"), failing(2, 502)},
		"429 to the blob":                 {method("PUT", "/blobs/"), failing(2, 429)},
		"a cut in the middle of the blob": {method("PUT", "/blobs/"), cut(2)},
		"a cut before the answer":         {method("POST", "/blobs/"), cut(2)},
		"503 to the manifest":             {method("PUT", "/manifests/"), failing(2, 503)},
		"a cut of the manifest":           {method("PUT", "/manifests/"), cut(2)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mustOpen(t, newRegistry(t, inject(test.match, test.fault))+"/esd/lab", Options{})
			large := strings.Repeat("0123456789abcdef", 1<<16)
			img := mustAssemble(t, AssembleOptions{Layers: []Layer{textLayer("recipe.a", large)}})
			mustPublish(t, img, s, PublishOptions{Tag: "v1"})
			if got := string(mustRead(t, s, img.Layers[0].Descriptor)); got != large {
				t.Error("the blob is damaged")
			}
		})
	}
}

func TestUploadWhoseAnswerWasLostIsNotSentTwice(t *testing.T) {
	t.Parallel()
	var puts atomic.Int32
	host := newRegistry(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPut {
				next.ServeHTTP(w, r)
				return
			}
			puts.Add(1)
			next.ServeHTTP(httptest.NewRecorder(), r)
			hangUp(w)
		})
	})
	pushBlob(t, mustOpen(t, host+"/esd/lab", Options{}), "hello")
	if n := puts.Load(); n != 1 {
		t.Errorf("sent %d times", n)
	}
}

func TestDownloadGoesOnWhereItWasCut(t *testing.T) {
	t.Parallel()
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	desc := Describe(testBlobType, large)
	for name, ranges := range map[string]bool{"with ranges": true, "without ranges": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent atomic.Int64
			s := mustOpen(t, newRegistry(t, inject(method("GET", "/blobs/"), func(w http.ResponseWriter, r *http.Request, n int) bool {
				content := large
				var offset int
				if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &offset); err == nil && ranges {
					w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", offset, len(large)-1, len(large)))
					w.Header().Set("Content-Length", fmt.Sprint(len(large)-offset))
					w.WriteHeader(http.StatusPartialContent)
					content = large[offset:]
				} else {
					w.Header().Set("Content-Length", fmt.Sprint(len(large)))
				}
				if n <= 3 {
					content = content[:min(len(content), n*50_000)]
				}
				k, _ := w.Write(content)
				sent.Add(int64(k))
				if n <= 3 {
					panic(http.ErrAbortHandler)
				}
				return true
			}))+"/esd/lab", Options{})
			if got := mustRead(t, s, desc); !bytes.Equal(got, large) {
				t.Error("the blob is damaged")
			}
			if n := sent.Load(); ranges && n > int64(len(large)+1000) {
				t.Errorf("%d bytes sent for a blob of %d", n, len(large))
			}
		})
	}
}

func TestLyingRegistryIsFoundOut(t *testing.T) {
	t.Parallel()
	desc := Describe(testBlobType, []byte("hello"))
	tests := map[string]func(w http.ResponseWriter){
		"other bytes":        func(w http.ResponseWriter) { _, _ = io.WriteString(w, "jello") },
		"shorter":            func(w http.ResponseWriter) { _, _ = io.WriteString(w, "hell") },
		"longer":             func(w http.ResponseWriter) { _, _ = io.WriteString(w, "hello there") },
		"shorter, no length": func(w http.ResponseWriter) { w.(http.Flusher).Flush(); _, _ = io.WriteString(w, "hell") },
		"endless": func(w http.ResponseWriter) {
			for range 1 << 20 {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
		"another digest in the header": func(w http.ResponseWriter) {
			w.Header().Set("Docker-Content-Digest", Describe("", []byte("x")).Digest.String())
			_, _ = io.WriteString(w, "hello")
		},
	}
	for name, lie := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mustOpen(t, newRegistry(t, inject(method("GET", "/blobs/"), func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				lie(w)
				return true
			}))+"/esd/lab", Options{})
			_, err := FetchBytes(t.Context(), s, desc, 100)
			var mismatch *DigestMismatchError
			if !errors.As(err, &mismatch) {
				t.Fatalf("want a DigestMismatchError, got %v", err)
			}
			if !strings.Contains(err.Error(), "/esd/lab") {
				t.Errorf("does not say where: %v", err)
			}
		})
	}
}

func TestManifestsFromARegistryAreVerifiedAndBounded(t *testing.T) {
	t.Parallel()
	serve := func(content []byte, said string) func(http.Handler) http.Handler {
		return inject(method("GET", "/manifests/"), func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			w.Header().Set("Content-Type", ocispec.MediaTypeImageManifest)
			w.Header().Set("Docker-Content-Digest", said)
			_, _ = w.Write(content)
			return true
		})
	}
	other := Describe("", []byte("other")).Digest.String()
	var mismatch *DigestMismatchError
	s := mustOpen(t, newRegistry(t, serve([]byte("{}"), other))+"/esd/lab", Options{})
	if _, _, err := FetchManifest(t.Context(), s, "v1"); !errors.As(err, &mismatch) {
		t.Errorf("by tag: %v", err)
	}
	s = mustOpen(t, newRegistry(t, serve([]byte("{}"), ""))+"/esd/lab", Options{})
	if _, _, err := FetchManifest(t.Context(), s, other); !errors.As(err, &mismatch) {
		t.Errorf("by digest: %v", err)
	}
	s = mustOpen(t, newRegistry(t, serve(make([]byte, MaxManifest+1), ""))+"/esd/lab", Options{})
	if _, _, err := FetchManifest(t.Context(), s, "v1"); !errors.Is(err, ErrInvalidContent) {
		t.Errorf("too large: %v", err)
	}
}

func TestOnlyCausesThatMayPassAreTriedAgain(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status, tries int
		want          error
	}{
		"400 is final":                     {400, 1, nil},
		"401 is final":                     {401, 1, ErrUnauthorized},
		"403 is final":                     {403, 1, ErrUnauthorized},
		"404 is final":                     {404, 1, ErrNotFound},
		"405 is final":                     {405, 1, ErrUnsupported},
		"408 is tried until patience ends": {408, fastRetry.Attempts, ErrUnavailable},
		"429 is tried until patience ends": {429, fastRetry.Attempts, ErrUnavailable},
		"500 is tried until patience ends": {500, fastRetry.Attempts, ErrUnavailable},
		"503 is tried until patience ends": {503, fastRetry.Attempts, ErrUnavailable},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var meter Meter
			host := newRegistry(t, inject(method("GET", ""), failing(1000, test.status)))
			s := mustOpen(t, host+"/esd/lab", Options{Meter: &meter})
			_, err := s.Fetch(t.Context(), Describe(testBlobType, []byte("x")))
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v", err)
			}
			if got := meter.Snapshot().Total(); got != int64(test.tries) {
				t.Errorf("%d requests, want %d", got, test.tries)
			}
			if !strings.Contains(err.Error(), host+"/esd/lab") || strings.Contains(err.Error(), "\n") {
				t.Errorf("text: %v", err)
			}
		})
	}
}

func TestRegistryMayAskToWait(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		after string
		slept time.Duration
		fails bool
	}{
		"seconds":                    {after: "7", slept: 7 * time.Second},
		"a date":                     {after: time.Unix(1_700_000_009, 0).UTC().Format(http.TimeFormat), slept: 9 * time.Second},
		"longer than patience lasts": {after: "3600", fails: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := &fakeClock{}
			s := mustOpen(t, newRegistry(t, inject(method("HEAD", ""), failing(1, 429, "Retry-After", test.after)))+"/esd/lab", Options{Clock: clock})
			_, err := s.Exists(t.Context(), Describe(testBlobType, []byte("x")))
			if test.fails != errors.Is(err, ErrUnavailable) {
				t.Errorf("got %v", err)
			}
			if got := time.Duration(clock.slept.Load()); got != test.slept {
				t.Errorf("slept %s", got)
			}
		})
	}
}

func TestUnreachableRegistryIsUnavailable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s := mustOpen(t, l.Addr().String()+"/esd/lab", Options{})
	if _, err := s.Resolve(t.Context(), "v1"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestStalledRegistryIsGivenUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	host := newRegistry(t, inject(method("GET", ""), func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return true
	}))
	t.Cleanup(func() { close(release) })
	s := mustOpen(t, host+"/esd/lab", Options{StallTimeout: 30 * time.Millisecond, Retry: RetryPolicy{Attempts: 2, Base: time.Millisecond, Max: time.Millisecond}})
	if _, err := s.Fetch(t.Context(), Describe(testBlobType, []byte("x"))); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestUploadToAnotherHostIsRefusedAndExplained(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, newRegistry(t, inject(method("POST", ""), failing(10, 202, "Location", "http://internal.example.org/upload?secret=s3cret")))+"/esd/lab", Options{})
	desc := Describe(testBlobType, []byte("x"))
	err := s.PushBytes(t.Context(), desc, []byte("x"))
	var redirect *UploadRedirectError
	if !errors.As(err, &redirect) || redirect.Host != "internal.example.org" {
		t.Fatalf("got %v", err)
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("shows the query: %v", err)
	}
}

func TestInterruptEndsWaiting(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, newRegistry(t, inject(method("GET", ""), failing(1000, 503)))+"/esd/lab",
		Options{Retry: RetryPolicy{Attempts: 10, Base: time.Hour, Max: time.Hour}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Fetch(ctx, Describe(testBlobType, []byte("x"))); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestMountThatIsDeniedCountsAsNotMounted(t *testing.T) {
	t.Parallel()
	for _, status := range []int{202, 401, 403, 404, 405} {
		s := mustOpen(t, newRegistry(t, inject(method("POST", ""), failing(10, status, "Location", "/v2/esd/lab/blobs/uploads/1")))+"/esd/lab", Options{})
		mounted, err := s.Mount(t.Context(), Describe(testBlobType, []byte("x")), "esd/cache")
		if mounted || err != nil {
			t.Errorf("%d: %v, %v", status, mounted, err)
		}
	}
}

func TestResolveAsksForTheManifestWhereItsDigestIsNotTold(t *testing.T) {
	t.Parallel()
	host := newRegistry(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			for k, v := range rec.Header() {
				if k != "Docker-Content-Digest" {
					w.Header()[k] = v
				}
			}
			w.WriteHeader(rec.Code)
			_, _ = w.Write(rec.Body.Bytes())
		})
	})
	s := mustOpen(t, host+"/esd/lab", Options{})
	want := pushImage(t, s, "one", "v1")
	for _, reference := range []string{"v1", want.Digest.String()} {
		got, err := s.Resolve(t.Context(), reference)
		if err != nil || got.Digest != want.Digest || got.Size != want.Size || got.MediaType != want.MediaType {
			t.Errorf("%s: %+v, %v", reference, got, err)
		}
	}
}

func TestARegistryThatIsDownIsToldOfSoon(t *testing.T) {
	t.Parallel()
	clock := &fakeClock{}
	s := mustOpen(t, "127.0.0.1:1/x/y", Options{PlainHTTP: true, Clock: clock, Retry: DefaultRetry()})
	_, err := s.Resolve(t.Context(), "v1")
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "tried 3 times") || time.Duration(clock.slept.Load()) > time.Second {
		t.Errorf("after %s: %v", time.Duration(clock.slept.Load()), err)
	}
}
