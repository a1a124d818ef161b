package s3_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"esd/internal/spack/transport/s3test"
	"esd/internal/state/backend"
	"esd/internal/state/backend/backendtest"
	"esd/internal/state/backend/register"
	"esd/internal/state/backend/register/registertest"
	"esd/internal/state/backend/s3"
)

func TestMain(m *testing.M) {
	// Nothing but what the tests say: no settings of the user, no question to a
	// machine of Amazon.
	dir, err := os.MkdirTemp("", "esd-s3-*")
	if err != nil {
		panic(err)
	}
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": filepath.Join(dir, "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"),
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_PROFILE": "", "AWS_REGION": "", "AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_S3": "",
		"AWS_ACCESS_KEY_ID": "esdkey", "AWS_SECRET_ACCESS_KEY": "esdsecret123", "AWS_SESSION_TOKEN": "",
	} {
		os.Setenv(name, value)
	}
	profile := "[wrong]\naws_access_key_id = esdkey\naws_secret_access_key = another\n"
	if err := os.WriteFile(filepath.Join(dir, "credentials"), []byte(profile), 0o600); err != nil {
		panic(err)
	}
	code := backendtest.Main(m, func(location string) backend.Backend {
		var o s3.Options
		if err := json.Unmarshal([]byte(location), &o); err != nil {
			panic(err)
		}
		return open(o)
	})
	os.RemoveAll(dir)
	os.Exit(code)
}

func open(o s3.Options) *register.Backend { return register.New(s3.NewStore(o), register.Options{}) }

// options name a state on a server.
func options(endpoint, key string) s3.Options {
	return s3.Options{Bucket: "bucket", Key: key, Endpoint: endpoint, PathStyle: true, UserAgent: "esd/0.1.0"}
}

// suite runs the suite of all backends on a server.
func suite(t *testing.T, endpoint string) {
	t.Helper()
	processes, _ := strconv.Atoi(os.Getenv("ESD_TEST_PROCESSES"))
	backendtest.Run(t, backendtest.Options{Processes: processes, New: func(t *testing.T) backendtest.Store {
		o := options(endpoint, strings.ReplaceAll(t.Name(), "/", "-")+"/state.json")
		location, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		store := s3.NewStore(o)
		return backendtest.Store{
			Open:     func() backend.Backend { return open(o) },
			Plant:    func(data []byte) error { return registertest.Plant(store, data) },
			Raw:      func() ([]byte, error) { return registertest.Raw(store) },
			Location: string(location),
		}
	}})
}

// honest is a server within this process that honours conditions.
type honest struct {
	fake *s3test.Fake
	mu   sync.Mutex
}

func (h *honest) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut {
		h.mu.Lock()
		defer h.mu.Unlock()
		if !h.holds(r) {
			w.WriteHeader(http.StatusPreconditionFailed)
			_, _ = w.Write([]byte("<Error><Code>PreconditionFailed</Code></Error>"))
			return
		}
	}
	h.fake.ServeHTTP(w, r)
}

// holds reports whether the conditions of a request hold.
func (h *honest) holds(r *http.Request) bool {
	there := h.fake.Object(strings.TrimPrefix(r.URL.Path, "/")) != nil
	etag := r.Header.Get("If-Match")
	if etag == "" {
		return r.Header.Get("If-None-Match") == "" || !there
	}
	look := httptest.NewRecorder()
	h.fake.ServeHTTP(look, httptest.NewRequest(http.MethodHead, r.URL.Path, nil))
	return there && look.Header().Get("ETag") == etag
}

// serve starts a server within this process.
func serve(t *testing.T, h http.Handler) (endpoint string) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

func newHonest(t *testing.T) (string, *s3test.Fake) {
	t.Helper()
	fake := s3test.NewFake()
	return serve(t, &honest{fake: fake}), fake
}

func TestS3PassesTheSuiteOnAServerWithinTheProcess(t *testing.T) {
	t.Parallel()
	endpoint, _ := newHonest(t)
	suite(t, endpoint)
}

func TestS3PassesTheSuiteOnARealServer(t *testing.T) {
	t.Parallel()
	suite(t, s3test.Versity(t).Endpoint)
}

func TestABucketIsAStore(t *testing.T) {
	t.Parallel()
	within, _ := newHonest(t)
	for name, endpoint := range map[string]func(*testing.T) string{
		"within the process": func(*testing.T) string { return within },
		"a real server":      func(t *testing.T) string { return s3test.Versity(t).Endpoint },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(endpoint(t), "store/state.json")
			registertest.Run(t, func() register.Store { return s3.NewStore(o) })
		})
	}
}
