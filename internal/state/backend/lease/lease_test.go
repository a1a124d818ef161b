package lease_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
)

func TestAHolderIsDeadWhenItWasSilentForTheWholeLease(t *testing.T) {
	t.Parallel()
	const duration = time.Minute
	for name, tc := range map[string]struct {
		looks []look
		want  []backend.Verdict
	}{
		"one look decides nothing":                        {[]look{{0, "a", "1"}}, []backend.Verdict{backend.Undecided}},
		"a sign that changes is one of life":              {[]look{{0, "a", "1"}, {time.Second, "a", "2"}, {59 * time.Second, "a", "2"}}, []backend.Verdict{backend.Undecided, backend.Alive, backend.Alive}},
		"a sign that stays is none":                       {[]look{{0, "a", "1"}, {59 * time.Second, "a", "1"}, {time.Second, "a", "1"}}, []backend.Verdict{backend.Undecided, backend.Undecided, backend.Dead}},
		"who was alive can die":                           {[]look{{0, "a", "1"}, {time.Second, "a", "2"}, {duration, "a", "2"}}, []backend.Verdict{backend.Undecided, backend.Alive, backend.Dead}},
		"who seemed dead can wake up":                     {[]look{{0, "a", "1"}, {duration, "a", "1"}, {0, "a", "2"}}, []backend.Verdict{backend.Undecided, backend.Dead, backend.Alive}},
		"another holder is watched anew":                  {[]look{{0, "a", "1"}, {duration, "b", "1"}, {time.Second, "b", "1"}}, []backend.Verdict{backend.Undecided, backend.Undecided, backend.Undecided}},
		"time before the last change of the sign is lost": {[]look{{0, "a", "1"}, {50 * time.Second, "a", "2"}, {50 * time.Second, "a", "2"}, {10 * time.Second, "a", "2"}}, []backend.Verdict{backend.Undecided, backend.Alive, backend.Alive, backend.Dead}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Unix(0, 0)
			w := lease.Watch{Now: func() time.Time { return now }}
			for i, l := range tc.looks {
				now = now.Add(l.after)
				if got := w.Look(l.id, l.sign, duration); got != tc.want[i] {
					t.Errorf("look %d: %v, want %v", i+1, got, tc.want[i])
				}
			}
		})
	}
}

type look struct {
	after    time.Duration
	id, sign string
}

func TestALockWithoutLeaseIsRespected(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	w := lease.Watch{Now: func() time.Time { return now }}
	for range 3 {
		if got := w.Look("a", "1", 0); got != backend.Alive {
			t.Error(got)
		}
		now = now.Add(time.Hour)
	}
	if w.Silence() != 0 {
		t.Errorf("silent for %s, and was not watched", w.Silence())
	}
}

func TestAProcessOfThisMachineNeedNotBeWatched(t *testing.T) {
	t.Parallel()
	info := backend.NewLockInfo(backend.LockRequest{Operation: "apply", Now: time.Unix(0, 0)}).WithLease(time.Minute)
	if !info.Neighbour() {
		t.Skip("this system does not tell processes apart")
	}
	now := time.Unix(0, 0)
	w := lease.Watch{Now: func() time.Time { return now }}
	if got := w.LookAt(info, "1"); got != backend.Alive {
		t.Errorf("this process: %v", got)
	}
	now = now.Add(time.Minute)
	if got := w.LookAt(info, "1"); got != backend.Dead {
		t.Errorf("this process, which does not renew: %v", got)
	}
	gone := info
	p, _ := info.Process()
	boot, _, _ := strings.Cut(p.Start, "/")
	p.Start = boot + "/1"
	data, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	gone.Info = string(data)
	if got := (&lease.Watch{}).LookAt(gone, "1"); got != backend.Dead {
		t.Errorf("an earlier process of its number: %v, %s", got, gone.Info)
	}
	info.Who = "somebody@elsewhere"
	if got := (&lease.Watch{}).LookAt(info, "1"); got != backend.Undecided {
		t.Errorf("a process elsewhere: %v", got)
	}
}

func TestALeaseIsRenewedAtEachBeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var beats atomic.Int64
		k := lease.Keep(lease.Terms{Duration: time.Minute}, func(context.Context) error { beats.Add(1); return nil })
		time.Sleep(10*time.Minute + time.Second)
		if n := beats.Load(); n != 40 {
			t.Errorf("%d heartbeats in 10 minutes", n)
		}
		if k.Err() != nil || k.Doubt() != nil {
			t.Error(k.Err(), k.Doubt())
		}
		k.Stop()
		k.Stop()
		time.Sleep(time.Hour)
		if n := beats.Load(); n != 40 {
			t.Errorf("%d heartbeats, some after the end", n)
		}
	})
}

func TestHeartbeatsThatFailAreTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		fault := errors.New("the network is down")
		k := lease.Keep(lease.Terms{Duration: time.Minute}, func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			return fault
		})
		defer k.Stop()
		time.Sleep(50 * time.Second)
		if err := k.Doubt(); err != nil {
			t.Errorf("before its end: %v", err)
		}
		time.Sleep(50 * time.Second)
		if err := k.Doubt(); !errors.Is(err, fault) || k.Err() != nil {
			t.Errorf("after its end: %v, %v", err, k.Err())
		}
		select {
		case <-k.Lost():
			t.Error("a lock that may still be held counts as lost")
		default:
		}
		mu.Lock()
		fault = nil
		mu.Unlock()
		time.Sleep(20 * time.Second)
		if err := k.Doubt(); err != nil {
			t.Errorf("after the next heartbeat: %v", err)
		}
	})
}

func TestALockThatIsLostIsSaidToBe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := lease.Keep(lease.Terms{Duration: time.Minute}, func(context.Context) error { return backend.ErrLockLost })
		time.Sleep(16 * time.Second)
		select {
		case <-k.Lost():
		default:
			t.Error("nobody hears of it")
		}
		if err := k.Err(); !errors.Is(err, backend.ErrLockLost) || k.Doubt() != nil {
			t.Error(err, k.Doubt())
		}
		k.Stop()
	})
}

func TestAHeartbeatThatHangsIsEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := lease.Keep(lease.Terms{Duration: time.Minute}, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		time.Sleep(61 * time.Second)
		if err := k.Doubt(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		k.Renewed() // by a write
		if err := k.Doubt(); err != nil {
			t.Errorf("after a write: %v", err)
		}
		k.Stop()
	})
}

func TestTermsAreRead(t *testing.T) {
	t.Parallel()
	a := lease.Attribute(time.Minute)
	for text, want := range map[string]time.Duration{"90s": 90 * time.Second, "5m": 5 * time.Minute, "2s": 2 * time.Second} {
		v := cty.StringVal(text)
		if err := a.Check(v); err != nil {
			t.Error(err)
		}
		if terms := lease.TermsOf(backend.Settings{"lease": v}, time.Minute); terms != (lease.Terms{Duration: want, Beat: want / 4}) {
			t.Errorf("%s: %+v", text, terms)
		}
	}
	if terms := lease.TermsOf(backend.Settings{}, time.Hour); terms.Duration != time.Hour {
		t.Errorf("%+v", terms)
	}
	for _, text := range []string{"1s", "-5m", "soon", ""} {
		if err := a.Check(cty.StringVal(text)); err == nil {
			t.Errorf("%q is a lease", text)
		}
	}
}

func TestNoticesSayHowItIsKnownThatAHolderIsDead(t *testing.T) {
	t.Parallel()
	holder := backend.LockInfo{ID: "1234", Who: "a@b", Operation: "apply", Created: time.Unix(0, 0), Lease: backend.Lease{Duration: time.Minute}}
	if n := lease.TakenOver(holder); n.Kind != "lock-taken-over" || !strings.Contains(n.Summary, "whose process is gone") || !strings.Contains(n.Detail, "1234") {
		t.Errorf("%+v", n)
	}
	holder.Lease.Silent = 62 * time.Second
	if n := lease.TakenOver(holder); !strings.Contains(n.Summary, "was silent for 1m2s") || !strings.Contains(n.Detail, "1m0s") {
		t.Errorf("%+v", n)
	}
}
