package testserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Fault is a way to fail. It stays until Mend, or for a number of requests.
type Fault struct {
	// Kind is one of the names in the table below, or an HTTP status such as "413".
	Kind string
	// On is "read", "write", "lock", "unlock", "delete" or "version"; "" is all.
	On string
	// Lease restricts it to documents of leases; otherwise it is restricted to
	// all other documents, unless Everywhere.
	Lease, Everywhere bool
	// Skip is how many requests pass before, and Times how many fail; 0 is all.
	Skip, Times int
}

// kinds are the faults that are no status: what each does, and whether the
// request is carried out as well.
var kinds = map[string]func(*Server, http.ResponseWriter, *call){
	// The connection ends without an answer.
	"down": func(_ *Server, _ http.ResponseWriter, _ *call) { panic(http.ErrAbortHandler) },
	// The request is carried out, and its answer lost.
	"lost-answer": func(s *Server, _ http.ResponseWriter, c *call) {
		s.answer(c)
		panic(http.ErrAbortHandler)
	},
	// Nothing comes back for as long as the client waits.
	"slow": func(_ *Server, _ http.ResponseWriter, c *call) {
		_, _ = io.Copy(io.Discard, c.Body)
		<-c.Context().Done()
	},
	"html": func(_ *Server, w http.ResponseWriter, c *call) {
		write(w, c.Request, http.StatusOK, []byte("<!DOCTYPE html><html><body>Please log in</body></html>"), http.Header{"Content-Type": {"text/html; charset=utf-8"}})
	},
	"login": func(_ *Server, w http.ResponseWriter, c *call) {
		http.Redirect(w, c.Request, "/users/sign_in?token=s3cr3t-in-url", http.StatusFound)
	},
	// Whatever is asked is well.
	"ok": func(_ *Server, w http.ResponseWriter, c *call) { write(w, c.Request, http.StatusOK, nil, nil) },
	// The lock is gone when the request comes.
	"forgets-lock": func(s *Server, w http.ResponseWriter, c *call) {
		s.BreakLock(c.path)
		status, body, header := s.answer(c)
		write(w, c.Request, status, body, header)
	},
	// A version before the last one is shown.
	"older": func(s *Server, w http.ResponseWriter, c *call) {
		s.mu.Lock()
		e := s.entry(c.path)
		body := e.versions[e.previous]
		s.mu.Unlock()
		write(w, c.Request, http.StatusOK, body, nil)
	},
	"other-lineage": func(s *Server, w http.ResponseWriter, c *call) {
		body := regexp.MustCompile(`"lineage": *"[^"]*"`).ReplaceAll(s.Raw(c.path), []byte(`"lineage": "00000000-0000-4000-8000-000000000000"`))
		write(w, c.Request, http.StatusOK, body, nil)
	},
	// The connection ends in the middle.
	"truncated": func(s *Server, w http.ResponseWriter, c *call) {
		body := s.Raw(c.path)
		write(w, c.Request, http.StatusOK, body[:len(body)/2], http.Header{"Content-Length": {strconv.Itoa(len(body))}})
	},
	"wrong-digest": func(s *Server, w http.ResponseWriter, c *call) {
		body := bytes.Replace(s.Raw(c.path), []byte(`"serial": `), []byte(`"serial": 1`), 1)
		write(w, c.Request, http.StatusOK, body, http.Header{"Content-Md5": {digest(s.Raw(c.path))}})
	},
	// More comes than any state has.
	"endless": func(_ *Server, w http.ResponseWriter, _ *call) {
		w.Header().Set("Content-Type", "application/json")
		block := bytes.Repeat([]byte(" "), 1<<20)
		for {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	},
	// What is written is acknowledged and thrown away.
	"forgets": func(_ *Server, w http.ResponseWriter, c *call) {
		_, _ = io.Copy(io.Discard, c.Body)
		write(w, c.Request, http.StatusOK, nil, nil)
	},
	"busy": func(_ *Server, w http.ResponseWriter, c *call) {
		write(w, c.Request, http.StatusTooManyRequests, message("too many requests"), http.Header{"Retry-After": {"1"}})
	},
}

// Fail makes the server fail from now on.
func (s *Server) Fail(f Fault) {
	if !known(f.Kind) {
		panic(fmt.Sprintf("testserver: no fault %q", f.Kind))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

func known(kind string) bool {
	status, err := strconv.Atoi(kind)
	return kinds[kind] != nil || err == nil && status >= 400 && status <= 599
}

// Mend ends all faults.
func (s *Server) Mend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// fail does what the first fault for a request does, false where there is none.
func (s *Server) fail(w http.ResponseWriter, c *call) bool {
	kind := s.fault(c)
	if kind == "" {
		return false
	}
	if do, ok := kinds[kind]; ok {
		do(s, w, c)
		return true
	}
	status, _ := strconv.Atoi(kind)
	_, _ = io.Copy(io.Discard, c.Body)
	_, password, _ := c.BasicAuth()
	write(w, c.Request, status, message("%d %s \x1b[31mfor %s", status, http.StatusText(status), password), nil)
	return true
}

func (s *Server) fault(c *call) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lease := strings.HasSuffix(c.path, "-lease")
	for i, f := range s.faults {
		if f.On != "" && f.On != c.what || !f.Everywhere && f.Lease != lease {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
			}
		}
		return f.Kind
	}
	return ""
}

// controlPath is where a server in another process is told what to do:
// POST fault with a Fault as JSON, POST mend, GET history?path=, GET raw?path=,
// PUT plant?path= and POST break?path=.
const controlPath = "/-/"

func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Query().Get("path")
	switch r.Method + " " + strings.TrimPrefix(r.URL.Path, controlPath) {
	case "POST fault":
		var f Fault
		if err := json.NewDecoder(r.Body).Decode(&f); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if !known(f.Kind) {
			http.Error(w, "no fault "+f.Kind, http.StatusBadRequest)
			return
		}
		s.Fail(f)
	case "POST mend":
		s.Mend()
	case "GET history":
		_ = json.NewEncoder(w).Encode(s.History(path))
	case "GET raw":
		_, _ = w.Write(s.Raw(path))
	case "PUT plant":
		body, _ := io.ReadAll(r.Body)
		s.Plant(path, body)
	case "POST break":
		s.BreakLock(path)
	default:
		http.NotFound(w, r)
	}
}
