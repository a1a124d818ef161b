package pg_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"esd/internal/state/backend"
	"esd/internal/state/backend/backendtest"
	"esd/internal/state/backend/lease"
	"esd/internal/state/backend/pg"
	"esd/internal/state/backend/pg/pgtest"
	"esd/internal/state/backend/register"
	"esd/internal/state/backend/wire"
)

func TestMain(m *testing.M) {
	code := backendtest.Main(m, open)
	if started.Load() {
		if s, err := start(); err == nil {
			s.Close()
		}
	}
	os.Exit(code)
}

// place is what other processes are told.
type place struct {
	pg.Options
	Lease time.Duration
}

func open(location string) backend.Backend {
	var p place
	if err := json.Unmarshal([]byte(location), &p); err != nil {
		panic(err)
	}
	store, err := pg.NewStore(p.Options)
	if err != nil {
		panic(err)
	}
	return register.New(store, register.Options{Terms: lease.Terms{Duration: p.Lease}})
}

// location is the text that open takes.
func (p place) location() string {
	data, err := json.Marshal(p)
	if err != nil {
		panic(err)
	}
	return string(data)
}

var (
	databases atomic.Int64
	started   atomic.Bool
	start     = sync.OnceValues(func() (*pgtest.Server, error) {
		started.Store(true)
		return pgtest.New(pgtest.Options{})
	})
)

// sharedServer is the one that most tests share. It is there only if a test
// wants it: this binary is also what the suite runs as other processes.
func sharedServer(t *testing.T) *pgtest.Server {
	t.Helper()
	s, err := start()
	if errors.Is(err, pgtest.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newPlace is a state in an empty database of its own.
func newPlace(t *testing.T, s *pgtest.Server) (p place, database string) {
	t.Helper()
	database = fmt.Sprintf("test_%d", databases.Add(1))
	if err := s.Exec("postgres", "CREATE DATABASE "+database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Exec("postgres", "DROP DATABASE IF EXISTS "+database+" WITH (FORCE)") })
	return place{Options: pg.Options{ConnString: s.ConnString(database), Schema: pg.DefaultSchema, Name: "team/app"}, Lease: time.Minute}, database
}

func newStore(t *testing.T, p place) *pg.Store {
	t.Helper()
	s, err := pg.NewStore(p.Options)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func processes() int {
	if n, err := strconv.Atoi(os.Getenv("ESD_TEST_PROCESSES")); err == nil {
		return n
	}
	return 20
}

func TestPostgreSQLPassesTheSuite(t *testing.T) {
	t.Parallel()
	backendtest.Run(t, backendtest.Options{Processes: processes(), TakeOver: 20 * time.Second, New: func(t *testing.T) backendtest.Store {
		p, _ := newPlace(t, sharedServer(t))
		return backendtest.Store{
			Open:     func() backend.Backend { return open(p.location()) },
			Location: p.location(),
			Plant:    func(data []byte) error { return plant(t, p, data) },
			Raw:      func() ([]byte, error) { return present(t, p) },
		}
	}})
}

// head is what the tests have to know of the head of a register.
type head map[string]any

func loadHead(ctx context.Context, store *pg.Store) (head, string, error) {
	raw, version, err := store.Load(ctx)
	if err != nil || raw == nil {
		return head{}, version, err
	}
	var h head
	return h, version, json.Unmarshal(raw, &h)
}

func present(t *testing.T, p place) ([]byte, error) {
	store := newStore(t, p)
	h, _, err := loadHead(t.Context(), store)
	version, ok := h["state"].(map[string]any)
	if err != nil || !ok {
		return nil, err
	}
	packed, err := store.Get(t.Context(), version["name"].(string))
	if err != nil {
		return nil, err
	}
	return wire.Unpack(packed, "test")
}

// lineage is that of the suite.
const lineage = "6b1f3a0e-9d55-4f0e-8a55-0c7e8f3f2a11"

// plant makes a head that points at a document with such bytes.
func plant(t *testing.T, p place, data []byte) error {
	store := newStore(t, p)
	h, at, err := loadHead(t.Context(), store)
	if err != nil {
		return err
	}
	packed, err := wire.Pack(data)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	revision, _ := h["revision"].(float64)
	name := fmt.Sprintf("planted-%.0f", revision)
	h["format_version"], h["revision"] = 1, revision+1
	version, ok := h["state"].(map[string]any)
	if !ok {
		version = map[string]any{"lineage": lineage, "serial": 1}
	}
	version["name"], version["size"], version["sha256"] = name, len(data), hex.EncodeToString(sum[:])
	h["state"] = version
	raw, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if err := store.Put(t.Context(), name, packed); err != nil {
		return err
	}
	_, err = store.Swap(t.Context(), at, raw)
	return err
}
