package buildcache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"esd/internal/oci"
	"esd/internal/spack"
	"esd/internal/spack/transport"
	"esd/internal/spack/transport/s3test"
)

// fakeClock does not wait; it remembers for how long it should have.
type fakeClock struct{ slept atomic.Int64 }

func (c *fakeClock) Now() time.Time { return time.Unix(1_700_000_000, 0) }

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.slept.Add(int64(d))
	return context.Cause(ctx)
}

// fault answers a request in place of the server, and says whether it did; n counts
// the requests for the same name from 1.
type fault func(w http.ResponseWriter, r *http.Request, n int) bool

// faulty serves a directory, with faults for names that contain a text.
func faulty(t *testing.T, dir string, faults map[string]fault) string {
	t.Helper()
	counts := map[string]*atomic.Int32{}
	for part := range faults {
		counts[part] = &atomic.Int32{}
	}
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for part, f := range faults {
			if strings.Contains(r.URL.Path, part) && f(w, r, int(counts[part].Add(1))) {
				return
			}
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func status(times, code int, header ...string) fault {
	return func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n > times {
			return false
		}
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		return true
	}
}

func answer(text string) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		_, _ = io.WriteString(w, text)
		return true
	}
}

// endless sends the same again and again, never to end.
func endless(text string) fault {
	block := []byte(strings.Repeat(text, 1+(64<<10)/len(text)))
	return func(w http.ResponseWriter, r *http.Request, _ int) bool {
		for r.Context().Err() == nil {
			if _, err := w.Write(block); err != nil {
				break
			}
		}
		return true
	}
}

// halved cuts the connection in the middle of the first answers; ranges tells whether
// the server knows them.
func halved(times int, ranges bool) fault {
	return func(w http.ResponseWriter, r *http.Request, n int) bool {
		if !ranges {
			r.Header.Del("Range")
		}
		if n > times || r.Method != http.MethodGet {
			return false
		}
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write([]byte("0123456789"))
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
		return true
	}
}

// cut ends connections without an answer.
func cut(times int) fault {
	return func(w http.ResponseWriter, _ *http.Request, n int) bool {
		if n > times {
			return false
		}
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			conn.Close()
		}
		return true
	}
}

const faultContent = "0123456789 and the rest of the archive"

// faultCache makes a cache in a directory with one package.
func faultCache(t *testing.T) (dir string, s *spack.Spec, e Entry) {
	t.Helper()
	dir = t.TempDir()
	s = toy(t, "app", "1.0")
	c := mustOpen(t, dir, Options{})
	e = mustPush(t, c, s, specsOf(s), faultContent)
	if _, err := c.UpdateIndex(t.Context()); err != nil {
		t.Fatal(err)
	}
	return dir, s, e
}

func TestFaultsOfServers(t *testing.T) {
	t.Parallel()
	dir, s, e := faultCache(t)
	manifestOf := func(archive, spec string) string {
		return fmt.Sprintf(`{"version":3,"data":[%s,%s]}`, archive, spec)
	}
	good := `{"contentLength":38,"mediaType":"application/vnd.spack.install.v2.tar+gzip","compression":"gzip","checksumAlgorithm":"sha256","checksum":"` + e.Archive.SHA256 + `"}`
	spec := strings.Replace(strings.Replace(good, "install.v2.tar+gzip", "spec.v5+json", 1), e.Archive.SHA256, e.SpecBlob.SHA256, 1)
	archive := "/" + e.Archive.SHA256
	wrong := strings.Replace(faultContent, "rest", "west", 1)
	for name, test := range map[string]struct {
		faults map[string]fault
		lookup error // of the look-up
		entry  error // Problem of the entry
		absent bool
		read   error // of the archive
		says   string
	}{
		"nothing wrong":                            {},
		"404 for everything is an empty cache":     {faults: map[string]fault{"/": status(99, 404)}, absent: true},
		"403 for everything is denied":             {faults: map[string]fault{"/": status(99, 403)}, lookup: ErrDenied},
		"403 for what is not there is absent":      {faults: map[string]fault{"/app/": status(99, 403)}, absent: true},
		"429 is waited for":                        {faults: map[string]fault{"/app/": status(2, 429, "Retry-After", "7")}},
		"429 for hours is not waited for":          {faults: map[string]fault{"/app/": status(2, 429, "Retry-After", "7200")}, lookup: ErrUnavailable, says: "2h0m0s"},
		"500 that passes is waited for":            {faults: map[string]fault{"/app/": status(2, 500), "/blobs/": status(2, 503)}},
		"500 that stays is an unavailable cache":   {faults: map[string]fault{"/app/": status(99, 500)}, lookup: ErrUnavailable},
		"a cut connection is made again":           {faults: map[string]fault{"/app/": cut(2), "/blobs/": cut(2)}},
		"half a manifest is read again":            {faults: map[string]fault{"/app/": halved(2, true)}},
		"half an archive is taken up again":        {faults: map[string]fault{archive: halvedArchive(true)}},
		"also where the server knows no ranges":    {faults: map[string]fault{archive: halvedArchive(false)}},
		"half an archive again and again":          {faults: map[string]fault{archive: halvedAlways()}, read: ErrUnavailable},
		"half an archive that claims to be whole":  {faults: map[string]fault{archive: answer("0123456789")}, read: ErrInvalid},
		"a page of HTML for a manifest":            {faults: map[string]fault{"/app/": answer("<!DOCTYPE html><html>login")}, entry: ErrInvalid, says: "HTML"},
		"a page of HTML for an archive":            {faults: map[string]fault{archive: answer("<html>")}, read: ErrInvalid},
		"a manifest that never ends":               {faults: map[string]fault{"/app/": endless(" ")}, entry: ErrInvalid, says: "larger"},
		"an archive that never ends":               {faults: map[string]fault{archive: endless("x")}, read: ErrInvalid},
		"an archive with another digest":           {faults: map[string]fault{archive: answer(wrong)}, read: ErrInvalid, says: "sha256"},
		"an archive that is gone":                  {faults: map[string]fault{archive: status(99, 404)}, read: ErrNotFound, says: "archive is gone"},
		"an empty manifest":                        {faults: map[string]fault{"/app/": answer("")}, entry: ErrInvalid},
		"a manifest of version 4":                  {faults: map[string]fault{"/app/": answer(`{"version":4,"data":[]}`)}, entry: ErrInvalid, says: "version 4"},
		"a manifest without blobs":                 {faults: map[string]fault{"/app/": answer(`{"version":3,"data":[]}`)}, entry: ErrInvalid},
		"an archive of negative length":            {faults: map[string]fault{"/app/": answer(manifestOf(strings.Replace(good, "38", "-1", 1), spec))}, entry: ErrInvalid, says: "-1 bytes"},
		"an archive of a length beyond numbers":    {faults: map[string]fault{"/app/": answer(manifestOf(strings.Replace(good, "38", "99999999999999999999", 1), spec))}, entry: ErrInvalid},
		"an archive of a wrong length":             {faults: map[string]fault{"/app/": answer(manifestOf(strings.Replace(good, "38", "39", 1), spec))}, read: ErrInvalid, says: "39 expected"},
		"a digest that leads out of the cache":     {faults: map[string]fault{"/app/": answer(manifestOf(strings.Replace(good, e.Archive.SHA256, "../../../../etc/passwd", 1), spec))}, entry: ErrInvalid},
		"a digest of another algorithm":            {faults: map[string]fault{"/app/": answer(manifestOf(strings.Replace(good, `"sha256"`, `"md5"`, 1), spec))}, entry: ErrInvalid, says: "md5"},
		"an index that is HTML is passed over":     {faults: map[string]fault{"/index/": answer("<html>")}},
		"an index that is denied is passed over":   {faults: map[string]fault{"/index/": status(99, 403)}},
		"an index that never ends is passed over":  {faults: map[string]fault{"/index/": endless("\t")}},
		"an index whose blob is another":           {faults: map[string]fault{"/index/": answer(`{"version":3,"data":[` + strings.Replace(good, "install.v2.tar+gzip", "db.v8+json", 1) + `]}`)}},
		"an index that is listed and does not end": {faults: map[string]fault{"/index/": answer(endlessIndexManifest), endlessIndexDigest: endless(`{"x":"`)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := &fakeClock{}
			c := mustOpen(t, faulty(t, dir, test.faults), Options{Clock: clock, Layout: V3, Directory: t.TempDir()})
			found, err := c.Lookup(t.Context(), []*spack.Spec{s}, LookupOptions{Verify: true, Index: IndexAlways})
			if !errors.Is(err, test.lookup) || (err == nil) != (test.lookup == nil) {
				t.Fatalf("look-up: %v, want %v", err, test.lookup)
			}
			if err != nil {
				mustSay(t, err, test.says)
				return
			}
			got, there := found[s.Hash]
			if test.absent {
				if there && !errors.Is(got.Problem, ErrIndex) {
					t.Errorf("found %+v", got)
				}
				return
			}
			if !errors.Is(got.Problem, test.entry) || (got.Problem == nil) != (test.entry == nil) {
				t.Fatalf("entry: %v, want %v", got.Problem, test.entry)
			}
			if got.Problem != nil {
				mustSay(t, got.Problem, test.says)
				return
			}
			text, err := readArchive(t.Context(), c, got)
			if !errors.Is(err, test.read) || (err == nil) != (test.read == nil) {
				t.Fatalf("archive: %v, want %v", err, test.read)
			}
			if err != nil {
				mustSay(t, err, test.says)
			} else if text != faultContent {
				t.Errorf("archive %q", text)
			}
		})
	}
}

func mustSay(t *testing.T, err error, words string) {
	t.Helper()
	if !strings.Contains(err.Error(), words) {
		t.Errorf("%v: does not say %q", err, words)
	}
}

// endlessIndexDigest names an index that is not what its digest says.
const endlessIndexDigest = "00000000000000000000000000000000000000000000000000000000000000ff"

const endlessIndexManifest = `{"version":3,"data":[{"contentLength":1000000000000,"mediaType":"application/vnd.spack.db.v8+json","compression":"none","checksumAlgorithm":"sha256","checksum":"` + endlessIndexDigest + `"}]}`

// halvedArchive sends ten bytes and cuts, twice.
func halvedArchive(ranges bool) fault {
	return func(w http.ResponseWriter, r *http.Request, n int) bool {
		if !ranges {
			r.Header.Del("Range")
		}
		if n > 2 || r.Method != http.MethodGet {
			return false
		}
		part := faultContent
		if from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes=10-"); ok && from == "" {
			part = faultContent[10:]
			w.Header().Set("Content-Range", fmt.Sprintf("bytes 10-%d/%d", len(faultContent)-1, len(faultContent)))
			w.Header().Set("Content-Length", fmt.Sprint(len(part)))
			w.WriteHeader(http.StatusPartialContent)
		} else {
			w.Header().Set("Content-Length", fmt.Sprint(len(part)))
		}
		_, _ = io.WriteString(w, part[:10])
		w.(http.Flusher).Flush()
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			conn.Close()
		}
		return true
	}
}

// halvedAlways promises the whole archive, sends ten bytes in all, and never more.
func halvedAlways() fault {
	return func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method != http.MethodGet {
			return false
		}
		r.Header.Del("Range")
		w.Header().Set("Content-Length", fmt.Sprint(len(faultContent)))
		_, _ = io.WriteString(w, faultContent[:10])
		w.(http.Flusher).Flush()
		if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
			conn.Close()
		}
		return true
	}
}

func TestAServerThatSendsNothingIsGivenUp(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	c := mustOpen(t, server.URL, Options{Clock: &fakeClock{}, HTTP: transport.HTTPOptions{StallTimeout: 20 * time.Millisecond}})
	if _, err := c.Lookup(t.Context(), []*spack.Spec{toy(t, "app", "1")}, LookupOptions{}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestAWrongArchiveIsNotPushed(t *testing.T) {
	t.Parallel()
	s := toy(t, "app", "1.0")
	for name, where := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			location, opts := where(t)
			c := mustOpen(t, location, opts)
			right := gzipped(t, "right")
			a := archiveOf(right)
			a.Open = func() (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(right[:len(right)-1] + "?")), nil
			}
			_, err := c.Push(t.Context(), PushRequest{Spec: s, Specs: specsOf(s), Archive: a})
			if err == nil {
				t.Error("it was taken")
			}
			if found := mustLookup(t, c, LookupOptions{}, s); len(found) != 0 {
				t.Errorf("found %v", found)
			}
			sum := sha256.Sum256([]byte(right))
			if b, ok := c.backend.(*v3); ok {
				if _, err := b.t.Stat(t.Context(), blobPath(hex.EncodeToString(sum[:]))); !errors.Is(err, ErrNotFound) {
					t.Errorf("the blob is there: %v", err)
				}
			}
		})
	}
}

func TestADamagedEntryIsMendedByPushing(t *testing.T) {
	t.Parallel()
	dir, s, e := faultCache(t)
	blob := filepath.Join(dir, blobPath(e.Archive.SHA256))
	if err := os.Truncate(blob, 3); err != nil {
		t.Fatal(err)
	}
	c := mustOpen(t, dir, Options{})
	findings, err := c.Check(t.Context(), CheckOptions{})
	if err != nil || len(findings) != 1 || findings[0].Kind != ArchiveWrong {
		t.Errorf("findings %v, %v", findings, err)
	}
	mustPush(t, c, s, specsOf(s), faultContent)
	if findings, err := c.Check(t.Context(), CheckOptions{Archives: true}); err != nil || len(findings) != 0 {
		t.Errorf("findings %v, %v", findings, err)
	}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dep, gone, lone := toy(t, "dep", "1"), toy(t, "gone", "1"), toy(t, "lone", "1")
	app := toy(t, "app", "1.0", dep)
	other, rotten, unread := toy(t, "other", "1"), toy(t, "rotten", "1"), toy(t, "unread", "1")
	all := specsOf(dep, gone, lone, app, other, rotten, unread)
	c := mustOpen(t, dir, Options{})
	entries := map[string]Entry{}
	for _, s := range []*spack.Spec{app, gone, other, rotten, unread} {
		entries[s.Name] = mustPush(t, c, s, all, "archive of "+s.Name)
	}
	if _, err := c.UpdateIndex(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustPush(t, c, lone, all, "archive of lone")
	change := func(name string, text []byte) {
		p := filepath.Join(dir, name)
		if text == nil {
			if err := os.Remove(p); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(p, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change(entries["gone"].key.v3Manifest(), nil)
	change(blobPath(entries["app"].Archive.SHA256), nil)
	change(blobPath(entries["rotten"].Archive.SHA256), []byte("Archive of rotten"))
	change(entries["unread"].key.v3Manifest(), []byte("{"))
	otherManifest, err := os.ReadFile(filepath.Join(dir, entries["rotten"].key.v3Manifest()))
	if err != nil {
		t.Fatal(err)
	}
	change(entries["other"].key.v3Manifest(), bytes.ReplaceAll(otherManifest,
		[]byte(entries["rotten"].Archive.SHA256), []byte(entries["other"].Archive.SHA256)))
	findings, err := c.Check(t.Context(), CheckOptions{Archives: true})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range findings {
		got = append(got, fmt.Sprint(f.Name, " ", f.Kind, " ", f.Needs.Name))
	}
	want := []string{
		"app archive-missing ", "app dependency-missing dep", "gone not-there ", "lone not-in-index ",
		"other archive-wrong ", "other spec-wrong ", "rotten archive-wrong ", "unread unreadable ",
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

func TestS3ThatDeniesWhatIsNotThereIsAskedOnce(t *testing.T) {
	t.Parallel()
	fake := s3test.NewFake()
	location, opts := newS3Place(t, fake)
	opts.Clock = &fakeClock{}
	s, absent := toy(t, "app", "1"), toy(t, "absent", "1")
	c := mustOpen(t, location, opts)
	mustPush(t, c, s, specsOf(s), "archive")
	fake.Deny()
	if found := mustLookup(t, mustOpen(t, location, opts), LookupOptions{}, s, absent); len(found) != 1 {
		t.Errorf("found %v", found)
	}
	if found := mustLookup(t, mustOpen(t, location, opts), LookupOptions{}, absent); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	other := mustOpen(t, "s3://bucket/elsewhere", opts)
	if _, err := other.Lookup(t.Context(), []*spack.Spec{s}, LookupOptions{}); !errors.Is(err, ErrDenied) {
		t.Errorf("a cache that cannot be read at all: %v", err)
	}
}

func TestCachesOverHTTPAreReadOnly(t *testing.T) {
	t.Parallel()
	dir, s, _ := faultCache(t)
	c := mustOpen(t, faulty(t, dir, nil), Options{Retry: oci.RetryPolicy{Attempts: 1}})
	if _, err := c.Push(t.Context(), PushRequest{Spec: s, Specs: specsOf(s), Archive: archiveOf("x"), Force: true}); !errors.Is(err, ErrReadOnly) {
		t.Errorf("push: %v", err)
	}
	if _, err := c.UpdateIndex(t.Context()); !errors.Is(err, ErrUnlistable) {
		t.Errorf("update: %v", err)
	}
	if entries, err := c.List(t.Context()); err != nil || len(entries) != 1 || entries[0].Name != "app" {
		t.Errorf("list: %v, %v", entries, err)
	}
}

func TestPasswordsInURLsAreNotShown(t *testing.T) {
	t.Parallel()
	c := mustOpen(t, "http://user:secret@127.0.0.1:1/cache", Options{Clock: &fakeClock{}})
	_, err := c.Lookup(t.Context(), []*spack.Spec{toy(t, "app", "1")}, LookupOptions{})
	if err == nil || strings.Contains(err.Error()+c.Location(), "secret") {
		t.Errorf("%s: %v", c.Location(), err)
	}
	if _, err := Open(t.Context(), "gopher://user:secret@host/", Options{}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

func TestAnEntryThatMayNotBeReadIsNotTakenForAbsent(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	s := toy(t, "app", "1.0")
	dir := t.TempDir()
	c := mustOpen(t, dir, Options{})
	e := mustPush(t, c, s, specsOf(s), "archive")
	if _, err := c.UpdateIndex(t.Context()); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, e.key.v3Manifest())
	if err := os.Chmod(name, 0); err != nil {
		t.Fatal(err)
	}
	for _, use := range []IndexUse{IndexAlways, IndexNever} {
		_, err := c.Lookup(t.Context(), []*spack.Spec{s}, LookupOptions{Index: use, Verify: true})
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), name) {
			t.Errorf("use %v: %v", use, err)
		}
	}
}
