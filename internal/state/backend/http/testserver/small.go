package testserver

import (
	"maps"
	"net/http"
)

// small answers as servers do that were written for the protocol alone.
func (s *Server) small(c *call) (int, []byte, http.Header) {
	e := s.entry(c.path)
	f := c.fields()
	switch c.what {
	case "read":
		if e.shown() == nil {
			return http.StatusNotFound, nil, nil
		}
		return http.StatusOK, e.shown(), http.Header{"Content-Md5": {digest(e.shown())}}
	case "write":
		return s.smallWrite(c, e)
	case "lock":
		if e.lock == nil {
			s.locked(c, e, &holder{id: f["ID"], fields: f})
			return http.StatusOK, nil, nil
		}
		if c.dialect == strict && maps.Equal(e.lock.fields, f) {
			return http.StatusOK, nil, nil
		}
		return http.StatusLocked, e.lock.json(), nil
	case "unlock":
		// Terraform unlocks by force with an empty body.
		if c.dialect == strict && len(c.body) > 0 && (e.lock == nil || !maps.Equal(e.lock.fields, f)) {
			return http.StatusBadRequest, nil, nil
		}
		if c.dialect != strict && len(c.body) > 0 && e.lock != nil && e.lock.id != f["ID"] {
			return http.StatusConflict, e.lock.json(), nil
		}
		s.unlocked(c, e)
		return http.StatusOK, nil, nil
	}
	e.versions, e.planted, e.latest, e.previous = map[int64][]byte{}, nil, 0, 0
	s.events = append(s.events, Event{Path: c.path, What: "delete"})
	return http.StatusOK, nil, nil
}

func (s *Server) smallWrite(c *call, e *entry) (int, []byte, http.Header) {
	id := c.URL.Query().Get("ID")
	switch {
	case c.dialect == strict && (e.lock == nil || e.lock.id != id):
		return http.StatusBadRequest, nil, nil
	case e.lock != nil && e.lock.id != id:
		return http.StatusLocked, e.lock.json(), nil
	}
	serial, _, _ := serialOf(c.body)
	s.store(c, e, serial)
	return http.StatusOK, nil, nil
}
