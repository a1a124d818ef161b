package workspace

import (
	"context"
	"errors"
	"testing"

	"esd/internal/state"
	"esd/internal/state/backend"
)

// slowPlace is a place whose answer to the first write is lost, and which does
// as it was asked only later: when it has been read so often.
type slowPlace struct {
	backend.Backend
	recorded, late *state.State
	reads          int
}

func (p *slowPlace) Read(context.Context) (*state.State, backend.Meta, error) {
	if p.reads--; p.reads < 0 && p.late != nil {
		p.recorded, p.late = p.late, nil
	}
	return p.recorded, backend.Meta{}, nil
}

// slowLock is its lock.
type slowLock struct {
	backend.Lock
	*slowPlace
}

func (p slowLock) Write(ctx context.Context, next *state.State) error {
	if p.recorded != nil {
		h := p.recorded.Header()
		return state.CheckSuccession(&h, next.Header())
	}
	if p.late == nil {
		p.late = next.Clone()
		return &backend.UnreachableError{Doing: "writing", Doubt: true, Err: errors.New("the connection was reset")}
	}
	p.recorded, p.late = p.late, nil // in this very moment
	return p.Write(ctx, next)
}

func TestAWriteThatArrivesLateIsKnownAgain(t *testing.T) {
	t.Parallel()
	for name, reads := range map[string]int{"before it is looked for": 0, "behind the next write": 9} {
		p := &slowPlace{reads: reads}
		s := &session{w: &Workspace{Backend: p}, lock: slowLock{slowPlace: p}, tell: func(state.Notice) {}}
		next := state.New(state.NewID(), "test")
		if err := s.writeAtEnd(t.Context(), next, ApplyOptions{}); err != nil || next.Serial != 1 || p.recorded == nil {
			t.Errorf("%s: %v, serial %d", name, err, next.Serial)
		}
	}
}
