package workspace

import (
	"context"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
)

// slowAfter is how long a place may take to answer before that is told; it is
// told again each time that time has doubled.
const slowAfter = 5 * time.Second

// Slow tells that the place of the state has not answered yet.
type Slow struct {
	// Location is the path or URL of the state.
	Location string
	// Doing is what is waited for: "reading", "locking", "writing".
	Doing string
	// For is how long it has taken so far.
	For time.Duration
}

// patient is a backend that tells when its place takes long to answer.
type patient struct {
	backend.Backend
	location string
	after    time.Duration
	tell     func(Slow)
}

// watch tells of slowness until the function that it returns is called.
func (p *patient) watch(doing string) (end func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		start := time.Now()
		for pause, next := p.after, p.after; ; pause, next = next, 2*next {
			select {
			case <-done:
				return
			case <-time.After(pause):
				p.tell(Slow{p.location, doing, time.Since(start)})
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// Location is the path or URL of the state.
func (p *patient) Location() string { return p.location }

// Read implements backend.Backend.
func (p *patient) Read(ctx context.Context) (*state.State, backend.Meta, error) {
	defer p.watch("reading")()
	return p.Backend.Read(ctx)
}

// Holder implements backend.Backend.
func (p *patient) Holder(ctx context.Context) (*backend.LockInfo, error) {
	defer p.watch("reading the lock")()
	return p.Backend.Holder(ctx)
}

// Lock implements backend.Backend.
func (p *patient) Lock(ctx context.Context, info backend.LockInfo) (backend.Lock, error) {
	defer p.watch("locking")()
	l, err := p.Backend.Lock(ctx, info)
	if err != nil {
		return nil, err
	}
	return &patientLock{l, p}, nil
}

// patientLock tells when a write takes long.
type patientLock struct {
	backend.Lock
	p *patient
}

// Write implements backend.Lock.
func (l *patientLock) Write(ctx context.Context, next *state.State) error {
	defer l.p.watch("writing")()
	return l.Lock.Write(ctx, next)
}

// Overwrite implements backend.Lock.
func (l *patientLock) Overwrite(ctx context.Context, next *state.State) error {
	defer l.p.watch("writing")()
	return l.Lock.Overwrite(ctx, next)
}

// Unlock implements backend.Lock.
func (l *patientLock) Unlock(ctx context.Context) error {
	defer l.p.watch("unlocking")()
	return l.Lock.Unlock(ctx)
}
