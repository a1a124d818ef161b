package workspace

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"esd/internal/apply"
	"esd/internal/state"
	"esd/internal/state/backend"
)

// recordFor is for how long a state is tried to be written at the end of a run
// when nothing else is said: long enough for a server that is started again.
const recordFor = 2 * time.Minute

// The pauses between two tries, which double.
const (
	shortestPause = 500 * time.Millisecond
	longestPause  = 15 * time.Second
)

// errNotOurs says why a run is drained whose lock is lost.
var errNotOurs = errors.New("the lock on the state was lost")

// watchLock is a drain that also begins when the lock is lost: what a run does
// then could not be recorded any more, and somebody else may be doing it. The
// function that it returns ends the watch.
func (s *session) watchLock(drain <-chan struct{}) (both <-chan struct{}, end func()) {
	lost := s.lock.Lost()
	if lost == nil {
		return drain, func() {}
	}
	out, quit, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-drain:
			close(out)
		case <-lost:
			s.lost = true
			close(out)
		case <-quit:
		}
	}()
	return out, func() {
		close(quit)
		<-ended
		select {
		case <-lost: // also behind an interrupt
			s.lost = true
		default:
		}
	}
}

// explaining adds to the event that a run is drained why it is, where the lock
// is the reason.
func (s *session) explaining(events func(apply.Event)) func(apply.Event) {
	if events == nil {
		return nil
	}
	return func(e apply.Event) {
		if e.Kind == apply.Draining && s.lost {
			e.Err = errNotOurs
		}
		events(e)
	}
}

// writeAtEnd records what a run has done. Where the place of the state does not
// answer, it is tried again for a while; a write of which it is not known
// whether it was done is looked at. ctx is that of the run: an interrupt while
// it is tried again ends that, too.
func (s *session) writeAtEnd(ctx context.Context, next *state.State, opts ApplyOptions) error {
	if s.lost {
		return backend.ErrLockLost
	}
	patience := opts.RecordFor
	if patience == 0 {
		patience = recordFor
	}
	asked, ended := opts.Drain, ctx.Done()
	select {
	case <-asked: // by the interrupt that has ended the run
		asked = nil
	default:
	}
	if ctx.Err() != nil {
		ended, patience = nil, min(patience, 10*time.Second)
	}
	ctx = context.WithoutCancel(ctx)
	deadline := time.Now().Add(patience)
	told := false
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		err := s.write(ctx, next)
		var down *backend.UnreachableError
		var conflict *state.ConflictError
		again := errors.As(err, &down)
		// A write that was given up may arrive later, and is then in the way of
		// the next.
		if err == nil || (again || told && errors.As(err, &conflict)) && s.wasWritten(ctx, next) {
			return nil
		}
		if !again || isFinal(err) {
			return err
		}
		if time.Until(deadline) <= 0 {
			return err
		}
		if !told {
			told = true
			s.tell(state.Notice{
				Kind: "state-not-written", Summary: fmt.Sprintf("The state could not be recorded; trying again for %s", patience),
				Detail: err.Error() + ". An interrupt ends that; what was done is kept in the journal of this run either way.",
			})
		}
		timer := time.NewTimer(min(pause, time.Until(deadline)))
		select {
		case <-timer.C:
		case <-asked:
			timer.Stop()
			return err
		case <-ended:
			timer.Stop()
			return err
		}
	}
}

// isFinal reports whether a server has understood a write and refuses it, so that
// it would refuse it again: there is no use in waiting. Answers that speak of
// this moment only are not final.
func isFinal(err error) bool {
	var answer interface {
		error
		HTTPStatusCode() int
	}
	if !errors.As(err, &answer) {
		return false
	}
	switch code := answer.HTTPStatusCode(); code {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusLocked, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	default:
		return code >= 400 && code < 500
	}
}

// wasWritten looks whether a write that has failed was carried out all the same,
// its answer lost.
func (s *session) wasWritten(ctx context.Context, next *state.State) bool {
	recorded, _, err := s.w.Backend.Read(ctx)
	if err != nil || recorded == nil || recorded.Lineage != next.Lineage || recorded.Serial != next.Serial+1 || !recorded.SameContent(next) {
		return false
	}
	next.Serial++
	s.state = next
	s.w.remember(s.lock, next.Header())
	return true
}

// NotRecordedError says that what a run has done could not be recorded.
type NotRecordedError struct {
	// Err is why.
	Err error
	// Journal is the file that keeps what was done.
	Journal string
	// Complete tells that all steps were done.
	Complete bool
	// Shared tells that all products are in caches which outlast the directory of
	// working data.
	Shared bool
}

// Error says what was not recorded, why, and how to go on.
func (e *NotRecordedError) Error() string {
	what := "what was done could not be recorded"
	if e.Complete {
		what = "everything was done, but could not be recorded"
	}
	lasts := "Without a shared cache block, they are built again where this directory does not last."
	if e.Shared {
		lasts = "Where this directory does not last, as in CI, nothing is built again either: the products are in their caches, and the next plan finds them there."
	}
	return fmt.Sprintf("%s: %v\n\nWhat was done is kept in %s: the next run here takes it over, with the products. %s", what, e.Err, e.Journal, lasts)
}

// Unwrap returns the cause.
func (e *NotRecordedError) Unwrap() error { return e.Err }

// remember takes note of a state that was seen under the lock.
func (w *Workspace) remember(lock backend.Lock, h state.Header) {
	if r, ok := w.Backend.(*remembering); ok {
		r.remember(lock.Info().Path, h)
	}
}
