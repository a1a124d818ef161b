package transport_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"esd/internal/oci"
	"esd/internal/spack/transport"
)

const text = "The quick brown fox jumps over the lazy dog.\n"

func whole(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
}

// unranged answers as a server that knows no ranges.
func unranged(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }

// half cuts the connection after half of what it announced.
func half(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	_, _ = io.WriteString(w, text[:20])
	cut(w)
}

func answer(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func TestServersThatMisbehave(t *testing.T) {
	t.Parallel()
	sends := func(code int, contentRange, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if contentRange != "" {
				w.Header().Set("Content-Range", contentRange)
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, test := range map[string]struct {
		first    http.HandlerFunc // answers to begin with, then the file comes
		times    int64
		from     int64
		want     error
		says     string
		requests int64
		slept    time.Duration // at least
	}{
		"nothing wrong":                           {requests: 1},
		"a part of a file":                        {from: 4, requests: 1},
		"500 that passes":                         {first: answer(500), times: 2, requests: 3},
		"500 that stays":                          {first: answer(500), times: 99, requests: 6, want: transport.ErrUnavailable, says: "tried 6 times"},
		"501 will not pass":                       {first: answer(501), times: 99, requests: 1, says: "501"},
		"a wait that is asked for in seconds":     {first: answer(429, "Retry-After", "90"), times: 1, requests: 2, slept: 90 * time.Second},
		"a wait that is asked for by a date":      {first: answer(503, "Retry-After", "Fri, 15 Jan 2027 08:00:45 GMT"), times: 1, requests: 2, slept: 45 * time.Second},
		"a wait of an hour":                       {first: answer(503, "Retry-After", "3600"), times: 1, requests: 1, want: transport.ErrUnavailable, says: "1h0m0s"},
		"a wait that nobody understands":          {first: answer(429, "Retry-After", "soon"), times: 1, requests: 2},
		"a file that is gone":                     {first: answer(410), times: 9, requests: 1, want: transport.ErrNotFound},
		"a login":                                 {first: answer(401), times: 9, requests: 1, want: transport.ErrDenied},
		"a refusal":                               {first: answer(403), times: 9, requests: 1, want: transport.ErrDenied},
		"a cut connection":                        {first: func(w http.ResponseWriter, _ *http.Request) { cut(w) }, times: 2, requests: 3},
		"half a file":                             {first: half, times: 1, requests: 2},
		"half a file again and again":             {first: half, times: 99, requests: 6, want: transport.ErrUnavailable, says: "taken up"},
		"a server without ranges":                 {first: unranged, times: 9, from: 4, requests: 1},
		"a file without ranges that is too short": {first: unranged, times: 9, from: 100, requests: 1, want: transport.ErrRange},
		"a file that is too short":                {from: 100, requests: 1, want: transport.ErrRange},
		"another range than was asked for":        {first: sends(206, "bytes 5-9/45", "brown"), times: 1, from: 4, requests: 1, want: transport.ErrInvalid},
		"a range of no bytes":                     {first: sends(206, "nonsense", "brown"), times: 1, from: 4, requests: 1, want: transport.ErrInvalid},
		"a range of a file of unknown size":       {first: sends(206, "bytes 4-44/*", text[4:]), times: 1, from: 4, requests: 1},
		"a status that nobody understands":        {first: answer(299), times: 1, requests: 1, says: "299"},
		"a redirection to nowhere":                {first: answer(302, "Location", "http://127.0.0.1:1/"), times: 99, requests: 3, want: transport.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			clock := &fakeClock{}
			s := mustOpen(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1) <= test.times {
					test.first(w, r)
					return
				}
				whole(w, r)
			}), transport.Options{Clock: clock})
			got, err := read(t, s, test.from)
			failed := test.want != nil || test.says != ""
			if test.want != nil && !errors.Is(err, test.want) || (err != nil) != failed || failed && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %v and %q", err, test.want, test.says)
			}
			if !failed && got != text[test.from:] {
				t.Errorf("got %q", got)
			}
			if n := requests.Load(); n != test.requests && test.requests != 0 || time.Duration(clock.slept.Load()) < test.slept {
				t.Errorf("%d requests, want %d; slept %s", n, test.requests, time.Duration(clock.slept.Load()))
			}
		})
	}
}

func read(t *testing.T, s *transport.Store, from int64) (string, error) {
	t.Helper()
	r, err := s.Read(t.Context(), "dir/file", from)
	if err != nil {
		return "", err
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	return string(got), err
}

func TestHalvesAreTakenUpWhereTheyBroke(t *testing.T) {
	t.Parallel()
	for name, rest := range map[string]http.HandlerFunc{"with ranges": whole, "without": unranged} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ranges []string
			s := mustOpen(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
				if ranges = append(ranges, r.Header.Get("Range")); len(ranges) == 1 {
					half(w, r)
					return
				}
				rest(w, r)
			}), transport.Options{})
			r, err := s.Read(t.Context(), "file", 0)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			got, err := io.ReadAll(r)
			if err != nil || string(got) != text || r.Resumes() != 1 || r.Size != int64(len(text)) {
				t.Errorf("%q after %d resumes, %v", got, r.Resumes(), err)
			}
			if diff := cmp.Diff([]string{"", "bytes=20-"}, ranges); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAServerThatStopsSendingIsGivenUp(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		_, _ = io.WriteString(w, text[:1])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}), transport.Options{HTTP: transport.HTTPOptions{StallTimeout: 30 * time.Millisecond}, Retry: oci.RetryPolicy{Attempts: 2}})
	if _, err := read(t, s, 0); !errors.Is(err, transport.ErrUnavailable) {
		t.Error(err)
	}
}

func TestConditionsAndTagsOfWebServers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tag, known string
		want       error
		etag       string
	}{
		"a tag that is known": {tag: `"1"`, known: `"1"`, want: transport.ErrNotModified},
		"another tag":         {tag: `"1"`, known: `"2"`, etag: `"1"`},
		"a weak tag is none":  {tag: `W/"1"`},
	} {
		s := mustOpen(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ETag", test.tag)
			whole(w, r)
		}), transport.Options{})
		_, info, err := s.ReadAll(t.Context(), "file", 100, transport.GetOptions{IfNoneMatch: test.known})
		if !errors.Is(err, test.want) || info.ETag != test.etag {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
	}
}

func TestCredentialsAreSentAndNotShown(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		user string // of the URL
		opts transport.HTTPOptions
		want string
	}{
		"of the URL":     {user: "ann:geheim@", want: "Basic YW5uOmdlaGVpbQ=="},
		"of the options": {opts: transport.HTTPOptions{Username: "ann", Password: "geheim"}, want: "Basic YW5uOmdlaGVpbQ=="},
		"a token":        {opts: transport.HTTPOptions{Token: "geheim"}, want: "Bearer geheim"},
		"none":           {},
	} {
		var got atomic.Value
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			got.Store(r.Header.Get("Authorization"))
			w.WriteHeader(http.StatusTeapot)
		})
		s := mustOpen(t, strings.Replace(url, "://", "://"+test.user, 1)+"/base/?token=geheim", transport.Options{HTTP: test.opts})
		_, err := s.Stat(t.Context(), "file")
		if got.Load() != test.want || err == nil || strings.Contains(err.Error()+s.Location(), "geheim") {
			t.Errorf("%s: sent %q; %s, %v", name, got.Load(), s.Location(), err)
		}
	}
}

func TestAnObjectIsAskedForByItsURLAsItIs(t *testing.T) {
	t.Parallel()
	var got atomic.Value
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { got.Store(r.RequestURI); whole(w, r) })
	s, name, err := transport.OpenObject(url+"/a%2Fb/c?x=geheim&y=%20#part", transport.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.ReadAll(t.Context(), name, 100, transport.GetOptions{}); err != nil || got.Load() != "/a%2Fb/c?x=geheim&y=%20" {
		t.Errorf("asked for %s, %v", got.Load(), err)
	}
	if where := s.Where(name); strings.Contains(where, "geheim") || !strings.HasSuffix(where, "/c") {
		t.Errorf("it is said to be at %s", where)
	}
	if _, err := s.Stat(t.Context(), "other"); !errors.Is(err, transport.ErrNotFound) {
		t.Errorf("another object: %v", err)
	}
}

func TestWebServersAreOnlyRead(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, serve(t, whole), transport.Options{})
	for what, err := range map[string]error{
		"put": s.Put(t.Context(), "a", transport.Bytes(nil)), "delete": s.Delete(t.Context(), "a"),
	} {
		if !errors.Is(err, transport.ErrReadOnly) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := s.List(t.Context(), "a/", nil); !errors.Is(err, transport.ErrUnlistable) {
		t.Errorf("list: %v", err)
	}
}

func TestLocationsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, location := range []string{
		"", "gopher://ann:geheim@host/", "http://", "https:///path", "file://host/dir", "file:///dir?x=geheim", "s3://", "s3://ann:geheim@bucket/",
		"s3://bucket?x=geheim", "http://[geheim", "oci://registry/repository",
	} {
		if _, err := transport.Open(location, transport.Options{}); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", location, err)
		}
	}
	for _, location := range []string{"", "dir/file", "ftp://ann:geheim@host/file", "http://[geheim", "s3:///x"} {
		if _, _, err := transport.OpenObject(location, transport.Options{}); err == nil || strings.Contains(err.Error(), "geheim") {
			t.Errorf("object %s: %v", location, err)
		}
	}
}
