// Package testserver is a server of states to test against. It answers as
// GitLab does, as Gitea does, and as small servers of Terraform's protocol do,
// by the path of the address:
//
//	/api/v4/projects/ID/terraform/state/NAME     GitLab
//	/api/packages/OWNER/terraform/state/NAME     Gitea
//	/strict/NAME                                 every write needs the lock, and unlocking all its fields
//	/plain/NAME                                  no more than the protocol asks for
//	/single/NAME                                 one document for all names
//
// It is strict where they are, keeps a history of all that it accepted, and
// fails in the ways that servers and networks fail when it is told to.
package testserver

import (
	"bytes"
	"compress/gzip"
	"crypto/md5" //nolint:gosec // the protocol names this one
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Server is a server of states in memory. It implements http.Handler.
type Server struct {
	// Username and Password are asked for where they are not empty.
	Username, Password string
	// MaxSize bounds a state in bytes, as an administrator of GitLab can; 0 is
	// no bound.
	MaxSize int
	// Now is the clock; nil is time.Now.
	Now func() time.Time

	mu      sync.Mutex
	entries map[string]*entry
	events  []Event
	faults  []*Fault
}

// entry is one state.
type entry struct {
	versions map[int64][]byte
	latest   int64 // the serial that is shown
	previous int64
	planted  []byte // shown in place of the latest version, if not nil
	deleted  bool   // and GitLab has not come to clean up yet
	lock     *holder
}

type holder struct {
	id, who string
	created time.Time
	fields  map[string]string
}

// Event is something that the server accepted.
type Event struct {
	// Path is that of the state.
	Path string
	// What is "lock", "unlock", "write" or "delete".
	What string
	// ID is that of the lock.
	ID string
	// Serial and Size are those of the document, for "write".
	Serial int64
	Size   int
}

// History returns the events of a path in their order; "" is all paths.
func (s *Server) History(path string) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var events []Event
	for _, e := range s.events {
		if path == "" || e.Path == path {
			events = append(events, e)
		}
	}
	return events
}

// Plant makes a path show some bytes, whatever was written. The next write
// shows itself again.
func (s *Server) Plant(path string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entry(path).planted = append([]byte{}, data...)
}

// Raw returns what a path shows, nil where there is nothing.
func (s *Server) Raw(path string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[path]; e != nil {
		return e.shown()
	}
	return nil
}

// Versions returns how many versions of a state are kept.
func (s *Server) Versions(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[path]; e != nil {
		return len(e.versions)
	}
	return 0
}

// HolderID returns the ID of the lock that is held on a path, "" for none.
func (s *Server) HolderID(path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[path]; e != nil && e.lock != nil {
		return e.lock.id
	}
	return ""
}

// TakeLock sets a lock as somebody at the web pages of a server does, and
// BreakLock takes it away.
func (s *Server) TakeLock(path, id, who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fields := map[string]string{"ID": id, "Who": who, "Created": s.now().UTC().Format(time.RFC3339Nano)}
	s.locked(&call{path: path}, s.entry(path), &holder{id: id, who: who, created: s.now(), fields: fields})
}

// BreakLock takes any lock away.
func (s *Server) BreakLock(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unlocked(&call{path: path}, s.entry(path))
}

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	clock := time.Now
	return clock()
}

func (s *Server) entry(path string) *entry {
	if s.entries == nil {
		s.entries = map[string]*entry{}
	}
	e := s.entries[path]
	if e == nil {
		e = &entry{versions: map[int64][]byte{}}
		s.entries[path] = e
	}
	return e
}

func (e *entry) shown() []byte {
	if e.planted != nil {
		return e.planted
	}
	return e.versions[e.latest]
}

// call is one request, understood.
type call struct {
	*http.Request
	path    string // of the state
	what    string // "read", "write", "lock", "unlock", "delete", "version"
	dialect dialect
	serial  int64 // of "version"
	body    []byte
}

type dialect int

const (
	gitlab dialect = iota
	gitea
	strict
	plain
	single
)

var (
	forgePath = regexp.MustCompile(`^(/api/(?:v4/projects|packages)/[^/]+/terraform/state/[^/]+)(?:/(lock)|/versions/(\d+))?$`)
	smallPath = regexp.MustCompile(`^/(strict|plain|single)/[^/]+$`)
)

// understand says what a request wants, false when it is for nothing here.
func understand(r *http.Request) (*call, bool) {
	c := &call{Request: r}
	path := r.URL.EscapedPath()
	if m := forgePath.FindStringSubmatch(path); m != nil {
		c.path, c.dialect = m[1], gitea
		if strings.HasPrefix(path, "/api/v4/") {
			c.dialect = gitlab
		}
		switch {
		case m[2] != "":
			c.what = map[string]string{http.MethodPost: "lock", http.MethodDelete: "unlock"}[r.Method]
		case m[3] != "":
			c.what = "version"
			c.serial, _ = strconv.ParseInt(m[3], 10, 64)
		default:
			c.what = map[string]string{http.MethodGet: "read", http.MethodPost: "write", http.MethodDelete: "delete"}[r.Method]
		}
		return c, true
	}
	m := smallPath.FindStringSubmatch(path)
	if m == nil {
		return nil, false
	}
	c.path, c.dialect = path, map[string]dialect{"strict": strict, "plain": plain, "single": single}[m[1]]
	if c.dialect == single {
		c.path = "/single"
	}
	c.what = map[string]string{http.MethodGet: "read", http.MethodPost: "write", http.MethodPut: "write",
		http.MethodDelete: "delete", "LOCK": "lock", "UNLOCK": "unlock"}[r.Method]
	return c, true
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, controlPath) {
		s.control(w, r)
		return
	}
	c, ok := understand(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if c.what == "" {
		http.Error(w, "no such method", http.StatusMethodNotAllowed)
		return
	}
	if s.fail(w, c) {
		return
	}
	status, body, header := s.answer(c)
	write(w, r, status, body, header)
}

// answer carries a request out.
func (s *Server) answer(c *call) (int, []byte, http.Header) {
	if user, password, _ := c.BasicAuth(); user != s.Username || password != s.Password {
		return http.StatusUnauthorized, []byte(`{"message":"401 Unauthorized"}`), nil
	}
	var err error
	if c.body == nil {
		c.body, err = io.ReadAll(c.Body)
	}
	if said := c.Header.Get("Content-MD5"); err != nil || said != "" && said != digest(c.body) {
		return http.StatusBadRequest, []byte(`{"message":"the body is not what its digest says"}`), nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch c.dialect {
	case gitlab:
		return s.gitlab(c)
	case gitea:
		return s.gitea(c)
	default:
		return s.small(c)
	}
}

// write sends an answer, compressed where the client takes that.
func write(w http.ResponseWriter, r *http.Request, status int, body []byte, header http.Header) {
	for name, values := range header {
		w.Header()[name] = values
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	if len(body) > 1<<10 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && w.Header().Get("Content-Length") == "" {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(status)
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		_, _ = z.Write(body)
		_ = z.Close()
		return
	}
	if w.Header().Get("Content-Length") == "" && status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func digest(data []byte) string {
	sum := md5.Sum(data) //nolint:gosec // as the protocol says
	return base64.StdEncoding.EncodeToString(sum[:])
}

// store accepts a document.
func (s *Server) store(c *call, e *entry, serial int64) {
	e.previous = e.latest
	e.versions[serial] = bytes.Clone(c.body)
	e.latest = serial
	if c.dialect == gitlab {
		for have := range e.versions {
			e.latest = max(e.latest, have)
		}
	} else if c.dialect != gitea {
		for have := range e.versions {
			if have != e.latest && have != e.previous {
				delete(e.versions, have)
			}
		}
	}
	e.planted = nil
	s.events = append(s.events, Event{Path: c.path, What: "write", ID: c.URL.Query().Get("ID"), Serial: serial, Size: len(c.body)})
}

func (s *Server) locked(c *call, e *entry, h *holder) {
	e.lock = h
	s.events = append(s.events, Event{Path: c.path, What: "lock", ID: h.id})
}

func (s *Server) unlocked(c *call, e *entry) {
	if e.lock != nil {
		s.events = append(s.events, Event{Path: c.path, What: "unlock", ID: e.lock.id})
	}
	e.lock = nil
}

// serialOf is the serial of a document, false where it has none.
func serialOf(body []byte) (serial int64, valid, ok bool) {
	var d struct{ Serial *int64 }
	if json.Unmarshal(body, &d) != nil {
		return 0, false, false
	}
	if d.Serial == nil {
		return 0, true, false
	}
	return *d.Serial, true, true
}

// fields reads the fields of a lock, nil where the body has none.
func (c *call) fields() map[string]string {
	var f map[string]string
	if !strings.HasPrefix(c.Header.Get("Content-Type"), "application/json") || json.Unmarshal(c.body, &f) != nil {
		return nil
	}
	return f
}
