package e2e

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy stands in front of a registry and counts what passes, as it is on the
// wire.
type proxy struct {
	host     string
	in, out  atomic.Int64 // bytes from and to the clients, with headers
	mu       sync.Mutex
	requests map[string]int // by method and what it is about
}

// newProxy starts a proxy in front of a registry. What wrap gives stands in
// front of it; it may be nil.
func newProxy(t testing.TB, target string, wrap func(http.Handler) http.Handler) *proxy {
	t.Helper()
	p := &proxy{requests: map[string]int{}}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: target})
			r.Out.Host = r.In.Host // the registry answers with addresses of the proxy
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	var handler http.Handler = forward
	if wrap != nil {
		handler = wrap(forward)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.count(r)
		handler.ServeHTTP(w, r)
	}))
	server.Listener = countingListener{server.Listener, p}
	server.Start()
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	p.host = strings.TrimPrefix(server.URL, "http://")
	return p
}

func (p *proxy) count(r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests[r.Method+" "+about(r.URL.Path)]++
}

// about tells what a request of the distribution protocol is about.
func about(path string) string {
	for _, part := range []string{"manifests", "blobs/uploads", "blobs", "tags"} {
		if strings.Contains(path, "/"+part+"/") {
			return part
		}
	}
	return "other"
}

func (p *proxy) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.requests)
	p.in.Store(0)
	p.out.Store(0)
}

// total is the number of requests.
func (p *proxy) total() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, count := range p.requests {
		n += count
	}
	return n
}

func (p *proxy) requested(what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests[what]
}

func (p *proxy) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []string
	for _, what := range slices.Sorted(maps.Keys(p.requests)) {
		list = append(list, fmt.Sprintf("%d %s", p.requests[what], what))
	}
	return fmt.Sprintf("%d bytes sent, %d received (%s)", p.in.Load(), p.out.Load(), strings.Join(list, ", "))
}

type countingListener struct {
	net.Listener
	p *proxy
}

// Accept counts the bytes of the connection.
func (l countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countingConn{conn, l.p}, nil
}

type countingConn struct {
	net.Conn
	p *proxy
}

func (c *countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.p.in.Add(int64(n))
	return n, err
}

func (c *countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.p.out.Add(int64(n))
	return n, err
}

// faults is a handler that can be told to misbehave.
type faults struct {
	next http.Handler
	mu   sync.Mutex
	// on decides what becomes of a request; it answers it itself and returns
	// true, or leaves it.
	on func(w http.ResponseWriter, r *http.Request) bool
}

func (f *faults) wrap(next http.Handler) http.Handler {
	f.next = next
	return f
}

func (f *faults) set(on func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.on = on
}

// ServeHTTP implements http.Handler.
func (f *faults) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	on := f.on
	f.mu.Unlock()
	if on == nil || !on(w, r) {
		f.next.ServeHTTP(w, r)
	}
}

// cut ends a connection without an answer, after some bytes of the request.
func cut(w http.ResponseWriter, r *http.Request, after int64) bool {
	_, _ = io.CopyN(io.Discard, r.Body, after)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
	return true
}

func isUpload(r *http.Request) bool {
	return strings.Contains(r.URL.Path, "/blobs/uploads/") && (r.Method == http.MethodPut || r.Method == http.MethodPatch)
}
