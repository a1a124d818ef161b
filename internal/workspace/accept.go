package workspace

import (
	"context"
	"errors"

	"esd/internal/state"
	"esd/internal/state/backend"
)

// Acceptance is a state that is there, and what speaks against it.
type Acceptance struct {
	// Location is the path or URL of the state.
	Location string
	// Found is what is there; its lineage is empty where there is none.
	Found state.Header
	// Objects is how many are recorded.
	Objects int
	// Untrusted is why the state is refused; nil where nothing speaks against
	// it.
	Untrusted *backend.UntrustedError
}

// Accept takes the state as it is: what this machine has seen before and what
// contradicts it is forgotten. agree is asked where something does.
func (w *Workspace) Accept(ctx context.Context, opts LockOptions, agree func(Acceptance) (bool, error)) (Acceptance, error) {
	s, err := w.locked(ctx, opts.Operation, opts.apply())
	if err != nil {
		return Acceptance{}, err
	}
	a, err := s.accept(ctx, agree)
	return a, errors.Join(err, s.end())
}

func (s *session) accept(ctx context.Context, agree func(Acceptance) (bool, error)) (Acceptance, error) {
	r, ok := s.w.Backend.(*remembering)
	if !ok {
		return Acceptance{}, errors.New("nothing is remembered of this state")
	}
	a := Acceptance{Location: s.lock.Info().Path}
	st, meta, err := r.Backend.Read(ctx)
	if err != nil {
		return a, backend.Unreadable(err)
	}
	if st != nil {
		a.Found, a.Objects = st.Header(), len(st.Objects)
	}
	memory, err := readSeen(r.file)
	if err != nil {
		err = &backend.UntrustedError{Location: a.Location, Problem: err.Error()}
	} else {
		err = r.compare(ctx, memory, st, meta)
	}
	if err != nil && !errors.As(err, &a.Untrusted) {
		return a, err
	}
	if a.Untrusted != nil {
		if agreed, err := agree(a); err != nil || !agreed {
			return a, err
		}
	}
	return a, r.accept(a.Location, st)
}
