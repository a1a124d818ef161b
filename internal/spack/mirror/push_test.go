package mirror

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack/transport"
	"esd/internal/spack/transport/s3test"
)

// s3Mirror is a mirror in a bucket.
func s3Mirror(t *testing.T, s3 transport.S3Options, push bool) *Mirror {
	t.Helper()
	store, err := transport.Open("s3://bucket/sources", transport.Options{S3: s3, Clock: &instantly{}})
	if err != nil {
		t.Fatal(err)
	}
	return New(store, push)
}

// inMirror is the content of a source in a mirror, or the error as text.
func inMirror(t *testing.T, m *Mirror, s Source) string {
	t.Helper()
	got, _, err := m.store.ReadAll(t.Context(), s.Path, 1<<20, transport.GetOptions{})
	if err != nil {
		return err.Error()
	}
	return string(got)
}

// upstream serves a text at all paths, and counts the requests.
func upstream(t *testing.T, requests *atomic.Int64) string {
	return serve(t, func(w http.ResponseWriter, _ *http.Request) { requests.Add(1); _, _ = w.Write([]byte(text)) })
}

// writable are the kinds of mirrors that take sources.
func writable() map[string]func(t *testing.T) *Mirror {
	return map[string]func(t *testing.T) *Mirror{
		"a directory": func(t *testing.T) *Mirror { return mirrorAt(t, t.TempDir(), true) },
		"S3":          func(t *testing.T) *Mirror { return s3Mirror(t, s3test.NewFake().Serve(t), true) },
		"versitygw":   func(t *testing.T) *Mirror { return s3Mirror(t, s3test.Versity(t), true) },
	}
}

func TestMirrorsGetWhatTheyLack(t *testing.T) {
	t.Parallel()
	for name, where := range writable() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			url := upstream(t, &requests)
			m := where(t)
			sources := []Source{archive(text, ".tar.gz", url+"/a"), archive(text, "", url+"/b")}
			var events []Event
			opts := Options{Mirrors: []*Mirror{mirrorAt(t, t.TempDir(), false), m}, Events: func(e Event) { events = append(events, e) }}
			first, second := t.TempDir(), t.TempDir()
			for _, dir := range []string{first, first, second} {
				if err := Fetch(t.Context(), dir, sources, opts); err != nil {
					t.Fatal(err)
				}
			}
			for _, s := range sources {
				for place, got := range map[string]string{"the mirror": inMirror(t, m, s), "the second directory": content(t, second, s)} {
					if got != text {
						t.Errorf("%s has %q at %s", place, got, s.Path)
					}
				}
			}
			where, size := m.store.Location(), int64(len(text))
			want := []Event{
				{Source: sources[0], From: url + "/a", Bytes: size, To: []string{where}, Size: size},
				{Source: sources[1], To: []string{where}, Size: size},
				{Source: sources[0]}, {Source: sources[1]},
				{Source: sources[0], From: m.store.Where(sources[0].Path), Bytes: size}, {Source: sources[1]},
			}
			if diff := cmp.Diff(want, events); diff != "" || requests.Load() != 1 {
				t.Errorf("%d requests; events: %s", requests.Load(), diff)
			}
		})
	}
}

func TestManySourcesGoToManyMirrors(t *testing.T) {
	t.Parallel()
	var sources []Source
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.URL.Path[1:])) })
	for i := range 60 {
		name := fmt.Sprint("source ", i)
		sources = append(sources, archive(name, ".tar.gz", url+"/"+name))
	}
	var mirrors []*Mirror
	for name, where := range writable() {
		if name != "versitygw" || os.Getenv("ESD_TEST_VERSITYGW") != "" {
			mirrors = append(mirrors, where(t))
		}
	}
	var all sync.WaitGroup
	dir := t.TempDir()
	for range 3 { // as if several processes fetched
		all.Go(func() {
			if err := Fetch(t.Context(), dir, sources, Options{Mirrors: mirrors}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i, s := range sources {
		for _, m := range mirrors {
			if got := inMirror(t, m, s); got != fmt.Sprint("source ", i) {
				t.Errorf("%s: %q", m.store.Where(s.Path), got)
			}
		}
	}
}

func TestWhatIsInAMirrorIsNotSentAgain(t *testing.T) {
	t.Parallel()
	s := archive(text, ".tar.gz", "http://127.0.0.1:1/never")
	for name, test := range map[string]struct {
		there string // in the bucket; "" for nothing
		here  string // in the directory
		puts  int
		heads int
		err   string
	}{
		"it is there and here":                       {there: text, here: text, heads: 1},
		"it is there only":                           {there: text},
		"it is here only":                            {here: text, puts: 1, heads: 1},
		"half of it is there":                        {there: text[:5], here: text, puts: 1, heads: 1},
		"something else is there and nothing here":   {there: "wrong", err: "the recipe states"},
		"what is here is wrong, and it is not there": {here: "wrong", puts: 0, heads: 1, err: "does not exist"},
		"what is here is cut, and it is there":       {there: text, here: text[:5], puts: 0, heads: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := s3test.NewFake()
			m, dir := s3Mirror(t, fake.Serve(t), true), t.TempDir()
			if test.there != "" {
				fake.Set("bucket/sources/"+s.Path, []byte(test.there))
			}
			if test.here != "" {
				if err := writeFile(dir, s.Path, test.here); err != nil {
					t.Fatal(err)
				}
			}
			err := Fetch(t.Context(), dir, []Source{s}, Options{Mirrors: []*Mirror{m}, Transport: transport.Options{Clock: &instantly{}}})
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error is %v, want %q", err, test.err)
				}
				if got := string(fake.Object("bucket/sources/" + s.Path)); got != test.there {
					t.Errorf("%q is in the mirror", got)
				}
				return
			}
			if err != nil || content(t, dir, s) != text || inMirror(t, m, s) != text {
				t.Errorf("%v; here %q, there %q", err, content(t, dir, s), inMirror(t, m, s))
			}
			if puts, heads := fake.Count(http.MethodPut), fake.Count(http.MethodHead); puts != test.puts || heads != test.heads {
				t.Errorf("%d PUTs, want %d; %d HEADs, want %d", puts, test.puts, heads, test.heads)
			}
		})
	}
}

func TestADamagedFileOfAMirrorIsReplacedByWhatWasFetched(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	s := archive(text, ".tar.gz", upstream(t, &requests))
	for name, where := range writable() {
		t.Run(name, func(t *testing.T) {
			m := where(t)
			damaged := strings.Repeat("x", len(text)) // of the same size
			if err := m.store.Put(t.Context(), s.Path, transport.Bytes([]byte(damaged))); err != nil {
				t.Fatal(err)
			}
			if err := Fetch(t.Context(), t.TempDir(), []Source{s}, Options{Mirrors: []*Mirror{m}}); err != nil {
				t.Fatal(err)
			}
			if got := inMirror(t, m, s); got != text {
				t.Errorf("it has %q", got)
			}
		})
	}
}

func TestMirrorsThatFail(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault func(r *http.Request) int // a status, 0 for none
		push  bool
		want  error // nil: it is fetched from elsewhere
		says  string
	}{
		"one that denies what is not there is filled": {push: true, fault: func(r *http.Request) int {
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				return http.StatusForbidden
			}
			return 0
		}},
		"one that denies reading is passed over": {fault: func(*http.Request) int { return http.StatusForbidden }},
		"one that denies writing is told of": {push: true, want: transport.ErrDenied, says: "storing a source of zlib in the mirror s3://bucket/sources", fault: func(r *http.Request) int {
			if r.Method == http.MethodPut {
				return http.StatusForbidden
			}
			return 0
		}},
		"one that keeps failing is passed over":       {fault: func(*http.Request) int { return http.StatusInternalServerError }},
		"one that keeps failing, and is to be filled": {push: true, want: transport.ErrUnavailable, fault: func(*http.Request) int { return http.StatusInternalServerError }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests, asked atomic.Int64
			url := upstream(t, &requests)
			fake := s3test.NewFake()
			endpoint := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if code := test.fault(r); code != 0 {
					w.WriteHeader(code)
					return
				}
				fake.ServeHTTP(w, r)
			})
			m := s3Mirror(t, transport.S3Options{Endpoint: endpoint, AccessKeyID: "key", SecretAccessKey: "secret"}, test.push)
			dir, s := t.TempDir(), archive(text, ".tar.gz", url)
			err := Fetch(t.Context(), dir, []Source{s}, Options{Mirrors: []*Mirror{m}})
			if !errors.Is(err, test.want) || (err == nil) != (test.want == nil) || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %v and %q", err, test.want, test.says)
			}
			if content(t, dir, s) != text { // it is here even where it could not be stored there
				t.Error("it was not fetched")
			}
		})
	}
}

// stillClock is one that does not go on.
type stillClock struct{ instantly }

func (*stillClock) Now() time.Time { return time.Unix(1_800_000_000, 0) }

func TestAMirrorThatIsDownIsNotAskedForEachSource(t *testing.T) {
	t.Parallel()
	var requests, asked atomic.Int64
	url := upstream(t, &requests)
	down := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	})
	m := mirrorAt(t, down, false)
	opts := Options{Mirrors: []*Mirror{m}, Parallel: 1, Transport: transport.Options{Clock: &stillClock{}}}
	for i := range 5 {
		s := archive(text, fmt.Sprint(".", i), url)
		if err := Fetch(t.Context(), t.TempDir(), []Source{s}, opts); err != nil {
			t.Fatal(err)
		}
	}
	if asked.Load() != 6 || requests.Load() != 5 {
		t.Errorf("the mirror was asked %d times, upstream %d times", asked.Load(), requests.Load())
	}
}

func TestCheckoutsGoToMirrorsAndComeFromThere(t *testing.T) {
	t.Parallel()
	s := Source{Package: "nest", Kind: Checkout, URLs: []string{"https://git.example.org/nest.git"}, Revision: "commit=1", Path: "_source-cache/git/nest.git/1.tar.gz"}
	for name, where := range writable() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, asked := where(t), 0
			opts := Options{Mirrors: []*Mirror{m}, Others: func(_ context.Context, dir string, sources []Source) error {
				asked++
				return writeFile(dir, sources[0].Path, fmt.Sprint("packed ", asked)) // anew each time
			}}
			first, second := t.TempDir(), t.TempDir()
			for _, dir := range []string{first, first, second} {
				if err := Fetch(t.Context(), dir, []Source{s}, opts); err != nil || content(t, dir, s) != "packed 1" {
					t.Fatalf("%v; %q", err, content(t, dir, s))
				}
			}
			if err := os.Remove(filepath.Join(first, s.Path)); err != nil {
				t.Fatal(err)
			}
			if got := inMirror(t, m, s); got != "packed 1" || asked != 1 {
				t.Errorf("asked %d times; %q", asked, got)
			}
		})
	}
}

func TestOneCheckoutThatFailsDoesNotKeepOthersAway(t *testing.T) {
	t.Parallel()
	failed := errors.New("no such commit")
	good := Source{Package: "nest", Kind: Checkout, Path: "_source-cache/git/nest.git/1.tar.gz"}
	bad := Source{Package: "arbor", Kind: Checkout, Path: "_source-cache/git/arbor.git/1.tar.gz"}
	m, dir := mirrorAt(t, t.TempDir(), true), t.TempDir()
	err := Fetch(t.Context(), dir, []Source{bad, good}, Options{Mirrors: []*Mirror{m}, Others: func(_ context.Context, dir string, _ []Source) error {
		return errors.Join(writeFile(dir, good.Path, "packed"), failed)
	}})
	if !errors.Is(err, failed) || content(t, dir, good) != "packed" || inMirror(t, m, good) != "packed" {
		t.Errorf("%v; %q", err, inMirror(t, m, good))
	}
}
