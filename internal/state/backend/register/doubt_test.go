package register_test

import (
	"context"
	"errors"
	"testing"

	"esd/internal/state/backend"
	"esd/internal/state/backend/register"
)

// operations are what swaps the head. Each calls fail when what it does besides is
// done, and returns a look at what has come of it.
func operations() map[string]func(t *testing.T, f *faulty, fail func()) (done func() bool, err error) {
	type result = func() bool
	return map[string]func(*testing.T, *faulty, func()) (func() bool, error){
		"lock": func(t *testing.T, f *faulty, fail func()) (result, error) {
			fail()
			l, err := register.New(f.store(), register.Options{}).Lock(t.Context(), request("apply"))
			if l != nil {
				t.Cleanup(func() { _ = l.Unlock(context.Background()) })
			}
			return func() bool { return headOf(t, f.Memory).Lock != nil }, err
		},
		"write": func(t *testing.T, f *faulty, fail func()) (result, error) {
			l := mustLock(t, register.New(f.store(), register.Options{}), request("apply"))
			fail()
			err := l.Write(t.Context(), newState(1))
			return func() bool { return serialOf(t, f.Memory) == 1 }, err
		},
		"unlock": func(t *testing.T, f *faulty, fail func()) (result, error) {
			l := mustLock(t, register.New(f.store(), register.Options{}), request("apply"))
			fail()
			err := l.Unlock(t.Context())
			return func() bool { return headOf(t, f.Memory).Lock == nil }, err
		},
		"force-unlock": func(t *testing.T, f *faulty, fail func()) (result, error) {
			l := mustLock(t, register.New(f.store(), register.Options{}), request("apply"))
			fail()
			err := register.New(f.store(), register.Options{}).ForceUnlock(t.Context(), l.Info().ID)
			return func() bool { return headOf(t, f.Memory).Lock == nil }, err
		},
	}
}

// times makes the first n swaps go wrong.
func times(f *faulty, n int, wrong func(do func() (string, error)) (string, error)) {
	f.set(func(f *faulty) {
		f.swap = func(_ []byte, do func() (string, error)) (string, error) {
			if n--; n >= 0 {
				return wrong(do)
			}
			return do()
		}
	})
}

func TestWhatIsInDoubtIsLookedAt(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]func(do func() (string, error)) (string, error){
		"the answer was lost":                      func(do func() (string, error)) (string, error) { _, _ = do(); return "", unreachable(true) },
		"the request was lost":                     func(func() (string, error)) (string, error) { return "", unreachable(true) },
		"it was sent twice, and the second failed": func(do func() (string, error)) (string, error) { _, _ = do(); return do() },
		"it is said to be changed, and is not":     func(func() (string, error)) (string, error) { return "", register.ErrChanged },
	} {
		for operation, run := range operations() {
			t.Run(operation+", "+name, func(t *testing.T) {
				t.Parallel()
				f := newFaulty()
				done, err := run(t, f, func() { times(f, 2, wrong) })
				if err != nil || !done() {
					t.Errorf("%v, done: %v", err, done())
				}
			})
		}
	}
}

func TestWhatStaysInDoubtIsSaidToBe(t *testing.T) {
	t.Parallel()
	for operation, run := range operations() {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			f := newFaulty()
			done, err := run(t, f, func() {
				times(f, 1, func(do func() (string, error)) (string, error) {
					_, _ = do()
					f.set(func(f *faulty) {
						f.load = func([]byte, string, error) ([]byte, string, error) { return nil, "", unreachable(false) }
					})
					return "", unreachable(true)
				})
			})
			f.set(func(f *faulty) { f.load = nil })
			if !isDoubt(err) || !errors.Is(err, errCut) || !done() {
				t.Errorf("%s, done: %v", describe(err), done())
			}
		})
	}
}

func TestAPlaceThatIsDownFailsAtOnce(t *testing.T) {
	t.Parallel()
	for operation, run := range operations() {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			f := newFaulty()
			done, err := run(t, f, func() {
				times(f, 1000, func(func() (string, error)) (string, error) { return "", unreachable(false) })
			})
			f.set(func(f *faulty) { f.swap = nil })
			if !errors.Is(err, errCut) || isDoubt(err) {
				t.Error(describe(err))
			}
			if operation != "lock" && done() {
				t.Error("it was done")
			}
		})
	}
}

func TestAPlaceThatRefusesForEverIsNotTrusted(t *testing.T) {
	t.Parallel()
	for operation, run := range operations() {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			f := newFaulty()
			_, err := run(t, f, func() {
				times(f, 1000, func(func() (string, error)) (string, error) { return "", register.ErrChanged })
			})
			f.set(func(f *faulty) { f.swap = nil })
			if !isUntrusted(err) {
				t.Error(describe(err))
			}
		})
	}
}

// A run that is ended while an answer is outstanding still finds out whether it
// holds the lock.
func TestALockWhoseAnswerIsLostToAnInterruptIsKnown(t *testing.T) {
	t.Parallel()
	f := newFaulty()
	ctx, cancel := context.WithCancel(t.Context())
	times(f, 1, func(do func() (string, error)) (string, error) {
		_, err := do()
		cancel()
		return "", &backend.UnreachableError{Location: "memory", Doing: "writing", Doubt: true, Err: errors.Join(err, context.Canceled)}
	})
	l, err := register.New(f.store(), register.Options{}).Lock(ctx, request("apply"))
	if err != nil {
		t.Fatal(err)
	}
	must(t, l.Unlock(t.Context()))
	if h := headOf(t, f.Memory); h.Lock != nil {
		t.Errorf("%+v", h)
	}
}

// The unlock of a lock that ran into trouble may be tried again.
func TestUnlockCanBeTriedAgain(t *testing.T) {
	t.Parallel()
	f := newFaulty()
	l := mustLock(t, register.New(f.store(), register.Options{}), request("apply"))
	times(f, 1, func(func() (string, error)) (string, error) { return "", unreachable(false) })
	if err := l.Unlock(t.Context()); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	must(t, l.Unlock(t.Context()))
	if h := headOf(t, f.Memory); h.Lock != nil {
		t.Errorf("%+v", h)
	}
}
