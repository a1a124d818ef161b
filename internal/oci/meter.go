package oci

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Meter counts what goes over the network: bytes as they pass the socket (headers
// and TLS included) and requests by method. The zero value is ready; one Meter may
// serve several stores. A nil Meter counts nothing.
type Meter struct {
	read, written atomic.Int64

	mu       sync.Mutex
	requests map[string]int64
}

// Traffic is a reading of a [Meter].
type Traffic struct {
	BytesRead, BytesWritten int64
	Requests                map[string]int64 // HTTP method to number of requests
}

// Total is the number of requests of all methods.
func (t Traffic) Total() int64 {
	var n int64
	for _, c := range t.Requests {
		n += c
	}
	return n
}

// Bytes gives the bytes read and written so far.
func (m *Meter) Bytes() (read, written int64) {
	if m == nil {
		return 0, 0
	}
	return m.read.Load(), m.written.Load()
}

// Snapshot gives all counts so far.
func (m *Meter) Snapshot() Traffic {
	t := Traffic{Requests: map[string]int64{}}
	if m == nil {
		return t
	}
	t.BytesRead, t.BytesWritten = m.Bytes()
	m.mu.Lock()
	defer m.mu.Unlock()
	for method, n := range m.requests {
		t.Requests[method] = n
	}
	return t
}

// Reset sets all counts to zero.
func (m *Meter) Reset() {
	m.read.Store(0)
	m.written.Store(0)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = nil
}

func (m *Meter) request(r *http.Request) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.requests == nil {
		m.requests = map[string]int64{}
	}
	m.requests[r.Method]++
}

// meteredConn counts the bytes of one connection and gives it up when it makes no
// progress in either direction for too long.
type meteredConn struct {
	net.Conn
	meter *Meter
	stall time.Duration
}

// Read implements net.Conn.
func (c *meteredConn) Read(p []byte) (int, error) {
	c.progress()
	n, err := c.Conn.Read(p)
	if c.meter != nil {
		c.meter.read.Add(int64(n))
	}
	return n, err
}

// Write implements net.Conn.
func (c *meteredConn) Write(p []byte) (int, error) {
	c.progress()
	n, err := c.Conn.Write(p)
	if c.meter != nil {
		c.meter.written.Add(int64(n))
	}
	return n, err
}

// progress moves the deadlines of both directions: while a large body is written,
// the pending read of the answer is not stalled.
func (c *meteredConn) progress() {
	_ = c.Conn.SetDeadline(time.Now().Add(c.stall))
}
