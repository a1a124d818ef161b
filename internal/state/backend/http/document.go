package httpstate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"esd/internal/state"
)

// fingerprint tells whether a document is one that was read in full before, by
// its beginning and its size. The beginning holds lineage and serial.
type fingerprint struct {
	prefix []byte
	size   int64
}

func fingerprintOf(body []byte) *fingerprint {
	return &fingerprint{prefix: bytes.Clone(body[:min(len(body), prefixSize)]), size: int64(len(body))}
}

func (f *fingerprint) matches(prefix []byte, size int64) bool {
	return f != nil && f.size == size && bytes.Equal(f.prefix, prefix)
}

// maxDocument bounds a document on the wire. A packed one that is larger than
// this holds more than a state may be, too.
const maxDocument = state.MaxSize

// How often a server is asked again that shows nothing, where there may be
// something and where there was something; and how soon for the first time.
const (
	maybeSomething = 2
	wasSomething   = 5
	askAgainAfter  = 50 * time.Millisecond
)

// get asks for the state, nil where there is none. With enough, reading may end
// early.
//
// Some servers replace a file by emptying it first. So one that answers with no
// bytes at all, or that shows nothing where this client has seen a state, is
// asked again.
func (b *Backend) get(ctx context.Context, enough func(prefix []byte, size int64) bool) (*answer, error) {
	for attempt := 0; ; attempt++ {
		a, err := b.getOnce(ctx, enough)
		if err != nil {
			return nil, err
		}
		if a.status == http.StatusOK && len(a.body) > 0 {
			return a, nil
		}
		again := Retry{MinWait: askAgainAfter, MaxWait: time.Second}
		switch {
		case b.acceptNone() != nil:
			again.Max = wasSomething
		case a.status == http.StatusOK:
			again.Max = maybeSomething
		}
		if attempt >= again.Max {
			return nil, nil
		}
		if err := again.wait(ctx, attempt, nil); err != nil {
			return nil, err
		}
	}
}

func (b *Backend) getOnce(ctx context.Context, enough func(prefix []byte, size int64) bool) (*answer, error) {
	a, err := b.client.do(ctx, request{method: http.MethodGet, url: b.places.state, limit: b.client.limit, enough: enough})
	switch {
	case errors.Is(err, errDigest):
		return nil, b.untrusted(err.Error(), "something between here and the server changes or cuts it; nothing was overwritten")
	case err != nil:
		return nil, b.failure(ctx, reading, err)
	case a.status != http.StatusOK && a.moved:
		return nil, b.failure(ctx, reading, b.client.status(a)) // it is not that there is no state
	case a.status == http.StatusNotFound || a.status == http.StatusNoContent || a.status == http.StatusOK && len(a.body) == 0:
		return a, nil
	case a.status != http.StatusOK:
		return nil, b.failure(ctx, reading, b.client.status(a))
	}
	if err := a.page(); err != nil {
		return nil, fmt.Errorf("%w (%w)", b.failure(ctx, reading, err), state.ErrForeign)
	}
	return a, nil
}

// recorded returns the header of the recorded state, nil where there is none.
// A document that this client knows is recognized by its beginning; another one
// is read in full, as what cannot be read must not be replaced.
func (b *Backend) recorded(ctx context.Context) (*state.Header, error) {
	b.mu.Lock()
	known, seen := b.known, b.seen
	b.mu.Unlock()
	a, err := b.get(ctx, known.matches)
	switch {
	case err != nil:
		return nil, err
	case a == nil:
		return nil, b.acceptNone()
	case a.cut || known.matches(a.body[:min(len(a.body), prefixSize)], int64(len(a.body))):
		return seen, nil
	}
	s, _, err := b.decode(a)
	if err != nil {
		return nil, err
	}
	h := s.Header()
	return &h, nil
}

// shows reports whether the server shows a document now. Its size and its
// beginning are compared, and with whole all of it.
func (b *Backend) shows(ctx context.Context, body []byte, whole bool) (bool, *answer, error) {
	want := fingerprintOf(body)
	matches := want.matches
	if whole {
		matches = nil
	}
	a, err := b.get(ctx, matches)
	if err != nil || a == nil {
		return false, a, err
	}
	return a.cut || bytes.Equal(a.body, body), a, nil
}

// describe says what a document is, for people.
func describe(a *answer) string {
	if a == nil {
		return "no state"
	}
	var h struct {
		Lineage *string `json:"lineage"`
		Serial  *int64  `json:"serial"`
	}
	// A token at a time, as the document may be long and cut.
	d := json.NewDecoder(bytes.NewReader(a.body))
	if t, err := d.Token(); err == nil && t == json.Delim('{') {
		for d.More() && (h.Lineage == nil || h.Serial == nil) {
			name, err := d.Token()
			if err != nil {
				break
			}
			var into any
			switch name {
			case "lineage":
				into = &h.Lineage
			case "serial":
				into = &h.Serial
			default:
				into = new(json.RawMessage)
			}
			if d.Decode(into) != nil {
				break
			}
		}
	}
	if h.Serial == nil {
		return "something else"
	}
	text := fmt.Sprintf("one with serial %d", *h.Serial)
	if h.Lineage != nil {
		text += fmt.Sprintf(" of lineage %.36s", *h.Lineage)
	}
	return text
}
