package pg_test

import (
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
	"esd/internal/state/backend/register/registertest"
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
			Plant:    func(data []byte) error { return registertest.Plant(newStore(t, p), data) },
			Raw:      func() ([]byte, error) { return registertest.Raw(newStore(t, p)) },
		}
	}})
}

// lineage is that of the states in these tests.
const lineage = "6b1f3a0e-9d55-4f0e-8a55-0c7e8f3f2a11"
