package httpstate_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
	httpstate "esd/internal/state/backend/http"
	"esd/internal/state/backend/http/testserver"
	"esd/internal/state/backend/lease"
)

// elsewhere is a lock of a process of another machine, of which nothing is known
// but what it shows.
func elsewhere(duration time.Duration) backend.LockInfo {
	info := request("apply")
	info.Who, info.Info = "somebody@elsewhere", `{"pid":1,"start":"another-boot/1","job":"https://ci.example.org/jobs/7"}`
	info = info.WithLease(duration)
	info.ID = httpstate.Marked(info.ID, duration)
	return info
}

// hold makes a server show a holder, and with signed the lease of it.
func hold(t *testing.T, server *testserver.Server, path string, info backend.LockInfo, signed bool) {
	t.Helper()
	server.TakeLock(path, info.ID, "forge-user")
	if signed {
		document, err := json.Marshal(httpstate.SignOf(info, 7, time.Now().Add(-24*time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		server.Plant(path+"-lease", document)
	}
}

func TestTheLockOfASilentHolderIsTakenOverAfterItsLease(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"GitLab": paths["GitLab"], "Gitea": paths["Gitea"], "plain": "/plain/x"} {
		for signed, state := range map[bool]string{true: "with its document", false: "killed before it wrote its document"} {
			t.Run(name+", "+state, func(t *testing.T) {
				t.Parallel()
				server, url := start(t)
				dead := elsewhere(time.Second)
				hold(t, server, path, dead, signed)
				b := open(url + path)
				began := time.Now()
				l, err := backend.Acquire(t.Context(), b, request("apply"), backend.WaitOptions{MaxDelay: 100 * time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < time.Second {
					t.Errorf("taken over after %s", took)
				}
				if n := l.Notices(); len(n) != 1 || n[0].Kind != lease.NoticeTakenOver || !strings.Contains(n[0].Detail, dead.ID) ||
					signed && !strings.Contains(n[0].Summary, "somebody@elsewhere") {
					t.Errorf("notices: %+v", n)
				}
				mustWrite(t, l, 1)
				if err := l.Unlock(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestTheLockOfALivingHolderIsLeft(t *testing.T) {
	t.Parallel()
	_, url := start(t)
	opts := options(url + paths["GitLab"])
	// Long for a busy machine, and short beside what the waiter waits.
	opts.Terms = lease.Terms{Duration: 4 * time.Second, Beat: 100 * time.Millisecond}
	// A clock that is wrong by a day changes nothing.
	opts.Now = func() time.Time { return time.Now().Add(-24 * time.Hour) }
	holder := client(t, opts)
	l := mustLock(t, holder)
	waiter := open(url + paths["GitLab"])
	_, err := backend.Acquire(t.Context(), waiter, request("apply"), backend.WaitOptions{Timeout: 6 * time.Second, MaxDelay: 100 * time.Millisecond})
	var locked *backend.LockedError
	if !errors.As(err, &locked) || locked.Holder.Lease.Verdict != backend.Alive || locked.Holder.Lease.Duration != 4*time.Second {
		t.Fatalf("got %v", err)
	}
	mustWrite(t, l, 1)
}

func TestALockWithoutALeaseIsNeverTakenOver(t *testing.T) {
	t.Parallel()
	server, url := start(t)
	path := paths["GitLab"]
	// Set at the web pages, while the document names somebody who is long gone.
	hold(t, server, path, elsewhere(time.Second), true)
	id := state.NewID()
	server.BreakLock(path)
	server.TakeLock(path, id, "forge-user")
	_, err := backend.Acquire(t.Context(), open(url+path), request("apply"), backend.WaitOptions{Timeout: 2 * time.Second, MaxDelay: 100 * time.Millisecond})
	var locked *backend.LockedError
	if !errors.As(err, &locked) || locked.Holder.ID != id || locked.Holder.Who != "forge-user" || locked.Holder.Lease.Duration != 0 {
		t.Errorf("got %v", err)
	}
	if locked.Holder.Operation != "unknown" || locked.Holder.Info != "" {
		t.Errorf("what GitLab echoes is believed: %+v", locked.Holder)
	}
}

func TestWithoutASightOfTheLeaseNobodyIsTakenForDead(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"403", "500", "down", "html"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			server, url := start(t)
			path := paths["GitLab"]
			hold(t, server, path, elsewhere(time.Second), true)
			server.Fail(testserver.Fault{Kind: fault, On: "read", Lease: true})
			_, err := backend.Acquire(t.Context(), open(url+path), request("apply"), backend.WaitOptions{Timeout: 1500 * time.Millisecond, MaxDelay: 100 * time.Millisecond})
			var locked *backend.LockedError
			if !errors.As(err, &locked) || locked.Holder.Lease.Verdict != backend.Alive {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAServerThatTakesNoLeaseIsUsedWithoutOne(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"403", "404", "405", "413", "500", "login"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			server, url := start(t)
			path := paths["GitLab"]
			server.Fail(testserver.Fault{Kind: fault, On: "write", Lease: true})
			b := open(url + path)
			for i := range 2 {
				l := mustLock(t, b)
				if _, leased := httpstate.LeaseOf(l.Info().ID); leased {
					t.Error("its ID promises a lease")
				}
				if p, _ := l.Info().Process(); p.Lease != 0 {
					t.Error("its description promises a lease")
				}
				if n := l.Notices(); i == 0 && (len(n) != 1 || n[0].Kind != httpstate.NoticeNoLease) || i > 0 && len(n) > 0 {
					t.Errorf("notices of lock %d: %+v", i+1, n)
				}
				mustWrite(t, l, int64(i+1))
				if err := l.Unlock(t.Context()); err != nil {
					t.Error(err)
				}
			}
			oneAtATime(t, server, path)
		})
	}
}

func TestAServerWithOneDocumentKeepsTheStateInIt(t *testing.T) {
	t.Parallel()
	server, url := start(t)
	for i := range 2 {
		b := open(url + "/single/x")
		l := mustLock(t, b)
		if i == 0 {
			if s, _, err := b.Read(t.Context()); s != nil || err != nil {
				t.Errorf("before the first write: %v, %v", s, err)
			}
		}
		if n := l.Notices(); len(n) != 1 || n[0].Kind != httpstate.NoticeNoLease {
			t.Errorf("notices: %+v", n)
		}
		mustWrite(t, l, int64(i+1))
		if err := l.Unlock(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if s, _, err := open(url + "/single/x").Read(t.Context()); err != nil || s.Serial != 2 {
		t.Errorf("%v; history %+v", err, server.History(""))
	}
}

func TestWhatIsNoLeaseIsNotOverwritten(t *testing.T) {
	t.Parallel()
	server, url := start(t)
	path := "/plain/x"
	server.Plant(path+"-lease", []byte(`{"format_version":1,"lineage":"x","serial":4}`))
	l := mustLock(t, open(url+path))
	if n := l.Notices(); len(n) != 1 || !strings.Contains(n[0].Detail, "lease_address") {
		t.Errorf("notices: %+v", n)
	}
	if raw := string(server.Raw(path + "-lease")); !strings.Contains(raw, "format_version") {
		t.Errorf("overwritten by %s", raw)
	}
}

func TestALostLockShowsAtAHeartbeat(t *testing.T) {
	t.Parallel()
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, url := start(t)
			opts := options(url + path)
			opts.Terms = lease.Terms{Duration: time.Second}
			l := mustLock(t, client(t, opts))
			time.Sleep(600 * time.Millisecond)
			select {
			case <-l.Lost():
				t.Fatal("lost although nobody took it")
			default:
			}
			server.BreakLock(path)
			select {
			case <-l.Lost():
			case <-time.After(10 * time.Second):
				t.Fatal("it did not show")
			}
			if err := l.Write(t.Context(), sample(1)); !errors.Is(err, backend.ErrLockLost) {
				t.Errorf("write: %v", err)
			}
			if err := l.Unlock(t.Context()); !errors.Is(err, backend.ErrLockLost) {
				t.Errorf("unlock: %v", err)
			}
			if holder := server.HolderID(path); holder != "" {
				t.Errorf("%s holds the lock", holder)
			}
		})
	}
}

func TestOldVersionsOfTheLeaseAreDeletedWhereTheyWouldStay(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"GitLab", "Gitea"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, url := start(t)
			path := paths[name]
			opts := options(url + path)
			opts.Terms = lease.Terms{Duration: 10 * time.Second, Beat: 20 * time.Millisecond}
			l := mustLock(t, client(t, opts))
			beats := func() (n int) {
				for _, e := range server.History(path + "-lease") {
					if e.What == "write" {
						n++
					}
				}
				return n
			}
			for deadline := time.Now().Add(10 * time.Second); beats() < 5 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			}
			if err := l.Unlock(t.Context()); err != nil {
				t.Error(err)
			}
			if n := server.Versions(path + "-lease"); beats() < 5 || n > 2 {
				t.Errorf("%d versions of %d are kept", n, beats())
			}
		})
	}
}

func TestWithoutALockAddressNothingIsLockedAndThatIsSaid(t *testing.T) {
	t.Parallel()
	server, url := start(t)
	b := client(t, httpstate.Options{Address: url + "/plain/x", Username: testUser, Password: testPassword,
		Retry: httpstate.Retry{Max: 1, MinWait: time.Millisecond, MaxWait: time.Millisecond}})
	l := mustLock(t, b)
	if n := l.Notices(); len(n) != 1 || n[0].Kind != httpstate.NoticeNoLock {
		t.Errorf("notices: %+v", n)
	}
	mustWrite(t, l, 1)
	other := mustLock(t, open(url+"/plain/x")) // somebody whose state block has a lock_address
	mustWrite(t, other, 2)
	if err := other.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
	var conflict *state.ConflictError
	if err := l.Write(t.Context(), sample(2)); !errors.As(err, &conflict) {
		t.Errorf("write over what somebody else wrote: %v", err)
	}
	server.Fail(testserver.Fault{Kind: "forgets", On: "write"})
	isFor(t, l.Write(t.Context(), sample(3)), "untrusted", "was written, and shows")
	if holder, err := b.Holder(t.Context()); holder != nil || err != nil {
		t.Errorf("holder: %v, %v", holder, err)
	}
	if err := b.ForceUnlock(t.Context(), state.NewID()); !errors.Is(err, backend.ErrNotLocked) {
		t.Errorf("force-unlock: %v", err)
	}
}

func TestALockThatIsLookedAtIsFreeAgain(t *testing.T) {
	t.Parallel()
	server, url := start(t)
	path := paths["GitLab"]
	if holder, err := open(url + path).Holder(t.Context()); holder != nil || err != nil {
		t.Fatalf("%v, %v", holder, err)
	}
	if id := server.HolderID(path); id != "" {
		t.Errorf("%s has it", id)
	}
	// Whoever looks may be killed before it unlocks; that ends by itself.
	server.Fail(testserver.Fault{Kind: "500", On: "unlock"})
	_, err := open(url + path).Holder(t.Context())
	isFor(t, err, "doubt")
	if d, ok := httpstate.LeaseOf(server.HolderID(path)); !ok || d > time.Minute {
		t.Errorf("it stays locked for %s, %v", d, ok)
	}
}

func TestOnlyIDsOfOursCarryALease(t *testing.T) {
	t.Parallel()
	id := state.NewID()
	for _, d := range []time.Duration{time.Second, 5 * time.Minute, 18 * time.Hour} {
		marked := httpstate.Marked(id, d)
		if got, ok := httpstate.LeaseOf(marked); !ok || got != d || !state.IsID(marked) {
			t.Errorf("%s in %s became %s, %v", d, marked, got, ok)
		}
		if httpstate.Marked(id, d) != marked || httpstate.Marked(marked, d) != marked {
			t.Errorf("the ID %s is not repeated", marked)
		}
	}
	for _, other := range []string{id, "", "123", "3f6bb52c-5f0d-8b5c-bd3c-0f3a5ee4d6b1", strings.ToUpper(httpstate.Marked(id, time.Second)),
		httpstate.Marked("not-a-uuid", time.Second), "00000000-0000-8e5d-8000-000000000000"} {
		if d, ok := httpstate.LeaseOf(other); ok {
			t.Errorf("%q has a lease of %s", other, d)
		}
	}
}

func TestALockHeldByATextIsShownAsHeld(t *testing.T) {
	t.Parallel()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "LOCK" {
			http.Error(w, "locked\x1b[2J by somebody", http.StatusLocked)
			return
		}
		http.NotFound(w, r)
	})
	b := client(t, httpstate.Options{Address: url + "/x", LockAddress: url + "/x", UnlockAddress: url + "/x"})
	_, err := b.Lock(context.Background(), request("apply"))
	var locked *backend.LockedError
	if !errors.As(err, &locked) || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("got %v", err)
	}
}
