package transport_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"esd/internal/spack/transport"
)

// fakeClock does not wait; it remembers how often and how long it was to.
type fakeClock struct{ waits, slept atomic.Int64 }

func (c *fakeClock) Now() time.Time { return time.Unix(1_800_000_000, 0) }

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.waits.Add(1)
	c.slept.Add(int64(d))
	return context.Cause(ctx)
}

func mustOpen(t testing.TB, location string, opts transport.Options) *transport.Store {
	t.Helper()
	if opts.Clock == nil {
		opts.Clock = &fakeClock{}
	}
	s, err := transport.Open(location, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serve starts a server that the test ends with.
func serve(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// cut ends a connection in the middle of an answer.
func cut(w http.ResponseWriter) {
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
		conn.Close()
	}
}
