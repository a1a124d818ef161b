package register_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
	"esd/internal/state/backend/register"
	"esd/internal/state/backend/register/registertest"
)

// chaos is what one client sees of a store over a bad network: requests and
// answers are delayed, lost, carried out twice, and carried out after the client
// was told that they failed. At its death nothing of it gets through any more.
type chaos struct {
	*registertest.Memory
	random *rand.Rand
	mu     sync.Mutex
	dead   bool
	late   *sync.WaitGroup
}

var errDead = errors.New("this client is dead")

// roll draws what happens to a request: a number below 100 and a delay.
func (c *chaos) roll() (fate int, delay time.Duration, dead bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delay = time.Duration(c.random.IntN(3)) * time.Millisecond
	if c.random.IntN(200) == 0 {
		delay = time.Duration(c.random.IntN(600)) * time.Millisecond // longer than a lease
	}
	return c.random.IntN(100), delay, c.dead
}

func (c *chaos) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
}

func (c *chaos) Swap(ctx context.Context, version string, head []byte) (string, error) {
	fate, delay, dead := c.roll()
	time.Sleep(delay)
	do := func() (string, error) { return c.Memory.Swap(context.WithoutCancel(ctx), version, head) }
	switch {
	case dead:
		return "", errDead
	case fate < 4:
		return "", unreachable(true)
	case fate < 8:
		_, _ = do()
		return "", unreachable(true)
	case fate < 12:
		_, _ = do()
		return do()
	case fate < 16:
		c.late.Go(func() {
			time.Sleep(delay * 20)
			_, _ = do()
		})
		return "", unreachable(true)
	case fate < 18:
		return "", unreachable(false)
	}
	return do()
}

func (c *chaos) Load(ctx context.Context) ([]byte, string, error) {
	fate, delay, dead := c.roll()
	head, version, err := c.Memory.Load(ctx)
	time.Sleep(delay) // an answer may be old when it comes
	switch {
	case dead:
		return nil, "", errDead
	case fate < 3:
		return nil, "", unreachable(false)
	}
	return head, version, err
}

func (c *chaos) Put(ctx context.Context, name string, data []byte) error {
	_, delay, dead := c.roll()
	time.Sleep(delay)
	if dead {
		return errDead
	}
	return c.Memory.Put(ctx, name, data)
}

// outcomes are what clients were told of their updates.
type outcomes struct {
	mu                sync.Mutex
	written, unwanted map[string]bool
}

// update adds an object to the state, as a run does. The client may die on the
// way.
func (o *outcomes) update(name string, c *chaos, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 9))
	dies := random.IntN(5) == 0
	b := register.New(registertest.Plain(c), register.Options{Keep: 2, Terms: lease.Terms{Duration: 300 * time.Millisecond, Beat: 40 * time.Millisecond}})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l, err := backend.Acquire(ctx, b, stranger(name), backend.WaitOptions{Timeout: 30 * time.Second, MinDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond})
	if err != nil {
		return
	}
	if dies {
		time.AfterFunc(time.Duration(random.IntN(20))*time.Millisecond, c.kill)
	}
	err = addObject(ctx, b, l, name)
	o.mu.Lock()
	o.written[name] = err == nil
	o.unwanted[name] = errors.Is(err, backend.ErrLockLost) && !isDoubt(err)
	o.mu.Unlock()
	_ = l.Unlock(ctx)
	c.kill() // so that a heartbeat that could not be stopped ends too
}

func addObject(ctx context.Context, b *register.Backend, l backend.Lock, name string) error {
	s, _, err := b.Read(ctx)
	if err != nil {
		return err
	}
	next := newState(0)
	if s != nil {
		next = s.Clone()
	}
	next.Serial++
	next.Put(&state.Object{Address: "recipe." + name, Kind: "recipe", Key: fmt.Sprintf("%064d", next.Serial)})
	return l.Write(ctx, next)
}

// Whatever happens to clients and requests: of the heads that there were, each
// follows from the one before, only the holder of the lock writes, and no update
// is lost of which a client was told that it was made.
func TestHistoriesHaveOneHolderAndOneChain(t *testing.T) {
	t.Parallel()
	rounds, _ := strconv.Atoi(os.Getenv("ESD_TEST_ROUNDS"))
	for round := range max(rounds, 2) {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			var history []head
			m := &registertest.Memory{Swapped: func(raw []byte) { history = append(history, parse(t, raw)) }}
			o := outcomes{written: map[string]bool{}, unwanted: map[string]bool{}}
			var clients, late sync.WaitGroup
			for i := range 8 {
				clients.Go(func() {
					for n := range 6 {
						draw := seed + uint64(100*i+n)
						o.update(fmt.Sprintf("c%d-%d", i, n), &chaos{Memory: m, random: rand.New(rand.NewPCG(draw, 7)), late: &late}, draw)
					}
				})
			}
			clients.Wait()
			late.Wait()
			checkHistory(t, history)
			o.check(t, m, history)
		})
	}
}

func checkHistory(t *testing.T, history []head) {
	t.Helper()
	var before head
	held := map[string]int64{} // fence by ID
	for _, h := range history {
		if h.Revision != before.Revision+1 {
			t.Fatalf("revision %d after %d", h.Revision, before.Revision)
		}
		taken := h.Lock != nil && (before.Lock == nil || before.Lock.Holder.ID != h.Lock.Holder.ID)
		switch {
		case taken && h.Fence != before.Fence+1, !taken && h.Fence != before.Fence:
			t.Fatalf("revision %d: fence %d after %d, lock taken: %v", h.Revision, h.Fence, before.Fence, taken)
		case taken && held[h.Lock.Holder.ID] != 0:
			t.Fatalf("revision %d: lock %s is back", h.Revision, h.Lock.Holder.ID)
		case taken:
			held[h.Lock.Holder.ID] = h.Fence
		}
		if written := h.State != nil && (before.State == nil || before.State.Name != h.State.Name); written {
			serial := int64(0)
			if before.State != nil {
				serial = before.State.Serial
			}
			if taken || h.Lock == nil || h.State.Fence != h.Fence || h.State.Serial != serial+1 {
				t.Fatalf("revision %d: %+v after %+v", h.Revision, h.State, before.State)
			}
		}
		before = h
	}
}

func (o *outcomes) check(t *testing.T, m *registertest.Memory, history []head) {
	t.Helper()
	b := register.New(registertest.Plain(m), brief())
	s, _, err := b.Read(t.Context())
	if err != nil || s == nil {
		t.Fatalf("%v, %v", s, err)
	}
	done := 0
	for name := range o.written {
		there := s.Get("recipe."+name) != nil
		switch {
		case o.written[name] && !there:
			t.Errorf("the update %s is lost", name)
		case o.unwanted[name] && there:
			t.Errorf("the update %s was made, and said not to be", name)
		}
		if o.written[name] {
			done++
		}
	}
	if int64(len(s.Objects)) != s.Serial {
		t.Errorf("%d objects at serial %d", len(s.Objects), s.Serial)
	}
	if done == 0 {
		t.Error("no client got anything done")
	}
	l, err := backend.Acquire(t.Context(), b, request("last"), backend.WaitOptions{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatalf("the lock is never free again: %v", err)
	}
	must(t, l.Unlock(t.Context()))
	t.Logf("%d heads, %d locks, %d updates known to be made of %d", len(history), history[len(history)-1].Fence, done, len(o.written))
}
