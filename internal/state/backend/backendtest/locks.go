package backendtest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"esd/internal/state"
	"esd/internal/state/backend"
)

func exclusive(t *testing.T, store Store, _ Options) {
	ctx := context.Background()
	first := mustLock(t, store.Open(), "apply")
	if first.Info().Path == "" {
		t.Error("the lock does not name the state")
	}
	_, err := store.Open().Lock(ctx, request("destroy"))
	var locked *backend.LockedError
	if !errors.As(err, &locked) {
		t.Fatalf("second lock: %v", err)
	}
	// What is known of the lease is nothing that the holder said.
	if diff := cmp.Diff(first.Info(), locked.Holder, cmpopts.IgnoreFields(backend.LockInfo{}, "Lease")); diff != "" {
		t.Errorf("the holder is shown differently (-is +shown):\n%s", diff)
	}
	if p, ok := locked.Holder.Process(); !ok || p.PID == 0 || p.Job == "" {
		t.Errorf("process of the holder: %+v, %v", p, ok)
	}
	for _, want := range []string{first.Info().ID, first.Info().Who, "apply", "https://ci.example.org/jobs/1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %s: %v", want, err)
		}
	}
	holder, err := store.Open().Holder(ctx)
	if err != nil || holder == nil || holder.ID != first.Info().ID {
		t.Errorf("holder is %v, %v", holder, err)
	}
	if err := first.Check(ctx); err != nil {
		t.Errorf("check: %v", err)
	}
	mustUnlock(t, first)
	mustUnlock(t, mustLock(t, store.Open(), "destroy"))
}

func released(t *testing.T, store Store, _ Options) {
	ctx := context.Background()
	l := mustLock(t, store.Open(), "apply")
	mustWrite(t, l, sample(1, 1))
	mustUnlock(t, l)
	mustUnlock(t, l)
	if err := l.Write(ctx, sample(2, 1)); !errors.Is(err, backend.ErrLockLost) {
		t.Errorf("write after unlock: %v", err)
	}
	if err := l.Overwrite(ctx, sample(2, 1)); !errors.Is(err, backend.ErrLockLost) {
		t.Errorf("overwrite after unlock: %v", err)
	}
	if err := l.Check(ctx); !errors.Is(err, backend.ErrLockLost) {
		t.Errorf("check after unlock: %v", err)
	}
	mustHold(t, store, sample(1, 1))
	if holder, err := store.Open().Holder(ctx); err != nil || holder != nil {
		t.Errorf("holder after unlock: %v, %v", holder, err)
	}
}

func wrongID(t *testing.T, store Store, _ Options) {
	ctx := context.Background()
	id := state.NewID()
	if err := store.Open().ForceUnlock(ctx, id); !errors.Is(err, backend.ErrNotLocked) {
		t.Errorf("force-unlock of nothing: %v", err)
	}
	l := mustLock(t, store.Open(), "apply")
	err := store.Open().ForceUnlock(ctx, id)
	var wrong *backend.LockIDError
	if !errors.As(err, &wrong) || wrong.Holder.ID != l.Info().ID || wrong.ID != id {
		t.Errorf("force-unlock with a wrong ID: %v", err)
	}
	mustWrite(t, l, sample(1, 1))
	mustUnlock(t, l)
	if err := store.Open().ForceUnlock(ctx, l.Info().ID); !errors.Is(err, backend.ErrNotLocked) {
		t.Errorf("force-unlock after unlock: %v", err)
	}
}

func fenced(t *testing.T, store Store, _ Options) {
	ctx := context.Background()
	zombie := mustLock(t, store.Open(), "apply")
	mustWrite(t, zombie, sample(1, 1))
	if err := store.Open().ForceUnlock(ctx, zombie.Info().ID); err != nil {
		t.Fatalf("force-unlock: %v", err)
	}
	lost := func(when string) {
		t.Helper()
		for name, op := range map[string]func() error{
			"write":     func() error { return zombie.Write(ctx, sample(9, 9)) },
			"overwrite": func() error { return zombie.Overwrite(ctx, sample(9, 9)) },
			"check":     func() error { return zombie.Check(ctx) },
		} {
			if err := op(); !errors.Is(err, backend.ErrLockLost) {
				t.Errorf("%s of the former holder %s: %v", name, when, err)
			}
		}
	}
	lost("while the lock is free")
	mustHold(t, store, sample(1, 1))

	next := mustLock(t, store.Open(), "destroy")
	lost("while another one holds the lock")
	mustHold(t, store, sample(1, 1))
	if err := zombie.Unlock(ctx); !errors.Is(err, backend.ErrLockLost) {
		t.Errorf("unlock of the former holder: %v", err)
	}
	if err := next.Check(ctx); err != nil {
		t.Errorf("the former holder freed the lock of the next: %v", err)
	}
	mustWrite(t, next, sample(2, 2))
	mustUnlock(t, next)
	mustHold(t, store, sample(2, 2))
}

func waiting(t *testing.T, store Store, _ Options) {
	ctx := context.Background()
	holder := mustLock(t, store.Open(), "apply")
	asked := 0
	opts := backend.WaitOptions{Timeout: time.Second, MinDelay: 10 * time.Millisecond,
		Waiting: func(*backend.LockedError) { asked++ }}
	_, err := backend.Acquire(ctx, store.Open(), request("b"), opts)
	var locked *backend.LockedError
	if !errors.As(err, &locked) || asked < 2 {
		t.Errorf("after the time: %v, asked %d times", err, asked)
	}
	stopped, cancel := context.WithCancel(ctx)
	opts.Timeout, opts.Waiting = time.Hour, func(*backend.LockedError) { cancel() }
	if _, err = backend.Acquire(stopped, store.Open(), request("b"), opts); !errors.Is(err, context.Canceled) {
		t.Errorf("after the run ended: %v", err)
	}
	opts.Waiting = func(*backend.LockedError) {
		if asked++; asked%3 == 0 {
			mustUnlock(t, holder)
		}
	}
	l, err := backend.Acquire(ctx, store.Open(), request("b"), opts)
	if err != nil {
		t.Fatalf("after the unlock: %v", err)
	}
	mustUnlock(t, l)
}

func cancelled(t *testing.T, store Store, _ Options) {
	l := mustLock(t, store.Open(), "apply")
	mustWrite(t, l, sample(1, 1))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Write(ctx, sample(2, 2)); !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v", err)
	}
	if _, _, err := store.Open().Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
	mustHold(t, store, sample(1, 1))
	mustUnlock(t, l)
	if _, err := store.Open().Lock(ctx, request("apply")); !errors.Is(err, context.Canceled) {
		t.Errorf("lock: %v", err)
	}
	mustUnlock(t, mustLock(t, store.Open(), "apply"))
}
