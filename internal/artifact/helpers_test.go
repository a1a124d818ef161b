package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/olareg/olareg"
	"github.com/olareg/olareg/config"

	"esd/internal/archive"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func keyOf(name string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(name))) }

// product is a record and its archive.
type product struct {
	rec  Record
	data []byte
}

func (p product) open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(p.data)), nil }

// newProduct makes the product of a key, with one file in it.
func newProduct(t testing.TB, key, content string) product {
	t.Helper()
	prefix := "/opt/esd/greet-1.0-abcdefg"
	var b bytes.Buffer
	s, err := archive.PackFiles(context.Background(), &b, archive.PackFilesOptions{
		Files: []archive.File{{Target: prefix + "/bin/greet", Content: []byte(content), Mode: 0o755}},
		MTime: time.Unix(315532800, 0),
	})
	must(t, err)
	return product{data: b.Bytes(), rec: Record{
		FormatVersion: FormatVersion, Key: keyOf(key), Kind: "recipe", Name: "greet", Version: "1.0",
		Archive: DescriptorOf(s), Files: s.Files, Prefix: prefix, Seconds: 1.5,
		Inputs: []Input{{Name: "script", Digest: "0123456789abcdef"}}, Builder: "esd test",
	}}
}

func read(t testing.TB, c Cache, rec Record) ([]byte, error) {
	t.Helper()
	r, err := c.Open(context.Background(), rec)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// mustHave checks that c keeps p, all of it.
func mustHave(t testing.TB, c Cache, p product) {
	t.Helper()
	rec, err := c.Get(context.Background(), p.rec.Key)
	must(t, err)
	if rec.Archive != p.rec.Archive {
		t.Fatalf("record names %v, want %v", rec.Archive, p.rec.Archive)
	}
	data, err := read(t, c, rec)
	must(t, err)
	if !bytes.Equal(data, p.data) {
		t.Fatal("archive has other bytes")
	}
}

func mustBeCorrupt(t testing.TB, err error) {
	t.Helper()
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) {
		t.Fatalf("got %v, want a CorruptError", err)
	}
}

// backend is a kind of cache under test.
type backend struct {
	open func(t testing.TB) Cache // opens the same cache again on every call
	// damage changes the stored bytes of an archive behind the cache's back; nil where
	// a test cannot.
	damage func(t testing.TB, rec Record, how func([]byte) []byte)
	// keepsDamage: a damaged archive cannot be replaced; Put must say so.
	keepsDamage bool
}

func openAt(location string) func(t testing.TB) Cache {
	return func(t testing.TB) Cache {
		c, err := OpenCache(context.Background(), location, Options{})
		must(t, err)
		return c
	}
}

func rewrite(t testing.TB, name string, how func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(name)
	must(t, err)
	must(t, os.Chmod(name, 0o644))
	must(t, os.WriteFile(name, how(data), 0o644))
}

// backends gives a fresh cache of every kind.
func backends(t *testing.T) map[string]func(t *testing.T) backend {
	return map[string]func(t *testing.T) backend{
		"directory": func(t *testing.T) backend {
			dir := filepath.Join(t.TempDir(), "cache")
			return backend{open: openAt(dir), damage: func(t testing.TB, rec Record, how func([]byte) []byte) {
				rewrite(t, openDir(dir, Options{}).blobPath(rec.Archive.Digest), how)
			}}
		},
		"OCI layout": func(t *testing.T) backend {
			dir := filepath.Join(t.TempDir(), "layout")
			return backend{open: openAt("oci:" + dir), damage: func(t testing.TB, rec Record, how func([]byte) []byte) {
				rewrite(t, filepath.Join(dir, "blobs", "sha256", rec.Archive.Digest.Encoded()), how)
			}}
		},
		"registry in process": func(t *testing.T) backend {
			return backend{open: openAt("oci://" + startOlareg(t) + "/esd/cache")}
		},
		"registry on disk": func(t *testing.T) backend {
			host, dir := startDockerRegistry(t)
			return backend{keepsDamage: true, open: openAt("oci://" + host + "/esd/cache"), damage: func(t testing.TB, rec Record, how func([]byte) []byte) {
				hex := rec.Archive.Digest.Encoded()
				rewrite(t, filepath.Join(dir, "docker/registry/v2/blobs/sha256", hex[:2], hex, "data"), how)
			}}
		},
	}
}

func startOlareg(t testing.TB) (host string) {
	t.Helper()
	yes := true
	h := olareg.New(config.Config{
		Storage: config.ConfigStorage{StoreType: config.StoreMem},
		API:     config.ConfigAPI{DeleteEnabled: &yes, Blob: config.ConfigAPIBlob{DeleteEnabled: &yes}},
	})
	s := httptest.NewServer(h)
	t.Cleanup(func() { s.Close(); _ = h.Close() })
	return s.Listener.Addr().String()
}

// startDockerRegistry runs the registry of the CNCF distribution project.
func startDockerRegistry(t *testing.T) (host, dir string) {
	t.Helper()
	program, err := exec.LookPath("docker-registry")
	if err != nil {
		t.Skip("docker-registry is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	host = l.Addr().String()
	must(t, l.Close())
	dir = t.TempDir()
	conf := filepath.Join(t.TempDir(), "config.yml")
	must(t, os.WriteFile(conf, fmt.Appendf(nil, "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"+
		"storage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}\nhttp: {addr: %q, secret: x}\n", dir, host), 0o644))
	cmd := exec.Command(program, "serve", conf)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 200 {
		if conn, err := net.Dial("tcp", host); err == nil {
			conn.Close()
			return host, dir
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("docker-registry did not start")
	return "", ""
}
