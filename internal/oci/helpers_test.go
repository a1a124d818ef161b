package oci

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/olareg/olareg"
	oconfig "github.com/olareg/olareg/config"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const testBlobType = "application/vnd.oci.image.layer.v1.tar+gzip"

// fastRetry keeps tests from waiting.
var fastRetry = RetryPolicy{Attempts: 4, Base: time.Millisecond, Max: 2 * time.Millisecond, MaxRetryAfter: time.Minute}

// newRegistry starts a registry in this process; wrap may put faults in front of it.
func newRegistry(t *testing.T, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	yes := true
	reg := olareg.New(oconfig.Config{
		Log:     slog.New(slog.DiscardHandler),
		Storage: oconfig.ConfigStorage{StoreType: oconfig.StoreMem},
		API:     oconfig.ConfigAPI{DeleteEnabled: &yes, Blob: oconfig.ConfigAPIBlob{DeleteEnabled: &yes}},
	})
	var handler http.Handler = reg
	if wrap != nil {
		handler = wrap(reg)
	}
	srv := httptest.NewServer(handler)
	t.Cleanup(func() {
		srv.Close()
		_ = reg.Close()
	})
	return strings.TrimPrefix(srv.URL, "http://")
}

func mustOpen(t *testing.T, ref string, opts Options) Store {
	t.Helper()
	r, err := ParseRef(ref)
	if err != nil {
		t.Fatal(err)
	}
	if opts.Retry.Attempts == 0 {
		opts.Retry = fastRetry
	}
	if opts.Credentials == nil {
		opts.Credentials = StaticCredential{}
	}
	s, err := Open(t.Context(), r, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustRead(t *testing.T, s Store, desc ocispec.Descriptor) []byte {
	t.Helper()
	rc, err := s.Fetch(t.Context(), desc)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	content, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func pushBlob(t *testing.T, s Store, content string) ocispec.Descriptor {
	t.Helper()
	desc := Describe(testBlobType, []byte(content))
	if err := s.PushBytes(t.Context(), desc, []byte(content)); err != nil {
		t.Fatal(err)
	}
	return desc
}

// pushImage stores a minimal image of one layer under a tag.
func pushImage(t *testing.T, s Store, layer, tag string) ocispec.Descriptor {
	t.Helper()
	l := pushBlob(t, s, layer)
	config, err := canonicalJSON(ocispec.Image{
		Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"},
		RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{l.Digest}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := Describe(ocispec.MediaTypeImageConfig, config)
	if err := s.PushBytes(t.Context(), c, config); err != nil {
		t.Fatal(err)
	}
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: c, Layers: []ocispec.Descriptor{l}}
	m.SchemaVersion = 2
	content, err := canonicalJSON(m)
	if err != nil {
		t.Fatal(err)
	}
	desc := Describe(ocispec.MediaTypeImageManifest, content)
	if err := PushManifest(t.Context(), s, desc, content, tag); err != nil {
		t.Fatal(err)
	}
	return desc
}

func openerOf(content string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte(content))), nil }
}

// blobFiles lists the blobs in a layout directory.
func blobFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "blobs", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func toDigests(descs ...ocispec.Descriptor) []digest.Digest {
	var out []digest.Digest
	for _, d := range descs {
		out = append(out, d.Digest)
	}
	return out
}
