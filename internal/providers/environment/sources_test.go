package environment

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/spack"
	"esd/internal/spack/mirror"
	"esd/internal/spack/transport/s3test"
)

const sourceText = "the source of a package\n"

// sourceJob is a step that fetches the one source of a package, on a machine of its
// own. Spack was asked for the list of sources before.
func sourceJob(t *testing.T, url string, mirrors ...cache.Sources) (*job, *bytes.Buffer) {
	t.Helper()
	sum := sha256.Sum256([]byte(sourceText))
	digest, hash, work := hex.EncodeToString(sum[:]), spack.Hash(strings.Repeat("a", 32)), filepath.Join(t.TempDir(), ".esd")
	log := &bytes.Buffer{}
	j := &job{
		shared: &shared{opts: Options{WorkDir: work}}, run: providers.Run{Log: log}, spec: &spack.Spec{Name: "zlib", Version: "1.3", Hash: hash},
		step: stepSpec{Sources: mirrors, Lock: lockRef{SHA256: strings.Repeat("b", 64)}, Store: storeRef{Root: filepath.Join(work, "spack", "0", "store")}},
	}
	list, err := json.Marshal([]mirror.Source{
		{Package: "zlib", Hash: hash, Kind: mirror.Archive, URLs: []string{url}, Digest: digest, Path: sourcePath(digest)},
		{Package: "other", Hash: spack.Hash(strings.Repeat("c", 32)), Kind: mirror.Archive, Digest: strings.Repeat("d", 64), Path: "other"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := writeAtomic(filepath.Join(work, "spack", "0", "sources-"+j.step.Lock.SHA256[:16]+".json"), list); err != nil {
		t.Fatal(err)
	}
	return j, log
}

func sourcePath(digest string) string {
	return "_source-cache/archive/" + digest[:2] + "/" + digest + ".tar.gz"
}

func TestSourcesComeFromMirrorsAndGoThere(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte(sourceText))
	path, size := sourcePath(hex.EncodeToString(sum[:])), int64(len(sourceText))
	bucket := func(t *testing.T, push bool) (*s3test.Fake, cache.Sources) {
		fake := s3test.NewFake()
		return fake, cache.Sources{Name: "s3", URL: "s3://bucket", Push: push, Access: cache.Access{Endpoint: fake.Serve(t).Endpoint, Anonymous: true}}
	}
	directory := func(t *testing.T, push bool) cache.Sources {
		return cache.Sources{Name: "dir", URL: "file://" + t.TempDir(), Push: push}
	}
	for name, test := range map[string]struct {
		mirrors func(t *testing.T) []cache.Sources
		// first and second are machines with the same mirrors, one after the other.
		first, second providers.Result
		dir           bool  // the first mirror is what Spack reads
		requests      int64 // to the source's own server
	}{
		"a bucket that takes them": {
			mirrors: func(t *testing.T) []cache.Sources { _, s := bucket(t, true); return []cache.Sources{s} },
			first:   providers.Result{Size: size, Downloaded: size, Uploaded: size}, second: providers.Result{Size: size, Downloaded: size}, requests: 1,
		},
		"a bucket that is only read": {
			mirrors: func(t *testing.T) []cache.Sources { _, s := bucket(t, false); return []cache.Sources{s} },
			first:   providers.Result{Size: size, Downloaded: size}, second: providers.Result{Size: size, Downloaded: size}, requests: 2,
		},
		"a directory that takes them": {
			mirrors: func(t *testing.T) []cache.Sources { return []cache.Sources{directory(t, true)} }, dir: true,
			first: providers.Result{Size: size, Downloaded: size}, second: providers.Result{Reused: true}, requests: 1,
		},
		"a directory that is only read, and a bucket that has them": {
			mirrors: func(t *testing.T) []cache.Sources {
				fake, s := bucket(t, false)
				fake.Set("bucket/"+path, []byte(sourceText))
				return []cache.Sources{directory(t, false), s}
			},
			first: providers.Result{Size: size, Downloaded: size}, second: providers.Result{Size: size, Downloaded: size},
		},
		"a directory that has them, and a bucket that takes them": {
			mirrors: func(t *testing.T) []cache.Sources {
				d := directory(t, false)
				if err := writeAtomic(filepath.Join(d.Directory(), path), []byte(sourceText)); err != nil {
					t.Fatal(err)
				}
				_, s := bucket(t, true)
				return []cache.Sources{d, s}
			},
			first: providers.Result{Size: size, Uploaded: size}, second: providers.Result{Size: size},
		},
		"a directory and a bucket that both take them": {
			mirrors: func(t *testing.T) []cache.Sources {
				_, s := bucket(t, true)
				return []cache.Sources{directory(t, true), s}
			}, dir: true,
			first: providers.Result{Size: size, Downloaded: size, Uploaded: size}, second: providers.Result{Reused: true}, requests: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				_, _ = w.Write([]byte(sourceText))
			}))
			defer server.Close()
			mirrors := test.mirrors(t)
			for i, want := range []providers.Result{test.first, test.second} {
				j, log := sourceJob(t, server.URL+"/zlib.tar.gz", mirrors...)
				for _, want := range []providers.Result{want, {Reused: true}} { // and once more on the same machine
					got, err := j.fetchSources(t.Context())
					if diff := cmp.Diff(want, got); diff != "" || err != nil {
						t.Errorf("machine %d: %v %s\n%s", i+1, err, diff, log)
					}
				}
				dir := filepath.Join(j.opts.WorkDir, "spack", "mirror")
				if test.dir {
					dir = mirrors[0].Directory()
				}
				if text, err := os.ReadFile(filepath.Join(dir, path)); err != nil || string(text) != sourceText || j.sourceMirror() != dir {
					t.Errorf("machine %d: Spack reads %s, which has %q, %v", i+1, j.sourceMirror(), text, err)
				}
			}
			if requests.Load() != test.requests {
				t.Errorf("%d requests to the source's own server, want %d", requests.Load(), test.requests)
			}
		})
	}
}

func TestSourcesThatNobodyHasSayWhichAndWhy(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	j, _ := sourceJob(t, server.URL+"/zlib.tar.gz", cache.Sources{Name: "dir", URL: "file://" + t.TempDir(), Push: true})
	_, err := j.fetchSources(t.Context())
	var failed *mirror.SourceError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "sources of zlib 1.3") || !strings.Contains(err.Error(), server.URL) {
		t.Error(err)
	}
}
