package pg_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"strings"
	"sync"
	"testing"
)

// proxy stands between clients and a server, and can cut the line.
type proxy struct {
	listener net.Listener
	server   string

	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool // to new connections
	// up and down look at, and may change, what goes to the server and comes
	// from it; false cuts the line in its place.
	up, down func([]byte) ([]byte, bool)
}

func startProxy(t *testing.T, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, server: server, conns: map[net.Conn]bool{}}
	go p.serve()
	t.Cleanup(func() {
		l.Close()
		p.cut(true)
	})
	return p
}

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil || !p.note(client, server) {
			client.Close()
			if server != nil {
				server.Close()
			}
			continue
		}
		go p.pipe(server, client, func() func([]byte) ([]byte, bool) { return p.up })
		go p.pipe(client, server, func() func([]byte) ([]byte, bool) { return p.down })
	}
}

func (p *proxy) note(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
	return !p.closed
}

func (p *proxy) pipe(to, from net.Conn, look func() func([]byte) ([]byte, bool)) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		data := buf[:n]
		p.mu.Lock()
		if f := look(); f != nil {
			var ok bool
			if data, ok = f(data); !ok {
				p.mu.Unlock()
				return
			}
		}
		p.mu.Unlock()
		if _, err := to.Write(data); err != nil {
			return
		}
	}
}

// cut ends all connections, and with closed refuses new ones.
func (p *proxy) cut(closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = closed
	for c := range p.conns {
		c.Close()
		delete(p.conns, c)
	}
}

func (p *proxy) open() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = false
}

// filter sets what looks at the data.
func (p *proxy) filter(up, down func([]byte) ([]byte, bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up, p.down = up, down
}

// through is a place as it is seen through the proxy.
func (p *proxy) through(at place) place {
	at.ConnString = strings.Replace(at.ConnString, p.server, p.listener.Addr().String(), 1)
	return at
}

// behindPooler changes the process number by which a server greets, as one does
// that stands for several.
func behindPooler(data []byte) ([]byte, bool) {
	if i := bytes.Index(data, []byte{'K', 0, 0, 0, 12}); i >= 0 && len(data) >= i+13 {
		binary.BigEndian.PutUint32(data[i+5:], 4242)
	}
	return data, true
}
