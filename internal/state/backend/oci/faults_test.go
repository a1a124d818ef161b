package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	registry "esd/internal/oci"
	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/lease"
)

// instead answers requests that match in place of the registry.
func instead(match func(*http.Request) bool, answer http.HandlerFunc) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if match(r) {
				answer(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func all(*http.Request) bool { return true }

func requests(method, part string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.Contains(r.URL.Path, part) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// afterwards lets a fault begin when it is told to.
type afterwards struct{ on atomic.Bool }

func (a *afterwards) when(match func(*http.Request) bool) func(*http.Request) bool {
	return func(r *http.Request) bool { return a.on.Load() && match(r) }
}

func TestWhatIsNoRegistryIsNotTrusted(t *testing.T) {
	t.Parallel()
	page := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>log in</html>")
	}
	for name, answer := range map[string]http.HandlerFunc{
		"a page for people": page,
		"a way to a page where people log in": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/login" {
				page(w, r)
				return
			}
			http.Redirect(w, r, "/login", http.StatusFound)
		},
		"200 to everything, with nothing":   status(200),
		"200 to everything, with an object": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") },
		"200 to everything, with an empty list": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"name":"team/states","tags":[]}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := mustOpen(t, newRegistry(t, true, instead(all, answer)), Options{})
			if _, err := b.Lock(t.Context(), request("apply")); !untrusted(err) && !unreachable(err) {
				t.Errorf("lock: %v", err)
			}
			if _, _, err := b.Read(t.Context()); !untrusted(err) && !strings.Contains(name, "empty list") {
				t.Errorf("read: %v", err)
			}
		})
	}
}

func TestARegistryThatCannotIsReportedAsThat(t *testing.T) {
	t.Parallel()
	for _, code := range []int{401, 403, 429, 500, 503} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			var fault afterwards
			b := mustOpen(t, newRegistry(t, true, instead(fault.when(all), status(code))), Options{})
			l := mustLock(t, b, request("apply"))
			mustWrite(t, l, newState(1))
			fault.on.Store(true)
			_, _, readErr := b.Read(t.Context())
			_, lockErr := b.Lock(t.Context(), request("apply"))
			_, holderErr := b.Holder(t.Context())
			for what, err := range map[string]error{
				"read": readErr, "lock": lockErr, "holder": holderErr, "write": l.Write(t.Context(), newState(2)), "check": l.Check(t.Context()),
			} {
				if !unreachable(err) || errors.Is(err, backend.ErrLockLost) {
					t.Errorf("%s: %v", what, err)
				}
			}
			fault.on.Store(false)
			mustRead(t, b, 1)
			mustWrite(t, l, newState(2))
			mustUnlock(t, l)
		})
	}
}

func TestARegistryThatIsDownOrStallsIsReportedSoon(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // accepts connections and says nothing
	for name, address := range map[string]string{"down": "127.0.0.1:1", "silent": l.Addr().String()} {
		ref, err := registry.ParseRef(address + "/team/states")
		if err != nil {
			t.Fatal(err)
		}
		store, err := registry.Open(t.Context(), ref, registry.Options{
			Credentials: registry.StaticCredential{}, StallTimeout: 50 * time.Millisecond,
			Retry: registry.RetryPolicy{Attempts: 2, Base: time.Millisecond, Max: time.Millisecond},
		})
		if err != nil {
			t.Fatal(err)
		}
		b, err := New(store, Options{Name: "production"})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Read(t.Context()); !unreachable(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWithoutRemovalThereIsNoLockAndNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func() string{
		"in this process": func() string { return newRegistry(t, false, nil) },
		"reference":       func() string { return startDistribution(t, "delete: {enabled: false}") + "/team/states" },
	} {
		location := start()
		b := mustOpen(t, location, Options{})
		_, err := b.Lock(t.Context(), request("apply"))
		if !unreachable(err) || !strings.Contains(err.Error(), "lock = false") || !strings.Contains(err.Error(), "storage.delete.enabled") {
			t.Errorf("%s: %v", name, err)
		}
		if left := tags(t, b); len(left) > 0 {
			t.Errorf("%s: left behind %v", name, left)
		}
		free := mustOpen(t, location, Options{Unlocked: true})
		l := mustLock(t, free, request("apply"))
		if len(l.Notices()) != 1 || l.Notices()[0].Kind != NoticeUnlocked {
			t.Errorf("%s: notices %+v", name, l.Notices())
		}
		for serial := range int64(3) {
			mustWrite(t, l, newState(serial+1))
		}
		mustUnlock(t, l)
		mustRead(t, mustOpen(t, location, Options{}), 3)
	}
}

func TestRemovalThatHasNoEffectIsFoundOut(t *testing.T) {
	t.Parallel()
	for _, code := range []int{202, 404} {
		b := mustOpen(t, newRegistry(t, true, instead(requests("DELETE", "/manifests/"), status(code))), Options{})
		_, err := b.Lock(t.Context(), request("apply"))
		if !unreachable(err) || !strings.Contains(err.Error(), "lock = false") {
			t.Errorf("%d: %v", code, err)
		}
	}
}

func TestAListThatIsOutOfDateGivesNoLock(t *testing.T) {
	t.Parallel()
	b := mustOpen(t, newRegistry(t, true, instead(requests("GET", "/tags/list"), func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"name":"team/states","tags":["other"]}`)
	})), Options{})
	if _, err := b.Lock(t.Context(), request("apply")); !untrusted(err) || !strings.Contains(err.Error(), "out of date") {
		t.Errorf("got %v", err)
	}
}

func TestAnAnswerThatWasLostIsAskedFor(t *testing.T) {
	t.Parallel()
	var fault afterwards
	effect := true
	host := newRegistry(t, true, func(next http.Handler) http.Handler {
		return instead(fault.when(requests("PUT", "production.state.")), func(w http.ResponseWriter, r *http.Request) {
			if effect {
				next.ServeHTTP(httptest.NewRecorder(), r)
			}
			panic(http.ErrAbortHandler)
		})(next)
	})
	b := mustOpen(t, host, Options{})
	l := mustLock(t, b, request("apply"))
	mustWrite(t, l, newState(1))
	fault.on.Store(true)
	mustWrite(t, l, newState(2)) // done, only the answers were lost
	mustRead(t, mustOpen(t, host, Options{}), 2)

	effect = false
	var e *backend.UnreachableError
	if err := l.Write(t.Context(), newState(3)); !errors.As(err, &e) || !e.Doubt {
		t.Errorf("without effect: %v", err)
	}
	mustRead(t, mustOpen(t, host, Options{}), 2)
	fault.on.Store(false)
	ticket := l.(*held).ticket
	mustUnlock(t, l)
	l = mustLock(t, b, request("apply"))
	if got := l.(*held).ticket; got <= ticket {
		t.Errorf("the number %d of a write that may still arrive was given again: %d", ticket, got)
	}
	mustWrite(t, l, newState(3))
	mustUnlock(t, l)
}

func TestAPushThatWasNotFinishedIsFinishedFirst(t *testing.T) {
	t.Parallel()
	var fault afterwards
	b := mustOpen(t, newRegistry(t, true, instead(fault.when(requests("PUT", "production.state.")), status(500))), Options{})
	l := mustLock(t, b, request("apply"))
	fault.on.Store(true)
	if err := l.Write(t.Context(), newState(1)); !unreachable(err) {
		t.Fatalf("got %v", err)
	}
	fault.on.Store(false)
	mustWrite(t, l, newState(2))
	mustUnlock(t, l)
	if n := tags(t, b)[kindState]; n != 2 {
		t.Errorf("%d versions", n)
	}
	mustRead(t, b, 2)
}

func TestContentThatIsNotWhatItShouldBeIsNotTrusted(t *testing.T) {
	t.Parallel()
	var what atomic.Value
	what.Store("")
	host := newRegistry(t, true, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, what.Load().(string)) || what.Load() == "" {
				next.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			body := rec.Body.Bytes()
			w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
			switch r.Header.Get("User-Agent") {
			case "cut":
				body = body[:len(body)/2]
			case "other":
				body[len(body)/2] ^= 1
			case "longer":
				body = append(body, make([]byte, 1<<20)...)
			}
			_, _ = w.Write(body)
		})
	})
	l := mustLock(t, mustOpen(t, host, Options{}), request("apply"))
	mustWrite(t, l, newState(1))
	mustUnlock(t, l)
	for _, part := range []string{"/blobs/", "/manifests/production.state."} {
		what.Store(part)
		for _, kind := range []string{"cut", "other", "longer"} {
			ref, _ := registry.ParseRef(host)
			store, err := registry.Open(t.Context(), ref, registry.Options{Credentials: registry.StaticCredential{}, UserAgent: kind})
			if err != nil {
				t.Fatal(err)
			}
			b, _ := New(store, Options{Name: "production"})
			if s, _, err := b.Read(t.Context()); !untrusted(err) || s != nil {
				t.Errorf("%s of %s: %v", kind, part, err)
			}
		}
	}
}

func TestAnOlderStateAndOneOfAnotherLineageAreRefused(t *testing.T) {
	t.Parallel()
	location := newRegistry(t, true, nil)
	b := mustOpen(t, location, Options{})
	l := mustLock(t, b, request("apply"))
	mustWrite(t, l, newState(5))
	mustUnlock(t, l)
	reader := mustOpen(t, location, Options{})
	mustRead(t, reader, 5)

	// Somebody puts back what was there before.
	all, err := b.look(t.Context(), "reading")
	if err != nil {
		t.Fatal(err)
	}
	b.removeTag(t.Context(), all.versions[0].tag)
	if _, _, err := reader.Read(t.Context()); !untrusted(err) || !strings.Contains(err.Error(), "older") {
		t.Errorf("the state is gone: %v", err)
	}
	for name, s := range map[string]*state.State{"serial": newState(2), "lineage": state.New("00000000-0000-4000-8000-000000000000", "0.1.0")} {
		s.Serial = max(s.Serial, 2)
		l := mustLock(t, mustOpen(t, location, Options{}), request("push"))
		if err := l.Overwrite(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		mustUnlock(t, l)
		if _, _, err := reader.Read(t.Context()); !untrusted(err) || !strings.Contains(err.Error(), name) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

func TestATagThatWasMovedIsFoundOut(t *testing.T) {
	t.Parallel()
	location := newRegistry(t, true, nil)
	b := mustOpen(t, location, Options{})
	l := mustLock(t, b, request("apply"))
	mustWrite(t, l, newState(1))
	mustWrite(t, l, newState(2))
	mustUnlock(t, l)
	list, err := b.look(t.Context(), "reading")
	if err != nil {
		t.Fatal(err)
	}
	store, _ := storeAt(location)
	desc, err := store.Resolve(t.Context(), list.versions[0].tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Tag(t.Context(), desc, list.versions[1].tag); err != nil {
		t.Fatal(err)
	}
	if _, _, err := mustOpen(t, location, Options{}).Read(t.Context()); !untrusted(err) || !strings.Contains(err.Error(), "moved") {
		t.Errorf("got %v", err)
	}
}

func TestAForkIsRefusedUntilItIsDecided(t *testing.T) {
	t.Parallel()
	location := newRegistry(t, true, nil)
	b := mustOpen(t, location, Options{})
	l := mustLock(t, b, request("apply"))
	mustWrite(t, l, newState(1))
	list, err := b.look(t.Context(), "writing")
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, l, newState(2))
	// Another one has written at the same time, under a lock with the same number.
	r, err := b.recorded(t.Context(), list.versions[0])
	if err != nil {
		t.Fatal(err)
	}
	other := newState(2)
	other.ESDVersion = "0.2.0"
	packed, err := encode(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	p, err := b.prepare(l.(*held).ticket, r, other.Header(), packed, backend.LockInfo{Who: "somebody"})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.place.Push(t.Context(), p.object); err != nil {
		t.Fatal(err)
	}
	if _, _, err := mustOpen(t, location, Options{}).Read(t.Context()); !untrusted(err) || !strings.Contains(err.Error(), p.version.tag) {
		t.Errorf("read: %v", err)
	}
	if err := l.Write(t.Context(), newState(3)); !untrusted(err) {
		t.Errorf("write: %v", err)
	}
	mustUnlock(t, l)
	l = mustLock(t, mustOpen(t, location, Options{}), request("push"))
	if err := l.Overwrite(t.Context(), newState(3)); err != nil {
		t.Errorf("overwrite: %v", err)
	}
	mustUnlock(t, l)
	mustRead(t, mustOpen(t, location, Options{}), 3)
	l = mustLock(t, mustOpen(t, location, Options{}), request("apply"))
	if n := l.Notices(); len(n) != 1 || n[0].Kind != NoticeForked || !strings.Contains(n[0].Detail, "serial 2") {
		t.Errorf("notices: %+v", n)
	}
	for serial := int64(4); serial < 4+DefaultKeep; serial++ {
		mustWrite(t, l, newState(serial))
	}
	mustUnlock(t, l)
	l = mustLock(t, b, request("apply"))
	if n := l.Notices(); len(n) > 0 {
		t.Errorf("it is told for ever: %+v", n)
	}
	mustUnlock(t, l)
}

func TestOnlySoManyVersionsAreKeptAndNothingElse(t *testing.T) {
	t.Parallel()
	b := mustOpen(t, newRegistry(t, true, nil), Options{Keep: 3, Lease: lease.Terms{Duration: 200 * time.Millisecond}})
	for serial := range int64(10) {
		l := mustLock(t, b, request("apply"))
		mustWrite(t, l, newState(serial+1))
		if serial == 5 {
			time.Sleep(200 * time.Millisecond) // for some heartbeats
		}
		mustUnlock(t, l)
	}
	if n := tags(t, b); n[kindState] != 4 && n[kindState] != 3 || len(n) != 1 {
		t.Errorf("kept: %v", n)
	}
}

func TestASilentHolderLosesTheLockAfterItsLeaseAndWritesNoMore(t *testing.T) {
	t.Parallel()
	location := newRegistry(t, true, nil)
	opts := Options{Lease: lease.Terms{Duration: time.Second}}
	zombie := mustLock(t, mustOpen(t, location, opts), elsewhere("apply"))
	mustWrite(t, zombie, newState(1))
	b := mustOpen(t, location, opts)
	time.Sleep(1500 * time.Millisecond)
	var locked *backend.LockedError
	if _, err := b.Lock(t.Context(), elsewhere("destroy")); !errors.As(err, &locked) {
		t.Fatalf("with heartbeats: %v", err)
	}
	zombie.(*held).keeper.Stop()
	started := time.Now()
	l, err := backend.Acquire(t.Context(), b, elsewhere("destroy"), backend.WaitOptions{Timeout: 10 * time.Second, MinDelay: 20 * time.Millisecond, MaxDelay: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(started); waited < 500*time.Millisecond {
		t.Errorf("taken over after %s", waited)
	}
	if n := l.Notices(); len(n) != 1 || n[0].Kind != NoticeTakenOver || !strings.Contains(n[0].Summary, "silent for 1s") ||
		!strings.Contains(n[0].Detail, zombie.Info().ID) {
		t.Errorf("notices: %+v", n)
	}
	if err := zombie.Write(t.Context(), newState(9)); !errors.Is(err, backend.ErrLockLost) {
		t.Errorf("write of the former holder: %v", err)
	}
	mustWrite(t, l, newState(2))
	mustUnlock(t, l)
	mustRead(t, b, 2)
}

func TestALostLockShowsAtAHeartbeat(t *testing.T) {
	t.Parallel()
	location := newRegistry(t, true, nil)
	l := mustLock(t, mustOpen(t, location, Options{Lease: lease.Terms{Duration: 200 * time.Millisecond}}), request("apply"))
	if err := mustOpen(t, location, Options{}).ForceUnlock(t.Context(), l.Info().ID); err != nil {
		t.Fatal(err)
	}
	select {
	case <-l.Lost():
	case <-time.After(10 * time.Second):
		t.Error("nothing was noticed")
	}
	if err := l.Unlock(t.Context()); !errors.Is(err, backend.ErrLockLost) {
		t.Errorf("unlock: %v", err)
	}
}

func TestWhoDiedWhileDrawingATicketIsTakenForDeadAfterItsLease(t *testing.T) {
	t.Parallel()
	location := newRegistry(t, true, nil)
	opts := Options{Lease: lease.Terms{Duration: 500 * time.Millisecond}}
	dead := &attempt{b: mustOpen(t, location, opts), token: newToken(), info: elsewhere("apply").WithLease(500 * time.Millisecond)}
	if _, err := dead.push(t.Context(), choosingTag("production", dead.token)); err != nil {
		t.Fatal(err)
	}
	b := mustOpen(t, location, opts)
	// Without waiting for a lock, but for what is to be known of the one who is before.
	l, err := backend.Acquire(t.Context(), b, elsewhere("destroy"), backend.WaitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	mustUnlock(t, l)
	dead.info.ID = "11111111-1111-4111-8111-111111111111"
	dead.token = newToken()
	if _, err := dead.push(t.Context(), choosingTag("production", dead.token)); err != nil {
		t.Fatal(err)
	}
	if err := b.ForceUnlock(t.Context(), dead.info.ID); err != nil {
		t.Errorf("force-unlock: %v", err)
	}
}

func TestANameWithNothingBehindItIsNoLockForEver(t *testing.T) {
	t.Parallel()
	// The registry died in the middle of a push: the tag is listed, and that is all.
	ghost := lockTag("production", 1, newToken())
	location := newRegistry(t, true, func(next http.Handler) http.Handler {
		return instead(requests("GET", "/tags/list"), func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			body := strings.Replace(rec.Body.String(), `"tags":[`, `"tags":["`+ghost+`",`, 1)
			if rec.Code != http.StatusOK {
				body = `{"name":"team/states","tags":["` + ghost + `"]}`
			}
			_, _ = io.WriteString(w, strings.Replace(body, ",]", "]", 1))
		})(next)
	})
	b := mustOpen(t, location, Options{Lease: lease.Terms{Duration: 300 * time.Millisecond}})
	l, err := backend.Acquire(t.Context(), b, request("apply"), backend.WaitOptions{Timeout: 10 * time.Second, MaxDelay: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, l, newState(1))
	mustUnlock(t, l)
}

func TestTheClocksOfOthersDoNotMatter(t *testing.T) {
	t.Parallel()
	location := newRegistry(t, true, nil)
	for _, off := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		info := elsewhere("apply")
		info.Created = time.Now().Add(off)
		l := mustLock(t, mustOpen(t, location, Options{Lease: lease.Terms{Duration: 2 * time.Second}}), info)
		b := mustOpen(t, location, Options{})
		var locked *backend.LockedError
		if _, err := b.Lock(t.Context(), request("apply")); !errors.As(err, &locked) || locked.Holder.Lease.Verdict == backend.Dead {
			t.Errorf("%s: %v", off, err)
		}
		mustUnlock(t, l)
	}
}

func TestAClientThatIsCancelledLeavesTheLine(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	location := newRegistry(t, true, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, r)
			if requests("PUT", "production.lock.")(r) {
				cancel()
			}
		})
	})
	b := mustOpen(t, location, Options{})
	if _, err := b.Lock(ctx, request("apply")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left := tags(t, b); len(left) > 0 {
		t.Errorf("left behind %v", left)
	}
}

// TestAHolderOfThisMachineThatSleepsIsNotSaidToBeGone is about a process that was stopped: it
// is there, and silent.
func TestAHolderOfThisMachineThatSleepsIsNotSaidToBeGone(t *testing.T) {
	t.Parallel()
	location, opts := "oci:"+t.TempDir(), Options{Name: "esd", Lease: lease.Terms{Duration: time.Second}}
	info := func() backend.LockInfo { return backend.NewLockInfo(backend.LockRequest{Operation: "apply"}) }
	sleeper, err := mustOpen(t, location, opts).Lock(t.Context(), info())
	if err != nil {
		t.Fatal(err)
	}
	sleeper.(*held).keeper.Stop()
	l, err := backend.Acquire(t.Context(), mustOpen(t, location, opts), info(), backend.WaitOptions{Timeout: 10 * time.Second, MaxDelay: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if n := l.Notices(); len(n) != 1 || !strings.Contains(n[0].Summary, "silent for") || !strings.Contains(n[0].Detail, "cannot write any more") {
		t.Errorf("notices: %+v", n)
	}
	mustUnlock(t, l)
}
