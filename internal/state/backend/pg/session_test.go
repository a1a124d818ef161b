package pg_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/pg"
	"esd/internal/state/backend/pg/pgtest"
)

func begin(t *testing.T, s *pg.Store, fence int64) (end func()) {
	t.Helper()
	end, err := s.Begin(t.Context(), fence)
	if err != nil {
		t.Fatal(err)
	}
	return end
}

func mustBeGone(t *testing.T, s *pg.Store, fence int64, want bool) {
	t.Helper()
	if gone, err := s.Gone(t.Context(), fence); gone != want || err != nil {
		t.Errorf("fence %d is gone: %v, %v; want %v", fence, gone, err, want)
	}
}

// sessions are the processes of the server whose connections bear a mark.
func sessions(t *testing.T, s *pgtest.Server, database string) []string {
	t.Helper()
	return rows(t, s, database, "SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 600 {
		if holds() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("after 30 s: not yet %s", what)
}

func TestMarksEndWithTheirClients(t *testing.T) {
	t.Parallel()
	p, _ := newPlace(t, sharedServer(t))
	holder, rival, asker := newStore(t, p), newStore(t, p), newStore(t, p)
	end, endOfRival := begin(t, holder, 7), begin(t, rival, 7)
	again := begin(t, holder, 7)
	swap(t, holder, "", "head")
	mustBeGone(t, asker, 7, false)
	end()
	endOfRival()
	mustBeGone(t, asker, 7, false) // one is left
	mustBeGone(t, asker, 8, false) // of which nothing was ever recorded
	again()
	mustBeGone(t, asker, 7, true)
	mustBeGone(t, holder, 7, true)
}

func TestAHolderOfNoMarkIsNeverCalledGone(t *testing.T) {
	t.Parallel()
	p, _ := newPlace(t, sharedServer(t))
	swap(t, newStore(t, p), "", "head")
	mustBeGone(t, newStore(t, p), 1, false)
}

func TestConnectionsAreFew(t *testing.T) {
	t.Parallel()
	server := sharedServer(t)
	p, database := newPlace(t, server)
	p.UserAgent = "esd/test-" + database
	connections := func() int {
		n, _ := strconv.Atoi(rows(t, server, "postgres", fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE application_name = '%s'", p.UserAgent))[0])
		return n
	}
	b := open(p.location())
	l := lock(t, b)
	for serial := range int64(5) {
		if err := l.Write(t.Context(), newState(serial+1)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := connections(); n != 1 {
			t.Errorf("a holder has %d connections", n)
		}
	}
	time.Sleep(1500 * time.Millisecond)
	if n := connections(); n != 1 {
		t.Errorf("an idle holder has %d connections", n)
	}
	if err := l.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "without connection after the unlock", func() bool { return connections() == 0 })
}

func TestAHolderWhoseConnectionIsCutComesBack(t *testing.T) {
	t.Parallel()
	server := sharedServer(t)
	p, database := newPlace(t, server)
	line := startProxy(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port)))
	l := lock(t, open(line.through(p).location()))
	for range 3 {
		before := sessions(t, server, database)
		line.cut(false)
		var locked *backend.LockedError
		if _, err := open(p.location()).Lock(t.Context(), request("apply")); !errors.As(err, &locked) || locked.Holder.Lease.Verdict == backend.Dead {
			t.Fatalf("after the cut: %v", err)
		}
		eventually(t, "marked again", func() bool {
			now := sessions(t, server, database)
			return len(now) == 1 && !slices.Equal(now, before)
		})
	}
	if err := l.Write(t.Context(), newState(1)); err != nil {
		t.Error(err)
	}
	if err := l.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAHolderThatIsCutOffLosesTheLockAtOnce(t *testing.T) {
	t.Parallel()
	server := sharedServer(t)
	p, _ := newPlace(t, server)
	line := startProxy(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port)))
	seen := line.through(p)
	seen.Lease = 4 * time.Second // for the heartbeat that notices
	away := lock(t, open(seen.location()))
	line.cut(true)
	next, err := backend.Acquire(t.Context(), open(p.location()), request("apply"), backend.WaitOptions{Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if len(next.Notices()) == 0 {
		t.Error("there is no notice")
	}
	if err := next.Write(t.Context(), newState(1)); err != nil {
		t.Fatal(err)
	}
	line.open()
	select {
	case <-away.Lost():
	case <-time.After(30 * time.Second):
		t.Error("the former holder does not notice")
	}
	if err := away.Write(t.Context(), newState(2)); !errors.Is(err, backend.ErrLockLost) {
		t.Errorf("write of the former holder: %v", err)
	}
	if err := next.Write(t.Context(), newState(2)); err != nil {
		t.Error(err)
	}
	if err := next.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestBehindAPoolerTheLeaseDecides(t *testing.T) {
	t.Parallel()
	server := sharedServer(t)
	p, database := newPlace(t, server)
	line := startProxy(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(server.Port)))
	line.filter(nil, behindPooler)
	seen := line.through(p)
	seen.Lease = 3 * time.Second
	lock(t, open(seen.location()))
	if marks := sessions(t, server, database); marks != nil {
		t.Errorf("marks of a pooler: %q", marks)
	}
	mustBeGone(t, newStore(t, p), 1, false)
	time.Sleep(2 * seen.Lease)
	mustBeGone(t, newStore(t, p), 1, false)
	if _, err := open(p.location()).Lock(t.Context(), request("apply")); err == nil {
		t.Fatal("the lock of a holder that renews its lease was taken over")
	}
	line.cut(true)
	l, err := backend.Acquire(t.Context(), open(p.location()), request("apply"), backend.WaitOptions{Timeout: 20 * time.Second})
	if err != nil {
		t.Fatalf("after the lease: %v", err)
	}
	if err := l.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestHeartbeatsGetPastALongWrite(t *testing.T) {
	t.Parallel()
	server := sharedServer(t)
	p, database := newPlace(t, server)
	p.Lease = 2 * time.Second
	l := lock(t, open(p.location()))
	if err := l.Write(t.Context(), newState(1)); err != nil {
		t.Fatal(err)
	}
	blocked := make(chan error, 1)
	go func() {
		blocked <- server.Exec(database, "BEGIN; LOCK TABLE esd.esd_documents IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(6); COMMIT")
	}()
	eventually(t, "blocked", func() bool {
		return rows(t, server, database, "SELECT count(*) FROM pg_locks WHERE relation = 'esd.esd_documents'::regclass AND granted AND mode = 'AccessExclusiveLock'")[0] == "1"
	})
	waiter, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		if l, err := backend.Acquire(waiter, open(p.location()), request("other"), backend.WaitOptions{Timeout: time.Minute}); err == nil {
			t.Error("the lock was taken over in the midst of a write")
			_ = l.Unlock(t.Context())
		}
	}()
	if err := l.Write(t.Context(), newState(2)); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-blocked; err != nil {
		t.Error(err)
	}
	if err := l.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

func lock(t *testing.T, b backend.Backend) backend.Lock {
	t.Helper()
	l, err := b.Lock(t.Context(), request("apply"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func request(operation string) backend.LockInfo {
	info := backend.NewLockInfo(backend.LockRequest{Operation: operation, Version: "0.1.0", Now: time.Now()})
	info.Who = strings.Split(info.Who, "@")[0] + "@another.example.org" // so that nobody looks for the process
	return info
}

func newState(serial int64) *state.State {
	s := state.New(lineage, "0.1.0")
	s.Serial = serial
	return s
}
