package mirror

import (
	"errors"
	"sync"
	"time"

	"esd/internal/oci"
	"esd/internal/spack/transport"
)

// Mirror is a mirror beside the one that is filled. It may serve several calls of
// [Fetch], which then share what is known of it.
type Mirror struct {
	store *transport.Store
	push  bool

	mu   sync.Mutex
	down time.Time // when it was unavailable
}

// New gives a mirror in a store. With push, it gets what it lacks.
func New(store *transport.Store, push bool) *Mirror { return &Mirror{store: store, push: push} }

// downTime is for how long a mirror that is unavailable is not asked: trying again and
// again for each source would take longer than fetching it from elsewhere.
const downTime = time.Minute

// available reports whether asking makes sense.
func (m *Mirror) available(clock oci.Clock) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.down.IsZero() || clock.Now().Sub(m.down) > downTime
}

// learn takes note of how asking ended.
func (m *Mirror) learn(err error, clock oci.Clock) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if errors.Is(err, transport.ErrUnavailable) {
		m.down = clock.Now()
	}
}
