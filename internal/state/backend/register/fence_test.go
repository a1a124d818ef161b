package register_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
	"esd/internal/state/backend/register"
	"esd/internal/state/backend/register/registertest"
)

// A holder that is stopped between its last look and its write has no moment in
// which it could still write.
func TestAZombieThatIsStoppedBeforeItsSwapWritesNothing(t *testing.T) {
	t.Parallel()
	for name, depose := range map[string]func(t *testing.T, b *register.Backend, id string) backend.Lock{
		"its lock was broken": func(t *testing.T, b *register.Backend, id string) backend.Lock {
			must(t, b.ForceUnlock(t.Context(), id))
			return nil
		},
		"its lock was broken and taken": func(t *testing.T, b *register.Backend, id string) backend.Lock {
			must(t, b.ForceUnlock(t.Context(), id))
			return mustLock(t, b, request("next"))
		},
		"another one has written": func(t *testing.T, b *register.Backend, id string) backend.Lock {
			must(t, b.ForceUnlock(t.Context(), id))
			l := mustLock(t, b, request("next"))
			must(t, l.Write(t.Context(), newState(2)))
			return l
		},
		"its lease has ended": func(t *testing.T, b *register.Backend, _ string) backend.Lock {
			l, err := backend.Acquire(t.Context(), b, request("next"), backend.WaitOptions{Timeout: 10 * time.Second})
			must(t, err)
			return l
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFaulty()
			zombie := mustLock(t, register.New(f.store(), brief()), stranger("zombie"))
			must(t, zombie.Write(t.Context(), newState(1)))
			stopped, resume := make(chan struct{}), make(chan struct{})
			f.set(func(f *faulty) {
				f.swap = func(_ []byte, do func() (string, error)) (string, error) {
					select {
					case stopped <- struct{}{}:
					default:
					}
					<-resume
					return do()
				}
			})
			written := make(chan error, 1)
			go func() { written <- zombie.Write(context.Background(), newState(5)) }()
			<-stopped
			next := depose(t, register.New(registertest.Plain(f.Memory), brief()), zombie.Info().ID)
			before := headOf(t, f.Memory).State.Name
			close(resume)
			if err := <-written; !errors.Is(err, backend.ErrLockLost) {
				t.Errorf("the zombie's write: %v", err)
			}
			if now := headOf(t, f.Memory).State.Name; now != before {
				t.Errorf("the present version was %s and is %s", before, now)
			}
			names, _ := f.List(t.Context())
			for _, name := range names {
				if strings.HasPrefix(name, "0000000005-") {
					t.Errorf("the zombie has left %s behind", name)
				}
			}
			if next != nil {
				must(t, next.Check(t.Context()))
			}
			f.set(func(f *faulty) { f.swap = nil })
			select {
			case <-zombie.Lost():
			case <-time.After(10 * time.Second):
				t.Error("the zombie never heard that its lock is lost")
			}
			if err := zombie.Unlock(t.Context()); !errors.Is(err, backend.ErrLockLost) {
				t.Errorf("the zombie's unlock: %v", err)
			}
		})
	}
}

func TestASilentHolderLosesItsLockWithItsLease(t *testing.T) {
	t.Parallel()
	f := newFaulty()
	silent := mustLock(t, register.New(f.store(), brief()), stranger("silent"))
	f.set(func(f *faulty) {
		f.swap = func([]byte, func() (string, error)) (string, error) { return "", unreachable(false) }
	})
	other := register.New(registertest.Plain(f.Memory), brief())
	begun := time.Now()
	l, err := backend.Acquire(t.Context(), other, request("next"), backend.WaitOptions{})
	if err != nil {
		t.Fatalf("after %s: %v", time.Since(begun), err)
	}
	if waited := time.Since(begun); waited < 400*time.Millisecond {
		t.Errorf("the lock was taken over after %s", waited)
	}
	notices := l.Notices()
	if len(notices) != 1 || notices[0].Kind != lease.NoticeTakenOver || !strings.Contains(notices[0].Summary, "was silent for") ||
		!strings.Contains(notices[0].Detail, silent.Info().ID) {
		t.Errorf("%+v", notices)
	}
	must(t, l.Unlock(t.Context()))
}

func TestAHolderThatShowsItselfIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	m := &registertest.Memory{}
	mustLock(t, register.New(registertest.Plain(m), brief()), stranger("holder"))
	// Whoever looks has a clock that is wrong by a day.
	opts := brief()
	opts.Now = func() time.Time { return time.Now().Add(24 * time.Hour) }
	other := register.New(registertest.Plain(m), opts)
	_, err := backend.Acquire(t.Context(), other, request("next"), backend.WaitOptions{})
	var locked *backend.LockedError
	if !errors.As(err, &locked) || locked.Holder.Lease.Verdict != backend.Alive || locked.Holder.Lease.Duration != 400*time.Millisecond {
		t.Errorf("%v", err)
	}
	if holder, err := other.Holder(t.Context()); err != nil || holder.Lease.Verdict != backend.Alive || holder.Lease.Expires.Before(holder.Lease.Renewed) {
		t.Errorf("%+v, %v", holder, err)
	}
}

func TestTheLeaseIsRenewedWhileALargeDocumentIsSent(t *testing.T) {
	t.Parallel()
	f := newFaulty()
	l := mustLock(t, register.New(f.store(), brief()), stranger("apply"))
	f.set(func(f *faulty) { f.put = func(string) error { time.Sleep(time.Second); return nil } })
	before := headOf(t, f.Memory).Lock.Renewals
	other := register.New(registertest.Plain(f.Memory), brief())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := backend.Acquire(t.Context(), other, request("next"), backend.WaitOptions{Timeout: 900 * time.Millisecond}); err == nil {
			t.Error("the lock was taken over")
		}
	}()
	must(t, l.Write(t.Context(), newState(1)))
	<-done
	if after := headOf(t, f.Memory).Lock.Renewals; after < before+5 {
		t.Errorf("%d renewals, then %d", before, after)
	}
}

func TestAHolderWhoseSessionEndedIsTakenOverAtOnce(t *testing.T) {
	t.Parallel()
	m := &registertest.Memory{}
	long := register.Options{Terms: lease.Terms{Duration: time.Hour}}
	holder := mustLock(t, register.New(m, long), stranger("holder"))
	other := register.New(m, long)
	var locked *backend.LockedError
	if _, err := other.Lock(t.Context(), request("next")); !errors.As(err, &locked) {
		t.Fatalf("while its session lasts: %v", err)
	}
	m.End(1)
	l := mustLock(t, other, request("next"))
	if notices := l.Notices(); len(notices) != 1 || !strings.Contains(notices[0].Summary, "whose process is gone") {
		t.Errorf("%+v", notices)
	}
	if err := holder.Write(t.Context(), newState(1)); !errors.Is(err, backend.ErrLockLost) {
		t.Errorf("write of the former holder: %v", err)
	}
	must(t, l.Unlock(t.Context()))
	if gone, _ := m.Gone(t.Context(), 2); !gone {
		t.Error("the session outlasts the lock")
	}
}

func TestTheFenceOutlastsTheLock(t *testing.T) {
	t.Parallel()
	m := &registertest.Memory{}
	for fence := int64(1); fence <= 3; fence++ {
		l := mustLock(t, register.New(m, register.Options{}), request("apply"))
		must(t, l.Unlock(t.Context()))
		if h := headOf(t, m); h.Fence != fence || h.Lock != nil {
			t.Errorf("after lock %d: %+v", fence, h)
		}
	}
}
