package oci

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
)

// schedules is how many random schedules a test goes through; set the variable for
// more.
func schedules(t *testing.T, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv("ESD_TEST_SCHEDULES")); err == nil {
		return n
	}
	if testing.Short() {
		return otherwise / 10
	}
	return otherwise
}

// trial is one schedule: some clients, each of which makes some updates of one
// state, in a world with its own ideas of when things happen.
type trial struct {
	t     *testing.T
	seed  uint64
	w     *world
	opts  Options
	kills float64
	naps  float64

	mu        sync.Mutex
	holders   map[string]*held
	confirmed []string
	written   []version
	counts    map[string]int
}

const trialLease = time.Second

func newTrial(t *testing.T, seed uint64) *trial {
	tr := &trial{t: t, seed: seed, w: newWorld(seed), holders: map[string]*held{}, counts: map[string]int{}}
	tr.opts = Options{Name: "s", Lease: lease.Terms{Duration: trialLease}, Keep: 2 + int(seed%3)}
	return tr
}

func (tr *trial) errorf(format string, args ...any) {
	tr.t.Errorf("seed %d: %s", tr.seed, fmt.Sprintf(format, args...))
}

func (tr *trial) count(what string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.counts[what]++
}

// run lets the clients contend until all have done their updates or are dead.
func (tr *trial) run(clients, updates int) {
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			c := &client{w: tr.w}
			b := newBackend(c, tr.opts)
			time.Sleep(tr.w.between(200 * time.Millisecond))
			for n := range updates {
				if tr.w.chance(tr.kills) {
					time.AfterFunc(tr.w.between(time.Second), c.kill)
				}
				if tr.w.chance(tr.naps) {
					at, nap := tr.w.between(time.Second), tr.w.between(5*trialLease)
					time.AfterFunc(at, func() { c.mu.Lock(); c.wake = time.Now().Add(nap); c.mu.Unlock() })
				}
				err := tr.update(b, fmt.Sprintf("recipe.c%d-%d", i, n))
				if c.killed() {
					return
				}
				tr.count(kindOf(err))
				var e *backend.UntrustedError
				if errors.As(err, &e) && tr.w.stale == 0 {
					tr.errorf("%v", err)
				}
			}
		})
	}
	wg.Wait()
	tr.w.late.Wait()
}

func kindOf(err error) string {
	var locked *backend.LockedError
	var conflict *state.ConflictError
	switch {
	case err == nil:
		return "written"
	case errors.Is(err, backend.ErrLockLost):
		return "lost"
	case errors.As(err, &locked):
		return "locked"
	case errors.As(err, &conflict):
		return "conflict"
	case untrusted(err):
		return "untrusted"
	}
	return "failed"
}

// update adds an object to the state, as an apply does.
func (tr *trial) update(b *Backend, address string) error {
	ctx := context.Background()
	l, err := backend.Acquire(ctx, b, elsewhere(address), backend.WaitOptions{Timeout: 5 * time.Minute, MaxDelay: 200 * time.Millisecond})
	if err != nil {
		return err
	}
	if h, ok := l.(*held); ok {
		defer h.keeper.Stop()
		tr.enter(h)
	}
	err = tr.change(ctx, b, l, address)
	if h, ok := l.(*held); ok {
		tr.exit(h)
	}
	return errors.Join(err, l.Unlock(ctx))
}

func (tr *trial) change(ctx context.Context, b *Backend, l backend.Lock, address string) error {
	s, _, err := b.Read(ctx)
	if err != nil {
		return err
	}
	if s == nil {
		s = state.New(lineage, "0.1.0")
	}
	next := s.Clone()
	next.Serial++
	next.Put(&state.Object{Address: address, Kind: "recipe", Key: fmt.Sprintf("%064d", next.Serial), When: "2026-11-21T10:00:00Z"})
	if err := l.Write(ctx, next); err != nil {
		return err
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.confirmed = append(tr.confirmed, address)
	tr.written = append(tr.written, *b.seen)
	return nil
}

// enter checks that nobody else has the lock at this moment, except those from
// whom it was taken.
func (tr *trial) enter(h *held) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for token, other := range tr.holders {
		if tr.w.stale == 0 && !tr.w.broken(token) && !tr.w.broken(h.token) {
			tr.errorf("%s has the lock with ticket %d while %s has it with ticket %d", h.info.Operation, h.ticket, other.info.Operation, other.ticket)
		}
	}
	tr.holders[h.token] = h
}

func (tr *trial) exit(h *held) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	delete(tr.holders, h.token)
}

// observer is a client that is never disturbed.
func (tr *trial) observer() *Backend {
	tr.w.faults, tr.w.stall, tr.w.stale = 0, 0, 0
	return newBackend(&client{w: tr.w}, tr.opts)
}

// nothingLost checks that the state holds all updates that were confirmed.
func (tr *trial) nothingLost() {
	b := tr.observer()
	s, _, err := b.Read(context.Background())
	if err != nil {
		tr.errorf("at the end: %v", err)
		return
	}
	for _, address := range tr.confirmed {
		if s == nil || s.Get(address) == nil {
			tr.errorf("the update %s was confirmed and is lost", address)
		}
	}
}

// oneWriterAFence checks that no fencing number was given to two.
func (tr *trial) oneWriterAFence() {
	writers := map[int64]string{}
	for tag, o := range tr.w.ever {
		for _, v := range parseListing("s", []string{tag}).versions {
			r, err := readVersion(v, o.desc, o.manifest)
			if err != nil {
				tr.errorf("%v", err)
				continue
			}
			if other, ok := writers[v.fence]; ok && other != r.writer {
				tr.errorf("fence %d belongs to %s and %s", v.fence, other, r.writer)
			}
			writers[v.fence] = r.writer
		}
	}
}

// many runs a test on many schedules, each with a seed of its own, and tells what
// happened in them.
func many(t *testing.T, n int, test func(*trial)) {
	t.Parallel()
	first := uint64(1)
	if s, err := strconv.ParseUint(os.Getenv("ESD_TEST_SEED"), 10, 64); err == nil {
		first, n = s, 1
	}
	var mu sync.Mutex
	total := map[string]int{}
	var wg sync.WaitGroup
	var done atomic.Int64
	for range 2 {
		wg.Go(func() {
			for i := done.Add(1); i <= int64(n) && !t.Failed(); i = done.Add(1) {
				synctest.Test(t, func(t *testing.T) {
					tr := newTrial(t, first+uint64(i-1))
					test(tr)
					mu.Lock()
					defer mu.Unlock()
					for k, v := range tr.counts {
						total[k] += v
					}
				})
			}
		})
	}
	wg.Wait()
	t.Logf("%d schedules: %v", n, total)
	if total["written"] == 0 && os.Getenv("ESD_TEST_SEED") == "" {
		t.Error("nothing was written at all")
	}
}

func TestAnyScheduleKeepsHoldersApartAndLosesNoUpdate(t *testing.T) {
	many(t, schedules(t, 100), func(tr *trial) {
		tr.run(2+int(tr.seed%5), 3)
		tr.nothingLost()
		tr.oneWriterAFence()
		if n := tr.counts["written"]; n != len(tr.confirmed) || n != 3*(2+int(tr.seed%5)) {
			tr.errorf("without any disturbance: %v", tr.counts)
		}
	})
}

func TestAnyScheduleWithDeathsAndDelaysBeyondTheLeaseLosesNoUpdate(t *testing.T) {
	many(t, schedules(t, 100), func(tr *trial) {
		tr.w.stall, tr.kills, tr.naps = 3*trialLease, 0.15, 0.15
		tr.run(5, 3)
		tr.nothingLost()
		tr.oneWriterAFence()
	})
}

func TestAnyScheduleWithRequestsThatFailOrArriveLateLosesNoUpdate(t *testing.T) {
	many(t, schedules(t, 100), func(tr *trial) {
		tr.w.stall, tr.w.faults, tr.kills, tr.naps = 2*trialLease, 0.02, 0.05, 0.05
		tr.run(5, 3)
		tr.nothingLost()
		tr.oneWriterAFence()
	})
}

func TestWithoutALockNoConfirmedUpdateIsLostEither(t *testing.T) {
	many(t, schedules(t, 100), func(tr *trial) {
		tr.opts.Unlocked = true
		tr.run(2+int(tr.seed%4), 3)
		tr.nothingLost()
	})
}

func TestListsThatAreOutOfDateLoseNothingUnnoticed(t *testing.T) {
	noticed := 0
	many(t, schedules(t, 100), func(tr *trial) {
		tr.w.stale, tr.opts.Keep = 3*trialLease, 1000
		tr.w.own = tr.seed%2 == 0
		tr.run(4, 3)
		tr.mu.Lock()
		defer tr.mu.Unlock()
		b := tr.observer()
		l, err := b.look(context.Background(), "reading")
		if err != nil {
			tr.errorf("%v", err)
			return
		}
		c := l.chain()
		for _, v := range tr.written {
			switch {
			case slices.Contains(c.line, v):
			case slices.Contains(c.strays, v):
				noticed++
			default:
				tr.errorf("the version %s was confirmed and is nowhere, line %s, strays %s, all %v", v.describe(), describeAll(c.line), describeAll(c.strays), slices.Sorted(maps.Keys(tr.w.tags)))
			}
		}
	})
	t.Logf("%d forks were noticed", noticed)
}
