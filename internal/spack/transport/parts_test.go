package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"esd/internal/spack/transport"
	"esd/internal/spack/transport/s3test"
)

// random is content that no two parts of are the same.
func random(n int) []byte {
	text := make([]byte, n)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(text)
	return text
}

func TestLargeObjectsGoToS3InParts(t *testing.T) {
	t.Parallel()
	const part = 5 << 20 // the least that S3 takes
	for name, server := range map[string]func(t *testing.T) transport.S3Options{
		"S3":        func(t *testing.T) transport.S3Options { return s3test.NewFake().Serve(t) },
		"versitygw": func(t *testing.T) transport.S3Options { return s3test.Versity(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mustOpen(t, "s3://bucket/prefix", transport.Options{S3: server(t)})
			s.SetPartSizes(1<<20, part)
			for what, size := range map[string]int{"one part": 2 << 20, "full parts": 2 * part, "a rest": 2*part + 1} {
				text := random(size)
				if err := s.Put(t.Context(), "dir/large", transport.Bytes(text)); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				got, info, err := s.ReadAll(t.Context(), "dir/large", 20<<20, transport.GetOptions{})
				if err != nil || !bytes.Equal(got, text) || info.Size != int64(size) {
					t.Errorf("%s: %d bytes, %v", what, len(got), err)
				}
			}
		})
	}
}

func TestPartsAreLargeEnoughForTheLargestObjects(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{1, 1 << 30, 5 << 30, 640_000 << 20, 640_001 << 20, 5 << 40} {
		part := transport.PartSize(size)
		if count := (size + part - 1) / part; count > 10_000 || part < 5<<20 || part > 5<<30 {
			t.Errorf("%d bytes: %d parts of %d bytes", size, count, part)
		}
	}
}

// faultyS3 is an S3 server, with a fault that answers requests in its place.
func faultyS3(t *testing.T, fault func(w http.ResponseWriter, r *http.Request) bool) (*s3test.Fake, *transport.Store, *fakeClock) {
	t.Helper()
	fake, clock := s3test.NewFake(), &fakeClock{}
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if !fault(w, r) {
			fake.ServeHTTP(w, r)
		}
	})
	s := mustOpen(t, "s3://bucket", transport.Options{Clock: clock, S3: transport.S3Options{
		Endpoint: url, AccessKeyID: "key", SecretAccessKey: "secret",
	}})
	s.SetPartSizes(10, 100)
	return fake, s, clock
}

func isPart(r *http.Request) bool {
	return r.Method == http.MethodPut && r.URL.Query().Has("partNumber")
}

func TestFaultsWhileAnObjectIsSentInParts(t *testing.T) {
	t.Parallel()
	status := func(code int, header ...string) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			for i := 0; i+1 < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
		}
	}
	second := func(r *http.Request) bool { return r.URL.Query().Get("partNumber") == "2" }
	complete := func(r *http.Request) bool {
		return r.Method == http.MethodPost && r.URL.Query().Has("uploadId")
	}
	for name, test := range map[string]struct {
		which func(r *http.Request) bool
		times int64
		fault func(w http.ResponseWriter)
		want  error
		parts int64 // that were sent in all
	}{
		"nothing wrong":                     {parts: 3},
		"a part that is answered by 500":    {which: second, times: 2, fault: status(500), parts: 5},
		"a part that is to be slower":       {which: second, times: 1, fault: status(503, "Retry-After", "3"), parts: 4},
		"a part whose connection is cut":    {which: second, times: 1, fault: cut, parts: 4},
		"a part that is never taken":        {which: second, times: 99, fault: status(500), want: transport.ErrUnavailable, parts: 7},
		"a part that is denied":             {which: second, times: 99, fault: status(403), want: transport.ErrDenied, parts: 2},
		"an end that is answered by 500":    {which: complete, times: 1, fault: status(500), parts: 3},
		"an end that is denied":             {which: complete, times: 1, fault: status(403), want: transport.ErrDenied, parts: 3},
		"an end that fails after its start": {which: complete, times: 99, fault: failLate, want: transport.ErrUnavailable, parts: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var faults, parts atomic.Int64
			fake, s, _ := faultyS3(t, func(w http.ResponseWriter, r *http.Request) bool {
				if isPart(r) {
					parts.Add(1)
				}
				if test.which == nil || !test.which(r) || faults.Add(1) > test.times {
					return false
				}
				_, _ = io.Copy(io.Discard, r.Body)
				test.fault(w)
				return true
			})
			text := random(250)
			err := s.Put(t.Context(), "large", transport.Bytes(text))
			if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
				t.Fatalf("%v, want %v", err, test.want)
			}
			if got := fake.Object("bucket/large"); err == nil && !bytes.Equal(got, text) || err != nil && got != nil {
				t.Errorf("%d bytes are there", len(got))
			}
			if n := fake.Uploads(); n != 0 || parts.Load() != test.parts {
				t.Errorf("%d parts sent, want %d; %d uploads are left", parts.Load(), test.parts, n)
			}
		})
	}
}

// failLate answers as S3 does when making the object of its parts fails after the
// status was sent.
func failLate(w http.ResponseWriter) {
	_, _ = io.WriteString(w, "<Error><Code>InternalError</Code><Message>injected</Message></Error>")
}

func TestAnEndWhoseAnswerIsLostIsAnEnd(t *testing.T) {
	t.Parallel()
	fake, lost := s3test.NewFake(), false
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") && !lost {
			lost = true
			fake.ServeHTTP(httptest.NewRecorder(), r)
			cut(w)
			return
		}
		fake.ServeHTTP(w, r)
	})
	s := mustOpen(t, "s3://bucket", transport.Options{S3: transport.S3Options{Endpoint: url, AccessKeyID: "key", SecretAccessKey: "secret"}})
	s.SetPartSizes(10, 100)
	if err := s.Put(t.Context(), "large", transport.Bytes(random(250))); err != nil || !lost {
		t.Error(err)
	}
}

func TestABrokenSourceLeavesNoParts(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	fake, s, clock := faultyS3(t, func(http.ResponseWriter, *http.Request) bool { return false })
	for name, src := range map[string]transport.Source{
		"it breaks": {Size: 250, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("x", 249)), brokenReader{broken})), nil
		}},
		"it breaks at its end": {Size: 250, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("x", 250)), brokenReader{broken})), nil
		}},
		"it ends with a part": {Size: 200, Open: func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader(strings.Repeat("x", 200)), brokenReader{broken})), nil
		}},
		"it has more than said": {Size: 200, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(strings.Repeat("x", 201))), nil }},
		"it has less than said": {Size: 202, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(strings.Repeat("x", 201))), nil }},
	} {
		if err := s.Put(t.Context(), "large", src); !errors.Is(err, broken) && !errors.Is(err, transport.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if fake.Uploads() != 0 || len(fake.Objects()) != 0 || clock.waits.Load() != 0 {
		t.Errorf("%d uploads and %v are left, waited %d times", fake.Uploads(), fake.Objects(), clock.waits.Load())
	}
}

func TestAnInterruptedUploadLeavesNoParts(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	fake, s, _ := faultyS3(t, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Query().Get("partNumber") == "2" {
			cancel(stop)
		}
		return false
	})
	if err := s.Put(ctx, "large", transport.Bytes(random(250))); err == nil {
		t.Error("it was stored")
	}
	if fake.Uploads() != 0 || len(fake.Objects()) != 0 {
		t.Errorf("%d uploads and %v are left", fake.Uploads(), fake.Objects())
	}
}

func TestPartsThatAKilledWriterLeftAreRemovedAfterADay(t *testing.T) {
	t.Parallel()
	fake, s, clock := faultyS3(t, func(http.ResponseWriter, *http.Request) bool { return false })
	fake.Begin("bucket/large", clock.Now().Add(-25*time.Hour))
	fake.Begin("bucket/large", clock.Now().Add(-23*time.Hour))
	fake.Begin("bucket/larger", clock.Now().Add(-25*time.Hour))
	if err := s.Put(t.Context(), "large", transport.Bytes(random(250))); err != nil {
		t.Fatal(err)
	}
	if n := fake.Uploads(); n != 2 {
		t.Errorf("%d are left, want that of another object and that of today", n)
	}
}
