package s3_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"esd/internal/spack/transport/s3test"
	"esd/internal/state"
	"esd/internal/state/backend"
	"esd/internal/state/backend/s3"
)

// proxy stands in front of a server and lets requests go wrong.
type proxy struct {
	server http.Handler
	// wrong answers a request in place of the server, or together with it. It
	// reports false to leave a request alone.
	wrong atomic.Pointer[func(w http.ResponseWriter, r *http.Request, server http.Handler) bool]
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if wrong := p.wrong.Load(); wrong == nil || !(*wrong)(w, r, p.server) {
		p.server.ServeHTTP(w, r)
	}
}

func (p *proxy) fail(wrong func(w http.ResponseWriter, r *http.Request, server http.Handler) bool) {
	p.wrong.Store(&wrong)
}

// heal ends all faults.
func (p *proxy) heal() { p.wrong.Store(nil) }

// newProxy stands in front of a server within the process, or of a real one
// where there is one.
func newProxy(t *testing.T, real bool) (*proxy, s3.Options) {
	t.Helper()
	p := &proxy{server: &honest{fake: s3test.NewFake()}}
	if real {
		u, err := url.Parse(s3test.Versity(t).Endpoint)
		if err != nil {
			t.Fatal(err)
		}
		// The name of the host is signed, so it stays.
		p.server = &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host
		}}
	}
	return p, options(serve(t, p), "lab/production.json")
}

func request(operation string) backend.LockInfo {
	return backend.NewLockInfo(backend.LockRequest{Operation: operation, Version: "0.1.0", Now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)})
}

func newState(serial int64) *state.State {
	s := state.New("6b1f3a0e-9d55-4f0e-8a55-0c7e8f3f2a11", "0.1.0")
	s.Serial = serial
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write writes a state as a run does.
func write(t *testing.T, o s3.Options, serial int64) error {
	t.Helper()
	l, err := open(o).Lock(t.Context(), request("apply"))
	if err != nil {
		return err
	}
	return errors.Join(l.Write(t.Context(), newState(serial)), l.Unlock(t.Context()))
}

func mustHold(t *testing.T, o s3.Options, serial int64) {
	t.Helper()
	b := open(o)
	if s, _, err := b.Read(t.Context()); err != nil || s == nil || s.Serial != serial {
		t.Errorf("%v, %v; want serial %d", s, err, serial)
	}
	if holder, err := b.Holder(t.Context()); err != nil || holder != nil {
		t.Errorf("the lock is held by %v, %v", holder, err)
	}
}

// answer is a fault that answers everything in one way.
func answer(status int, header, body string) func(http.ResponseWriter, *http.Request, http.Handler) bool {
	return func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if name, value, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprint(w, body)
		}
		return true
	}
}

func xml(code, message string) string {
	return fmt.Sprintf("<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
}

const page = "<!DOCTYPE html><html><body>Please log in</body></html>"

func TestFaultsOfServersAreExplainedAndNothingIsOverwritten(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		wrong     func(http.ResponseWriter, *http.Request, http.Handler) bool
		untrusted bool
		says      []string
	}{
		"a page":                    {answer(200, "Content-Type: text/html", page), true, []string{"HTML"}},
		"a page with an ETag":       {answer(200, "ETag: \"x\"", page), true, []string{"HTML"}},
		"200 to everything":         {answer(200, "", ""), true, nil},
		"OK to everything":          {answer(200, "ETag: \"x\"", "OK"), true, []string{"something else"}},
		"not found, as a page":      {answer(404, "Content-Type: text/html", page), false, []string{"404", "endpoint"}},
		"a redirect to a log-in":    {answer(302, "Location: https://login.example.org/?token=hush", ""), true, []string{"login.example.org"}},
		"another region":            {answer(301, "X-Amz-Bucket-Region: eu-west-3", xml("PermanentRedirect", "The bucket is elsewhere")), false, []string{`region = "eu-west-3"`}},
		"no bucket":                 {answer(404, "", xml("NoSuchBucket", "The specified bucket does not exist")), false, []string{"no bucket bucket", "create it"}},
		"slow down":                 {answer(503, "", xml("SlowDown", "Please reduce your request rate.")), false, []string{"503", "try again later"}},
		"a broken proxy":            {answer(502, "Content-Type: text/html", page), false, []string{"502", "try again later"}},
		"a full server":             {answer(507, "", xml("InsufficientStorage", "No space left on device")), false, []string{"507", "No space left"}},
		"a wrong clock":             {answer(403, "Date: Sun, 01 Jan 2023 00:00:00 GMT", xml("RequestTimeTooSkewed", "The difference between the request time and the server's time is too large.")), false, []string{"set the clock of this machine"}},
		"a wrong secret":            {answer(403, "", xml("SignatureDoesNotMatch", "The request signature we calculated does not match")), false, []string{"check the credentials"}},
		"credentials of the past":   {answer(400, "", xml("ExpiredToken", "The provided token has expired.")), false, []string{"get new credentials"}},
		"no permission":             {answer(403, "", xml("AccessDenied", "Access Denied")), false, []string{"s3:GetObject"}},
		"forbidden, as a page":      {answer(403, "Content-Type: text/html", page), false, []string{"403"}},
		"conditions not known":      {answer(501, "", xml("NotImplemented", "A header you provided implies functionality that is not implemented")), false, []string{"conditional writes"}},
		"silence":                   {func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool { <-r.Context().Done(); return true }, false, []string{"did not move for 500ms"}},
		"a connection that is shut": {func(http.ResponseWriter, *http.Request, http.Handler) bool { panic(http.ErrAbortHandler) }, false, []string{"EOF"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, o := newProxy(t, false)
			must(t, write(t, o, 1))
			p.fail(tc.wrong)
			if name == "silence" {
				o.Patience = 500 * time.Millisecond
			}
			begun := time.Now()
			_, _, readErr := open(o).Read(t.Context())
			_, lockErr := open(o).Lock(t.Context(), request("apply"))
			_, holderErr := open(o).Holder(t.Context())
			if took := time.Since(begun); took > time.Minute {
				t.Errorf("it took %s to find out", took)
			}
			for op, err := range map[string]error{"read": readErr, "lock": lockErr, "holder": holderErr} {
				checkFault(t, op, err, tc.untrusted, tc.says)
			}
			p.heal()
			mustHold(t, o, 1)
		})
	}
}

func checkFault(t *testing.T, op string, err error, untrusted bool, says []string) {
	t.Helper()
	var distrust *backend.UntrustedError
	var unreachable *backend.UnreachableError
	if err == nil || errors.As(err, &distrust) != untrusted || errors.As(err, &unreachable) == untrusted {
		t.Fatalf("%s: %T: %v", op, err, err)
	}
	for _, want := range says {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s does not say %q: %v", op, want, err)
		}
	}
	for _, secret := range []string{"esdsecret123", "Signature=", "hush", "%!", "X-Amz"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s says %q: %v", op, secret, err)
		}
	}
}

func TestAServerThatIsDownIsSaidToBe(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	o := options(server.URL, "state.json")
	server.Close()
	_, _, err := open(o).Read(t.Context())
	checkFault(t, "read", err, false, []string{"connection refused", "check the endpoint"})
	if doubt := (&backend.UnreachableError{}); errors.As(err, &doubt) && doubt.Doubt {
		t.Errorf("there is nothing to doubt: %v", err)
	}
}

func TestCredentialsThatCannotBeFoundAreNamed(t *testing.T) {
	t.Parallel()
	o := options("http://127.0.0.1:1", "state.json")
	o.Profile = "nobody"
	_, _, err := open(o).Read(t.Context())
	checkFault(t, "read", err, false, []string{"nobody", "~/.aws"})
}

// Requests that fail, or whose answer is lost, in the midst of a run do no harm.
func TestPassingFaultsAreOvercome(t *testing.T) {
	t.Parallel()
	cut := func(w http.ResponseWriter, r *http.Request, server http.Handler) bool {
		server.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
	half := func(w http.ResponseWriter, r *http.Request, server http.Handler) bool {
		got := httptest.NewRecorder()
		server.ServeHTTP(got, r)
		w.Header().Set("ETag", got.Header().Get("ETag"))
		w.Header().Set("Content-Length", fmt.Sprint(got.Body.Len()+1))
		w.WriteHeader(got.Code)
		_, _ = w.Write(got.Body.Bytes())
		return true
	}
	for name, tc := range map[string]struct {
		method string
		wrong  func(http.ResponseWriter, *http.Request, http.Handler) bool
	}{
		"answers to writes are lost":   {http.MethodPut, cut},
		"writes are lost":              {http.MethodPut, func(http.ResponseWriter, *http.Request, http.Handler) bool { panic(http.ErrAbortHandler) }},
		"answers to reads are cut":     {http.MethodGet, half},
		"reads are told to slow down":  {http.MethodGet, answer(503, "", xml("SlowDown", "x"))},
		"writes are told to slow down": {http.MethodPut, answer(503, "", xml("SlowDown", "x"))},
		"writes are done, and said to fail": {http.MethodPut, func(w http.ResponseWriter, r *http.Request, server http.Handler) bool {
			server.ServeHTTP(httptest.NewRecorder(), r)
			return answer(500, "", xml("InternalError", "x"))(w, r, server)
		}},
		"writes are in conflict": {http.MethodPut, answer(409, "", xml("ConditionalRequestConflict", "x"))},
		"deletes fail":           {http.MethodDelete, answer(500, "", xml("InternalError", "x"))},
	} {
		for kind, real := range map[string]bool{"within the process": false, "a real server": true} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				p, o := newProxy(t, real)
				must(t, write(t, o, 1))
				var n atomic.Int64
				p.fail(func(w http.ResponseWriter, r *http.Request, server http.Handler) bool {
					// Every other request. A document that is written in conflict with
					// nobody is no case of real servers.
					if r.Method != tc.method || n.Add(1)%2 == 0 || name == "writes are in conflict" && !strings.HasSuffix(r.URL.Path, "production.json") {
						return false
					}
					return tc.wrong(w, r, server)
				})
				for serial := int64(2); serial <= 4; serial++ {
					must(t, write(t, o, serial))
				}
				p.heal()
				mustHold(t, o, 4)
			})
		}
	}
}

func TestAServerThatDoesNotHonourConditionsIsRefused(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]string{"If-None-Match": "If-Match", "If-Match": "If-None-Match"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := s3test.NewFake()
			h := &honest{fake: fake}
			p := &proxy{server: h}
			p.fail(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
				r.Header.Del(name) // the other one is honoured
				return false
			})
			o := options(serve(t, p), "state.json")
			for range 2 {
				_, err := open(o).Lock(t.Context(), request("apply"))
				checkFault(t, "lock", err, true, []string{"does not honour conditional writes", name})
				if strings.Contains(err.Error(), header+",") {
					t.Errorf("%s is honoured: %v", header, err)
				}
			}
			if fake.Object("bucket/state.json") != nil {
				t.Error("a head was written")
			}
		})
	}
}

func TestRealRefusalsAreExplained(t *testing.T) {
	t.Parallel()
	endpoint := s3test.Versity(t).Endpoint
	o := options(endpoint, "state.json")
	o.Bucket = "nowhere"
	_, _, err := open(o).Read(t.Context())
	checkFault(t, "read", err, false, []string{"no bucket nowhere"})
	o.Bucket, o.Profile = "bucket", "wrong"
	_, err = open(o).Lock(t.Context(), request("apply"))
	checkFault(t, "lock", err, false, []string{"check the credentials"})
}

// A document that never ends is given up at the bound, not at the end of memory.
func TestWhatIsTooLargeIsNotRead(t *testing.T) {
	t.Parallel()
	p, o := newProxy(t, false)
	must(t, write(t, o, 1))
	p.fail(func(w http.ResponseWriter, r *http.Request, _ http.Handler) bool {
		if strings.HasSuffix(r.URL.Path, "production.json") {
			w.Header().Set("ETag", `"x"`)
		}
		for zeros := make([]byte, 1<<20); r.Context().Err() == nil; {
			if _, err := w.Write(zeros); err != nil {
				break
			}
		}
		return true
	})
	if _, _, err := open(o).Read(t.Context()); !errors.Is(err, state.ErrTooLarge) {
		t.Error(err)
	}
	if _, err := s3.NewStore(o).Get(t.Context(), "x"); !errors.Is(err, state.ErrTooLarge) {
		t.Error(err)
	}
}
