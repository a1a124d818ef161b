package testserver

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// allFields are those of a lock; GitLab asks for each of them.
var allFields = []string{"ID", "Operation", "Info", "Who", "Version", "Created", "Path"}

func message(format string, args ...any) []byte {
	body, _ := json.Marshal(map[string]string{"message": fmt.Sprintf(format, args...)}) // a string: cannot fail
	return body
}

// gitlab answers as GitLab does (lib/api/terraform/state.rb and
// remote_state_handler.rb, read at 18.5).
func (s *Server) gitlab(c *call) (int, []byte, http.Header) {
	e := s.entries[c.path]
	if e != nil && e.deleted {
		return http.StatusUnprocessableEntity, message("StateDeletedError"), nil
	}
	if e == nil && (c.what == "read" || c.what == "delete" || c.what == "version") {
		return http.StatusNotFound, message("404 Not found"), nil
	}
	e = s.entry(c.path)
	switch c.what {
	case "read":
		if e.shown() == nil {
			return http.StatusNoContent, nil, nil
		}
		return http.StatusOK, e.shown(), http.Header{"Content-Type": {"application/octet-stream"}}
	case "write":
		return s.gitlabWrite(c, e)
	case "lock":
		return s.gitlabLock(c, e)
	case "unlock":
		id, given := c.lockID()
		if given && !e.matches(id) {
			return http.StatusConflict, nil, nil
		}
		s.unlocked(c, e)
		return http.StatusOK, nil, nil
	case "delete":
		e.deleted = true
		s.events = append(s.events, Event{Path: c.path, What: "delete"})
		return http.StatusOK, nil, nil
	}
	return e.version(c)
}

// matches compares in constant time, and an ID where there is no lock is wrong.
func (e *entry) matches(id string) bool {
	held := ""
	if e.lock != nil {
		held = e.lock.id
	}
	return subtle.ConstantTimeCompare([]byte(held), []byte(id)) == 1
}

// lockID is the ID that a request names, in its query or its body.
func (c *call) lockID() (string, bool) {
	if c.URL.Query().Has("ID") {
		return c.URL.Query().Get("ID"), true
	}
	if c.what == "write" {
		return "", false
	}
	id, ok := c.fields()["ID"]
	return id, ok
}

func (s *Server) gitlabWrite(c *call, e *entry) (int, []byte, http.Header) {
	if len(c.body) == 0 {
		return http.StatusNoContent, nil, nil
	}
	if s.MaxSize > 0 && len(c.body) > s.MaxSize {
		return http.StatusRequestEntityTooLarge, message("413 Request Entity Too Large"), nil
	}
	serial, valid, ok := serialOf(c.body)
	switch id, given := c.lockID(); {
	case !valid:
		return http.StatusUnprocessableEntity, message("422 Unprocessable entity - invalid JSON"), nil
	case !ok:
		return http.StatusUnprocessableEntity, message("422 Unprocessable entity - No serial in payload"), nil
	case (given || e.lock != nil) && !e.matches(id):
		// Nothing catches the error of a wrong lock in this one place.
		return http.StatusInternalServerError, message("500 Internal Server Error"), nil
	case e.versions[serial] != nil:
		return http.StatusUnprocessableEntity, message("PG::UniqueViolation: duplicate key value"), nil
	}
	s.store(c, e, serial)
	return http.StatusOK, nil, nil
}

func (s *Server) gitlabLock(c *call, e *entry) (int, []byte, http.Header) {
	f := c.fields()
	var missing []string
	for _, name := range allFields {
		if _, ok := f[name]; !ok {
			missing = append(missing, name+" is missing")
		}
	}
	if missing != nil || len(f["ID"]) > 255 || f["ID"] == "" {
		body, _ := json.Marshal(map[string]string{"error": strings.Join(missing, ", ")}) // a string: cannot fail
		return http.StatusBadRequest, body, nil
	}
	status := http.StatusConflict
	if e.lock == nil {
		status = http.StatusOK
		user, _, _ := c.BasicAuth()
		s.locked(c, e, &holder{id: f["ID"], who: user, created: s.now().UTC()})
	}
	// Four fields are those of whoever asks, not of the holder.
	body, _ := json.Marshal(map[string]string{ // strings: cannot fail
		"Operation": f["Operation"], "Info": f["Info"], "Version": f["Version"], "Path": f["Path"],
		"ID": e.lock.id, "Who": e.lock.who, "Created": e.lock.created.Format("2006-01-02T15:04:05.000Z"),
	})
	return status, body, http.Header{"Content-Type": {"application/octet-stream"}}
}

// version shows or deletes one version of a state.
func (e *entry) version(c *call) (int, []byte, http.Header) {
	switch body := e.versions[c.serial]; {
	case body == nil:
		return http.StatusNotFound, message("404 Not found"), nil
	case c.Method == http.MethodDelete && c.dialect == gitea && c.serial == e.latest:
		return http.StatusForbidden, []byte("cannot delete the latest version"), nil
	case c.Method == http.MethodDelete:
		delete(e.versions, c.serial)
		return http.StatusNoContent, nil, nil
	default:
		return http.StatusOK, body, nil
	}
}

// gitea answers as Gitea does (routers/api/packages/terraform, read at 1.26).
func (s *Server) gitea(c *call) (int, []byte, http.Header) {
	e := s.entries[c.path]
	if e == nil && (c.what == "read" || c.what == "delete" || c.what == "version") || e != nil && c.what == "read" && e.shown() == nil {
		return http.StatusNotFound, nil, http.Header{"Content-Type": {"text/plain"}}
	}
	e = s.entry(c.path)
	switch c.what {
	case "read":
		return http.StatusOK, e.shown(), http.Header{"Content-Type": {"text/plain"}}
	case "write":
		return s.giteaWrite(c, e)
	case "lock":
		f := c.fields()
		created, err := time.Parse(time.RFC3339Nano, f["Created"])
		switch {
		case err != nil || f["ID"] == "":
			return http.StatusBadRequest, []byte("terraform lock is missing an ID"), nil
		case e.lock != nil:
			return http.StatusLocked, e.lock.json(), nil
		}
		s.locked(c, e, &holder{id: f["ID"], created: created, fields: f})
		return http.StatusOK, nil, nil
	case "unlock":
		switch f := c.fields(); {
		case f["ID"] == "":
			return http.StatusBadRequest, []byte("terraform lock is missing an ID"), nil
		case e.lock != nil && e.lock.id != f["ID"]:
			return http.StatusLocked, []byte("lock ID mismatch"), nil
		}
		s.unlocked(c, e)
		return http.StatusOK, nil, nil
	case "delete":
		if e.lock != nil {
			return http.StatusLocked, []byte("terraform state is locked"), nil
		}
		delete(s.entries, c.path)
		s.events = append(s.events, Event{Path: c.path, What: "delete"})
		return http.StatusOK, nil, nil
	}
	return e.version(c)
}

func (s *Server) giteaWrite(c *call, e *entry) (int, []byte, http.Header) {
	serial, _, _ := serialOf(c.body)
	var d struct{ Lineage string }
	switch {
	case e.lock != nil && e.lock.id != c.URL.Query().Get("ID"):
		return http.StatusLocked, e.lock.json(), nil
	case json.Unmarshal(c.body, &d) != nil || serial <= 0 || d.Lineage == "":
		return http.StatusBadRequest, []byte("state serial or lineage is missing"), nil
	case e.versions[serial] != nil:
		return http.StatusConflict, []byte("package file already exists"), nil
	}
	s.store(c, e, serial)
	return http.StatusCreated, nil, nil
}

func (h *holder) json() []byte {
	body, _ := json.Marshal(h.fields) // strings: cannot fail
	return body
}
