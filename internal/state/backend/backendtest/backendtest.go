// Package backendtest is the suite that every state backend has to pass.
//
// A backend's test has a TestMain that calls Main, so that the suite can start
// the test binary again as other processes, and one test that calls Run.
package backendtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
)

// Store is an empty place for one state.
type Store struct {
	// Open returns a client of the store. Each call returns another, as another
	// process would have it.
	Open func() backend.Backend
	// Plant puts bytes where the state is kept, past the backend.
	Plant func(data []byte) error
	// Raw returns the bytes that are kept, nil when there are none.
	Raw func() ([]byte, error)
	// Location is what other processes are given to find the store: see Main.
	Location string
}

// Options adapt the suite to a backend.
type Options struct {
	// New makes an empty store for one test.
	New func(t *testing.T) Store
	// Processes is how many contend for the lock at once (default 20).
	Processes int
	// TakeOver is the time after which the lock of a killed holder is free. 0
	// means at once.
	TakeOver time.Duration
	// EmptyIsNone: where nothing is kept and where an empty document is kept is
	// the same to the protocol.
	EmptyIsNone bool
	// SerialsGrow: the place keeps versions by serial and shows the highest, so
	// that even an overwrite has to have a higher one.
	SerialsGrow bool
}

// Run runs the suite, each test on a store of its own.
func Run(t *testing.T, opts Options) {
	if opts.Processes == 0 {
		opts.Processes = 20
	}
	for name, test := range map[string]func(*testing.T, Store, Options){
		"an empty store has no state and no holder":                    empty,
		"what was written is read by another client":                   written,
		"a serial that does not grow and another lineage are refused":  succession,
		"a second lock shows the holder of the first":                  exclusive,
		"a lock that was given back writes no more":                    released,
		"force-unlock needs the right ID":                              wrongID,
		"a lock that was taken away writes no more and frees nothing":  fenced,
		"waiting for a lock ends with the lock, the time or the run":   waiting,
		"many clients lose no update":                                  contention,
		"many processes lose no update":                                processes,
		"a killed holder frees the lock, which the next one reports":   killed,
		"a writer that is killed leaves a whole state":                 interrupted,
		"a reader never sees half a write":                             readers,
		"a state of 50 MB":                                             large,
		"what cannot be read is reported and never overwritten":        unreadable,
		"overwriting is possible where writing is refused":             overwrite,
		"a state that cannot be encoded leaves the recorded one alone": invalid,
		"an operation that was cancelled changes nothing":              cancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, opts.New(t), opts)
		})
	}
}

// lineage is that of all states in the suite.
const lineage = "6b1f3a0e-9d55-4f0e-8a55-0c7e8f3f2a11"

// request returns a lock request for tests.
func request(operation string) backend.LockInfo {
	return backend.NewLockInfo(backend.LockRequest{
		Operation: operation, Version: "0.1.0", Job: "https://ci.example.org/jobs/1",
		Now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC),
	})
}

// sample returns a state with a serial and n objects.
func sample(serial int64, n int) *state.State {
	s := state.New(lineage, "0.1.0")
	s.Serial = serial
	for i := range n {
		s.Put(object(fmt.Sprintf("recipe.p%06d", i), serial))
	}
	return s
}

func object(address string, serial int64) *state.Object {
	sum := sha256.Sum256(fmt.Append(nil, address, serial))
	key := hex.EncodeToString(sum[:])
	return &state.Object{
		Address: address, Kind: "recipe", Key: key, When: "2026-11-21T10:00:00Z",
		Attributes: state.Attributes{"serial": serial, "prefix": "/opt/esd/" + key, "digest": "sha256:" + key},
		Inputs:     map[string]string{"script": key[:12], "source": key[12:24]},
	}
}

func mustLock(t *testing.T, b backend.Backend, operation string) backend.Lock {
	t.Helper()
	l, err := backend.Acquire(context.Background(), b, request(operation), backend.WaitOptions{Timeout: time.Minute})
	if err != nil {
		t.Fatalf("lock for %s: %v", operation, err)
	}
	return l
}

func mustWrite(t *testing.T, l backend.Lock, s *state.State) {
	t.Helper()
	if err := l.Write(context.Background(), s); err != nil {
		t.Fatalf("write serial %d: %v", s.Serial, err)
	}
}

func mustUnlock(t *testing.T, l backend.Lock) {
	t.Helper()
	if err := l.Unlock(context.Background()); err != nil {
		t.Fatalf("unlock: %v", err)
	}
}

// mustHold fails unless the store holds exactly this state.
func mustHold(t *testing.T, store Store, want *state.State) {
	t.Helper()
	got, _, err := store.Open().Read(context.Background())
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	if !got.Equal(want) {
		t.Fatalf("the store holds another state: %s, want %s", describe(got), describe(want))
	}
}

func describe(s *state.State) string {
	if s == nil {
		return "none"
	}
	return fmt.Sprintf("serial %d with %d objects", s.Serial, len(s.Objects))
}
