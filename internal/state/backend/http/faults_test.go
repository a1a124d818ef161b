package httpstate_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	"esd/internal/state"
	"esd/internal/state/backend"
	httpstate "esd/internal/state/backend/http"
	"esd/internal/state/backend/http/testserver"
)

const lineage = "6b1f3a0e-9d55-4f0e-8a55-0c7e8f3f2a11"

func sample(serial int64) *state.State {
	s := state.New(lineage, "0.1.0")
	s.Serial = serial
	return s
}

func request(operation string) backend.LockInfo {
	return backend.NewLockInfo(backend.LockRequest{Operation: operation, Version: "0.1.0", Now: time.Unix(1e9, 0)})
}

func client(t *testing.T, opts httpstate.Options) *httpstate.Backend {
	t.Helper()
	b, err := httpstate.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustLock(t *testing.T, b backend.Backend) backend.Lock {
	t.Helper()
	l, err := b.Lock(context.Background(), request("apply"))
	if err != nil {
		t.Fatalf("lock: %v", err)
	}
	t.Cleanup(func() { _ = l.Unlock(context.Background()) })
	return l
}

func mustWrite(t *testing.T, l backend.Lock, serial int64) {
	t.Helper()
	if err := l.Write(context.Background(), sample(serial)); err != nil {
		t.Fatalf("write serial %d: %v", serial, err)
	}
}

// isFor checks that an error is of the kind that is wanted, says what it should,
// and tells no secret.
func isFor(t *testing.T, err error, kind string, words ...string) {
	t.Helper()
	var unreachable *backend.UnreachableError
	var untrusted *backend.UntrustedError
	got := "another error"
	switch {
	case err == nil:
		got = ""
	case errors.Is(err, backend.ErrLockLost):
		got = "lost"
	case errors.As(err, &untrusted):
		got = "untrusted"
	case errors.As(err, &unreachable) && unreachable.Doubt:
		got = "doubt"
	case errors.As(err, &unreachable):
		got = "unreachable"
	}
	if got != kind {
		t.Errorf("%q and not %q: %v", got, kind, err)
	}
	if err == nil {
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("does not say %q: %v", word, err)
		}
	}
	if text := err.Error(); strings.Contains(text, "s3cr3t") || strings.ContainsFunc(text, unicode.IsControl) && !strings.Contains(text, "\n") {
		t.Errorf("tells a secret, or controls the terminal: %q", text)
	}
}

func TestWhatIsReadFromAServerInTroubleIsNotBelieved(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault string
		kind  string
		says  []string
	}{
		"the connection ends":                        {"down", "unreachable", []string{"EOF"}},
		"nothing comes":                              {"slow", "unreachable", []string{"silent for too long"}},
		"a page of HTML":                             {"html", "untrusted", []string{"HTML", "log in"}},
		"a redirect to a page to log in":             {"login", "untrusted", []string{"redirects", "/users/sign_in"}},
		"200 to everything":                          {"ok", "untrusted", []string{"it is gone, and had serial 2"}},
		"an older state":                             {"older", "untrusted", []string{"serial 1 now, and had 2"}},
		"a state of another lineage":                 {"other-lineage", "untrusted", []string{"lineage 00000000"}},
		"a body that is cut":                         {"truncated", "unreachable", []string{"unexpected EOF"}},
		"a digest that is of something else":         {"wrong-digest", "untrusted", []string{"Content-MD5"}},
		"a body larger than any state":               {"endless", "untrusted", []string{"larger than 1048576 bytes"}},
		"a wrong password":                           {"401", "unreachable", []string{"ESD_HTTP_PASSWORD"}},
		"no permission":                              {"403", "unreachable", []string{"Developer", "Maintainer"}},
		"trouble within the server":                  {"500", "unreachable", []string{"HTTP 500", "try again later"}},
		"too many requests, for longer than we wait": {"busy", "unreachable", []string{"429"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, url := start(t)
			opts := options(url + paths["GitLab"])
			opts.Stall = time.Second // of which a busy machine may take much
			b := client(t, opts)
			b.Limit(1 << 20)
			l := mustLock(t, b)
			mustWrite(t, l, 1)
			mustWrite(t, l, 2)
			server.Fail(testserver.Fault{Kind: tc.fault, On: "read"})
			_, _, err := b.Read(t.Context())
			isFor(t, err, tc.kind, tc.says...)
			isFor(t, l.Write(t.Context(), sample(3)), tc.kind, tc.says...)
			server.Mend()
			if s, _, err := b.Read(t.Context()); err != nil || s.Serial != 2 {
				t.Errorf("when all was well again: %v", err)
			}
			mustWrite(t, l, 3)
		})
	}
}

func TestWhatIsNoStateOfEsdIsNotBelieved(t *testing.T) {
	t.Parallel()
	for body, says := range map[string]string{
		"{}": "empty JSON object",
		`{"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "x", "resources": []}`: "Terraform",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }))
		defer server.Close()
		_, _, err := client(t, options(server.URL+"/any")).Read(t.Context())
		isFor(t, err, "untrusted", says)
	}
}

func TestTroubleThatPassesIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"down", "lost-answer", "500", "502", "busy", "truncated"} {
		for _, on := range []string{"read", "lock", "unlock", "write"} {
			if fault == "truncated" && on != "read" {
				continue
			}
			t.Run(fault+" on "+on, func(t *testing.T) {
				t.Parallel()
				for _, path := range paths {
					server, url := start(t)
					server.Fail(testserver.Fault{Kind: fault, On: on, Times: 1})
					b := client(t, options(url+path))
					l := mustLock(t, b)
					mustWrite(t, l, 1)
					server.Fail(testserver.Fault{Kind: fault, On: on, Times: 1})
					mustWrite(t, l, 2)
					if err := l.Unlock(t.Context()); err != nil {
						t.Errorf("%s: unlock: %v", path, err)
					}
					if s, _, err := b.Read(t.Context()); err != nil || s.Serial != 2 {
						t.Errorf("%s: %v", path, err)
					}
					if holder := server.HolderID(path); holder != "" {
						t.Errorf("%s: %s still holds the lock", path, holder)
					}
					oneAtATime(t, server, path)
				}
			})
		}
	}
}

func TestALockThatCannotBeRelieduponIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault, kind string
		says        []string
	}{
		"the server is down":              {"down", "doubt", nil},
		"it does not answer":              {"slow", "doubt", []string{"silent"}},
		"a page of HTML":                  {"html", "untrusted", []string{"HTML"}},
		"a redirect to a page to log in":  {"login", "untrusted", []string{"redirects", "/users/sign_in", "username"}},
		"everybody gets it":               {"ok", "untrusted", []string{"to two at once"}},
		"the server forgets it":           {"forgets-lock", "untrusted", []string{"to two at once"}},
		"the account may not":             {"403", "unreachable", []string{"Maintainer"}},
		"the method is none":              {"405", "unreachable", []string{"lock_method"}},
		"the address is none":             {"404", "unreachable", []string{"address"}},
		"the state is being deleted":      {"422", "unreachable", []string{"deleted"}},
		"the server has trouble":          {"500", "doubt", nil},
		"the server is busy":              {"busy", "unreachable", []string{"too many requests"}},
		"the disk of the server is full":  {"507", "doubt", []string{"507"}},
		"the request is too large for it": {"413", "unreachable", []string{"administrator"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, url := start(t)
			path := paths["GitLab"]
			server.Fail(testserver.Fault{Kind: tc.fault, On: "lock"})
			opts := options(url + path)
			opts.Stall = time.Second
			l, err := client(t, opts).Lock(t.Context(), request("apply"))
			isFor(t, err, tc.kind, tc.says...)
			if l != nil {
				t.Error("a lock was given")
			}
			if writes := server.History(path + "-lease"); len(writes) > 0 {
				t.Errorf("something was written: %+v", writes)
			}
		})
	}
}

func TestAWriteThatFailsLeavesTheStateAndSaysWhy(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault, kind string
		says        []string
	}{
		"the connection ends":            {"down", "unreachable", nil},
		"nothing comes":                  {"slow", "unreachable", []string{"silent"}},
		"a page of HTML":                 {"html", "untrusted", []string{"HTML"}},
		"a redirect":                     {"login", "untrusted", []string{"redirects"}},
		"it was acknowledged and lost":   {"forgets", "untrusted", []string{"serial 2 was written, and shows one with serial 1"}},
		"200 to everything":              {"ok", "untrusted", []string{"serial 2 was written"}},
		"the lock is gone":               {"forgets-lock", "lost", nil},
		"the state is too large":         {"413", "unreachable", []string{"administrator of GitLab"}},
		"the server refuses it":          {"422", "unreachable", []string{"serial"}},
		"the server has trouble":         {"500", "unreachable", []string{"500"}},
		"the disk of the server is full": {"507", "unreachable", []string{"507"}},
		"the account may only read":      {"403", "unreachable", []string{"Maintainer"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, url := start(t)
			path := paths["GitLab"]
			opts := options(url + path)
			opts.Stall = time.Second
			b := client(t, opts)
			l := mustLock(t, b)
			mustWrite(t, l, 1)
			server.Fail(testserver.Fault{Kind: tc.fault, On: "write"})
			isFor(t, l.Write(t.Context(), sample(2)), tc.kind, tc.says...)
			server.Mend()
			if s, _, err := open(url + path).Read(t.Context()); err != nil || s.Serial != 1 {
				t.Errorf("the state became %v, %v", s, err)
			}
			if tc.kind != "lost" {
				mustWrite(t, l, 2)
			}
			oneAtATime(t, server, path)
		})
	}
}

func TestAWriteWhoseAnswerIsLostIsFoundToBeDone(t *testing.T) {
	t.Parallel()
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, url := start(t)
			l := mustLock(t, open(url+path))
			server.Fail(testserver.Fault{Kind: "lost-answer", On: "write"})
			mustWrite(t, l, 1)
			writes := 0
			for _, e := range server.History(path) {
				if e.What == "write" {
					writes++
				}
			}
			if writes != 1 {
				t.Errorf("written %d times", writes)
			}
		})
	}
}

func TestAServerThatWasNeverThereIsNoDoubt(t *testing.T) {
	t.Parallel()
	b := open("http://127.0.0.1:1/api/v4/projects/1/terraform/state/x")
	_, err := b.Lock(t.Context(), request("apply"))
	isFor(t, err, "unreachable", "connection refused", "whether the address is right")
	_, _, err = b.Read(t.Context())
	isFor(t, err, "unreachable", "connection refused")
}

func TestALockOfNobodyElseIsLeftByAWaitThatWasCancelled(t *testing.T) {
	t.Parallel()
	server, url := start(t)
	path := paths["GitLab"]
	server.Fail(testserver.Fault{Kind: "lost-answer", On: "lock"})
	ctx, cancel := context.WithCancel(t.Context())
	opts := options(url + path)
	opts.Retry = httpstate.Retry{Max: 10, MinWait: time.Hour, MaxWait: time.Hour}
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := client(t, opts).Lock(ctx, request("apply")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if holder := server.HolderID(path); holder != "" {
		t.Errorf("%s holds the lock", holder)
	}
}

func TestRedirectsDoNotCarryCredentialsToOthers(t *testing.T) {
	t.Parallel()
	server, url := start(t)
	path := paths["Gitea"]
	l := mustLock(t, open(url+path))
	mustWrite(t, l, 1)
	document := server.Raw(path)
	var got http.Header
	store := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		_, _ = w.Write(document)
	})
	front := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(store, "127.0.0.1", "localhost", 1)+"/bucket/object?signature=abc", http.StatusTemporaryRedirect)
	})
	opts := options(front + path)
	opts.Headers = map[string]string{"Private-Token": testPassword}
	b := client(t, opts)
	if s, _, err := b.Read(t.Context()); err != nil || s.Serial != 1 {
		t.Fatalf("a state in a store beside the server: %v", err)
	}
	if got.Get("Authorization") != "" || got.Get("Private-Token") != "" {
		t.Errorf("the store was told %v", got)
	}
	_, err := b.Lock(t.Context(), request("apply"))
	isFor(t, err, "untrusted", "redirects to http://localhost")
	if strings.Contains(err.Error(), "signature") {
		t.Errorf("tells the signature: %v", err)
	}
}
