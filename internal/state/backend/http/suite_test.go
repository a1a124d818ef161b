package httpstate_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"esd/internal/state/backend"
	"esd/internal/state/backend/backendtest"
	httpstate "esd/internal/state/backend/http"
	"esd/internal/state/backend/http/testserver"
	"esd/internal/state/backend/lease"
)

// The account that the servers of these tests know. It is looked for in what
// must not tell it.
const (
	testUser     = "esd"
	testPassword = "s3cr3t-pa55"
)

// testLease is the lease of the tests: short, and long enough for a machine
// that is busy.
const testLease = 3 * time.Second

func TestMain(m *testing.M) {
	os.Exit(backendtest.Main(m, open))
}

// open returns a client of the state at a location.
func open(location string) backend.Backend {
	b, err := httpstate.New(options(location))
	if err != nil {
		panic(err)
	}
	return b
}

func options(location string) httpstate.Options {
	opts := httpstate.Options{
		Address: location,
		Terms:   lease.Terms{Duration: testLease},
		Retry:   httpstate.Retry{Max: 2, MinWait: 10 * time.Millisecond, MaxWait: 100 * time.Millisecond},
	}
	if !strings.Contains(location, "@") {
		opts.Username, opts.Password = testUser, testPassword
	}
	if !strings.Contains(location, "/api/") {
		opts.LockAddress, opts.UnlockAddress = location, location
	}
	return opts
}

// paths are those of one state in each dialect of the test server.
var paths = map[string]string{
	"GitLab":                              "/api/v4/projects/42/terraform/state/production",
	"GitLab with a slash in the name":     "/api/v4/projects/team%2Fstack/terraform/state/site%2Fproduction",
	"Gitea":                               "/api/packages/team/terraform/state/production",
	"a server of the protocol":            "/plain/production",
	"a server that wants a lock to write": "/strict/production",
}

func start(t *testing.T) (*testserver.Server, string) {
	t.Helper()
	server := &testserver.Server{Username: testUser, Password: testPassword}
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	return server, listener.URL
}

func TestHTTPPassesTheSuite(t *testing.T) {
	t.Parallel()
	for name, path := range paths {
		if strings.Contains(path, "%2F") {
			continue // only its address differs
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backendtest.Run(t, backendtest.Options{
				Processes: processes(t), TakeOver: 4 * testLease, EmptyIsNone: true, SerialsGrow: strings.HasPrefix(path, "/api/v4/"),
				New: func(t *testing.T) backendtest.Store {
					server, url := start(t)
					t.Cleanup(func() { oneAtATime(t, server, path) })
					return backendtest.Store{
						Open:     func() backend.Backend { return open(url + path) },
						Location: url + path,
						Plant:    func(data []byte) error { server.Plant(path, data); return nil },
						Raw:      func() ([]byte, error) { return server.Raw(path), nil },
					}
				},
			})
		})
	}
}

// processes is how many contend: ESD_TEST_PROCESSES for more than usual.
func processes(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("ESD_TEST_PROCESSES"))
	if err != nil {
		return 20
	}
	t.Logf("%d processes", n)
	return n
}

// oneAtATime checks in the history of a server that each write was of who held
// the lock.
func oneAtATime(t *testing.T, server *testserver.Server, path string) {
	t.Helper()
	if err := checkHistory(server.History(path)); err != nil {
		t.Error(err)
	}
}

func checkHistory(events []testserver.Event) error {
	holder := ""
	for i, e := range events {
		switch {
		case e.What == "lock" && holder != "":
			return fmt.Errorf("event %d: %s got the lock that %s had", i, e.ID, holder)
		case e.What == "lock":
			holder = e.ID
		case e.What == "unlock":
			holder = ""
		case e.What == "write" && e.ID != holder:
			return fmt.Errorf("event %d: %s wrote serial %d, and %q held the lock", i, e.ID, e.Serial, holder)
		case e.What == "delete":
			return errors.New("the state was deleted")
		}
	}
	return nil
}
