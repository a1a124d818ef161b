package workspace

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

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

func TestARunThatIsNotRecordedSaysWhatIsKept(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  NotRecordedError
		want []string
		not  string
	}{
		"where all was done": {
			NotRecordedError{Err: backend.ErrLockLost, Journal: "j", Complete: true},
			[]string{"everything was done, but could not be recorded: the lock on the state was lost (", "kept in j", "Without a shared cache block, they are built again where this directory does not last"},
			"nothing is built again",
		},
		"where a step failed, with a shared cache": {
			NotRecordedError{Err: backend.ErrLockLost, Journal: "j", Shared: true},
			[]string{"what was done could not be recorded: the lock on the state was lost (", "nothing is built again either"},
			"Without a shared cache",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := test.err.Error()
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("no %q in: %s", want, text)
				}
			}
			if strings.Contains(text, test.not) || !errors.Is(&test.err, backend.ErrLockLost) {
				t.Error(text)
			}
		})
	}
}

func TestCachesOutlastTheWorkingDataWhereNoneLiesInIt(t *testing.T) {
	t.Parallel()
	w := &Workspace{WorkDir: "/home/a/stack/.esd"}
	for name, test := range map[string]struct {
		urls []string
		want bool
	}{
		"no cache":                    {nil, false},
		"the one that is used anyway": {[]string{"/home/a/stack/.esd/cache"}, false},
		"that of environments":        {[]string{"file:///home/a/stack/.esd/buildcache"}, false},
		"a registry":                  {[]string{"oci://registry.example.org/cache"}, true},
		"a directory beside it":       {[]string{"/home/a/stack/.esd-cache"}, true},
		"one of each":                 {[]string{"s3://bucket/cache", "file:///home/a/stack/.esd/buildcache"}, false},
	} {
		if got := w.outlast(test.urls); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// answer is the refusal of a server.
type answer int

func (a answer) Error() string       { return http.StatusText(int(a)) }
func (a answer) HTTPStatusCode() int { return int(a) }

// refusing is the lock of a place that answers so to all writes.
type refusing struct {
	backend.Lock
	status answer
	writes *int
}

func (r refusing) Write(context.Context, *state.State) error {
	*r.writes++
	return &backend.UnreachableError{Doing: "writing", Err: r.status}
}

func TestAWriteIsTriedAgainOnlyWhereTheAnswerMayBeAnother(t *testing.T) {
	t.Parallel()
	for status, again := range map[answer]bool{
		http.StatusUnprocessableEntity: false, http.StatusRequestEntityTooLarge: false, http.StatusForbidden: false,
		http.StatusTooManyRequests: true, http.StatusServiceUnavailable: true, http.StatusConflict: true,
	} {
		t.Run(status.Error(), func(t *testing.T) {
			t.Parallel()
			writes := 0
			s := &session{w: &Workspace{Backend: &slowPlace{}}, lock: refusing{status: status, writes: &writes}, tell: func(state.Notice) {}}
			err := s.writeAtEnd(t.Context(), state.New(state.NewID(), "test"), ApplyOptions{RecordFor: time.Millisecond})
			if err == nil || (writes > 1) != again {
				t.Errorf("%d writes: %v", writes, err)
			}
		})
	}
}
