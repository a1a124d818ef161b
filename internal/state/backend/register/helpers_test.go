package register_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
	"esd/internal/state/backend/register"
	"esd/internal/state/backend/register/registertest"
)

const lineage = "6b1f3a0e-9d55-4f0e-8a55-0c7e8f3f2a11"

func newState(serial int64) *state.State {
	s := state.New(lineage, "0.1.0")
	s.Serial = serial
	return s
}

func request(operation string) backend.LockInfo {
	return backend.NewLockInfo(backend.LockRequest{Operation: operation, Version: "0.1.0", Now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)})
}

// stranger is a request of a process that this one cannot look at.
func stranger(operation string) backend.LockInfo {
	info := request(operation)
	info.Who = "somebody@elsewhere.example.org"
	return info
}

// brief is a lease for tests that wait for its end.
func brief() register.Options {
	return register.Options{Terms: lease.Terms{Duration: 400 * time.Millisecond, Beat: 50 * time.Millisecond}}
}

func mustLock(t *testing.T, b backend.Backend, info backend.LockInfo) backend.Lock {
	t.Helper()
	l, err := b.Lock(t.Context(), info)
	if err != nil {
		t.Fatalf("lock for %s: %v", info.Operation, err)
	}
	t.Cleanup(func() { _ = l.Unlock(context.Background()) })
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// head is what the tests look at in a head.
type head struct {
	Revision, Fence int64
	Lock            *struct {
		Holder   backend.LockInfo
		Renewals int64
	}
	State    *version
	Previous []version
}

type version struct {
	Name          string
	Serial, Fence int64
}

func headOf(t testing.TB, s register.Store) head {
	t.Helper()
	raw, _, err := s.Load(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, raw)
}

func parse(t testing.TB, raw []byte) head {
	t.Helper()
	var h head
	if err := json.Unmarshal(raw, &h); err != nil {
		t.Fatal(err)
	}
	return h
}

// faulty is a store whose requests go wrong as a test says.
type faulty struct {
	*registertest.Memory

	mu sync.Mutex
	// swap stands in for a swap; do carries it out.
	swap func(head []byte, do func() (string, error)) (string, error)
	// load and get stand in for the answers.
	load func(head []byte, version string, err error) ([]byte, string, error)
	get  func(name string, data []byte, err error) ([]byte, error)
	put  func(name string) error
}

func (f *faulty) set(change func(*faulty)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

func (f *faulty) Swap(ctx context.Context, version string, head []byte) (string, error) {
	f.mu.Lock()
	swap := f.swap
	f.mu.Unlock()
	do := func() (string, error) { return f.Memory.Swap(ctx, version, head) }
	if swap == nil {
		return do()
	}
	return swap(head, do)
}

func (f *faulty) Load(ctx context.Context) ([]byte, string, error) {
	head, version, err := f.Memory.Load(ctx)
	f.mu.Lock()
	load := f.load
	f.mu.Unlock()
	if load == nil {
		return head, version, err
	}
	return load(head, version, err)
}

func (f *faulty) Get(ctx context.Context, name string) ([]byte, error) {
	data, err := f.Memory.Get(ctx, name)
	f.mu.Lock()
	get := f.get
	f.mu.Unlock()
	if get == nil {
		return data, err
	}
	return get(name, data, err)
}

func (f *faulty) Put(ctx context.Context, name string, data []byte) error {
	f.mu.Lock()
	put := f.put
	f.mu.Unlock()
	if put != nil {
		if err := put(name); err != nil {
			return err
		}
	}
	return f.Memory.Put(ctx, name, data)
}

// store is a faulty one that has neither sessions nor a listing.
func (f *faulty) store() register.Store { return registertest.Plain(f) }

func newFaulty() *faulty { return &faulty{Memory: &registertest.Memory{}} }

var errCut = errors.New("connection reset by peer")

func unreachable(doubt bool) error {
	return &backend.UnreachableError{Location: "memory", Doing: "writing", Doubt: doubt, Err: errCut}
}

func isUntrusted(err error) bool {
	var untrusted *backend.UntrustedError
	return errors.As(err, &untrusted)
}

func isDoubt(err error) bool {
	var lost *backend.UnreachableError
	return errors.As(err, &lost) && lost.Doubt
}

func serialOf(t *testing.T, s register.Store) int64 {
	t.Helper()
	got, _, err := register.New(s, register.Options{}).Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got == nil {
		return 0
	}
	return got.Serial
}

func describe(err error) string { return fmt.Sprintf("%T: %v", err, err) }
