package workspace

import (
	"context"
	"testing"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
)

// silent is a place that answers only after the time of a context.
type silent struct{ backend.Backend }

func (silent) Read(ctx context.Context) (*state.State, backend.Meta, error) {
	<-ctx.Done()
	return nil, backend.Meta{}, ctx.Err()
}

func TestAPlaceThatDoesNotAnswerIsToldMoreAndMoreRarely(t *testing.T) {
	t.Parallel()
	var told []Slow
	ctx, cancel := context.WithCancel(t.Context())
	p := &patient{silent{}, "https://states.example.org/lab", time.Millisecond, func(s Slow) {
		if told = append(told, s); len(told) == 4 {
			cancel()
		}
	}}
	if _, _, err := p.Read(ctx); err == nil {
		t.Error("it has answered")
	}
	if len(told) < 4 || told[0].Doing != "reading" || told[0].Location != p.location {
		t.Fatalf("%+v", told)
	}
	for i, least := range []time.Duration{1, 2, 4, 8} {
		if told[i].For < least*time.Millisecond {
			t.Errorf("%d: told after %s", i, told[i].For)
		}
	}
}

func TestAPlaceThatAnswersIsNotToldOf(t *testing.T) {
	t.Parallel()
	w := openAt(t, t.TempDir(), somewheres["local"](t))
	p := &patient{w.Backend, "here", time.Hour, func(s Slow) { t.Errorf("%+v", s) }}
	if _, _, err := p.Read(t.Context()); err != nil {
		t.Error(err)
	}
}
