package oci

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/olareg/olareg"
	oconfig "github.com/olareg/olareg/config"

	registry "esd/internal/oci"
	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/backendtest"
	"esd/internal/state/backend/lease"
	"esd/internal/state/backend/wire"
)

const lineage = "6b1f3a0e-9d55-4f0e-8a55-0c7e8f3f2a11"

// testLease is long enough for a machine that is busy.
const testLease = 20 * time.Second

func TestMain(m *testing.M) {
	os.Exit(backendtest.Main(m, func(location string) backend.Backend {
		b, err := openAt(location, Options{Name: "production", Lease: lease.Terms{Duration: testLease}})
		if err != nil {
			panic(err)
		}
		return b
	}))
}

func storeAt(location string) (registry.Store, error) {
	ref, err := registry.ParseRef(location)
	if err != nil {
		return nil, err
	}
	return registry.Open(context.Background(), ref, registry.Options{
		Credentials: registry.StaticCredential{}, StallTimeout: time.Minute,
		Retry: registry.RetryPolicy{Attempts: 4, Base: 5 * time.Millisecond, Max: 50 * time.Millisecond, MaxRetryAfter: time.Second},
	})
}

func openAt(location string, opts Options) (*Backend, error) {
	store, err := storeAt(location)
	if err != nil {
		return nil, err
	}
	return New(store, opts)
}

func mustOpen(t *testing.T, location string, opts Options) *Backend {
	t.Helper()
	if opts.Name == "" {
		opts.Name = "production"
	}
	if opts.Lease.Duration == 0 {
		opts.Lease.Duration = testLease
	}
	b, err := openAt(location, opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// newRegistry starts a registry in this process; wrap may put faults before it.
func newRegistry(t *testing.T, deletes bool, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	reg := olareg.New(oconfig.Config{
		Log:     slog.New(slog.DiscardHandler),
		Storage: oconfig.ConfigStorage{StoreType: oconfig.StoreMem},
		API:     oconfig.ConfigAPI{DeleteEnabled: &deletes, Blob: oconfig.ConfigAPIBlob{DeleteEnabled: &deletes}},
	})
	var handler http.Handler = reg
	if wrap != nil {
		handler = wrap(reg)
	}
	srv := httptest.NewServer(handler)
	t.Cleanup(func() {
		srv.Close()
		_ = reg.Close()
	})
	return strings.TrimPrefix(srv.URL, "http://") + "/team/states"
}

// suiteStore is what the suite needs of the state at a location.
func suiteStore(t *testing.T, location string) backendtest.Store {
	open := func() *Backend { return mustOpen(t, location, Options{}) }
	return backendtest.Store{
		Open:     func() backend.Backend { return open() },
		Location: location,
		Plant:    func(data []byte) error { return plant(t.Context(), open(), data) },
		Raw:      func() ([]byte, error) { return raw(t.Context(), open()) },
	}
}

// plant pushes any bytes as the present state.
func plant(ctx context.Context, b *Backend, data []byte) error {
	l, err := b.look(ctx, "reading")
	if err != nil {
		return err
	}
	c := l.chain()
	var previous *recorded
	if head := c.head(); head != nil {
		if previous, err = b.recorded(ctx, *head); err != nil {
			return err
		}
	}
	packed, err := wire.Pack(data)
	if err != nil {
		return err
	}
	p, err := b.prepare(c.fence, previous, state.Header{Lineage: lineage, Serial: 7}, packed, backend.LockInfo{Who: "somebody"})
	if err != nil {
		return err
	}
	return b.place.Push(ctx, p.object)
}

// raw is the document of the present state.
func raw(ctx context.Context, b *Backend) ([]byte, error) {
	l, err := b.look(ctx, "reading")
	if err != nil {
		return nil, err
	}
	head := l.chain().head()
	if head == nil {
		return nil, nil
	}
	r, err := b.recorded(ctx, *head)
	if err != nil {
		return nil, err
	}
	packed, err := b.place.Blob(ctx, r.document)
	if err != nil {
		return nil, err
	}
	return wire.Unpack(packed, "test")
}

func request(operation string) backend.LockInfo {
	return backend.NewLockInfo(backend.LockRequest{Operation: operation, Version: "0.1.0", Now: time.Unix(1_800_000_000, 0)})
}

// elsewhere is what a process of another machine would say of itself: nothing
// tells at once whether it still runs.
func elsewhere(operation string) backend.LockInfo {
	info := request(operation)
	info.Who, info.Info = "somebody@elsewhere", `{"pid":1}`
	return info
}

func newState(serial int64) *state.State {
	s := state.New(lineage, "0.1.0")
	s.Serial = serial
	return s
}

func mustLock(t *testing.T, b *Backend, info backend.LockInfo) backend.Lock {
	t.Helper()
	l, err := backend.Acquire(t.Context(), b, info, backend.WaitOptions{Timeout: time.Minute, MinDelay: time.Millisecond, MaxDelay: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustWrite(t *testing.T, l backend.Lock, s *state.State) {
	t.Helper()
	if err := l.Write(t.Context(), s); err != nil {
		t.Fatalf("write serial %d: %v", s.Serial, err)
	}
}

func mustUnlock(t *testing.T, l backend.Lock) {
	t.Helper()
	if err := l.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, b *Backend, serial int64) {
	t.Helper()
	s, _, err := b.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s == nil && serial != 0 || s != nil && s.Serial != serial {
		t.Fatalf("read %+v, want serial %d", s, serial)
	}
}

// tags are those of the state, without the name and by kind.
func tags(t *testing.T, b *Backend) map[string]int {
	t.Helper()
	all, err := b.place.Tags(t.Context(), b.name+".")
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, tag := range all {
		n[strings.Split(tag, ".")[1]]++
	}
	return n
}

func untrusted(err error) bool {
	var e *backend.UntrustedError
	return errors.As(err, &e)
}

func unreachable(err error) bool {
	var e *backend.UnreachableError
	return errors.As(err, &e)
}
