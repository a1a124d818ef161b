package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/olareg/olareg"
	oconfig "github.com/olareg/olareg/config"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// newRegistry starts a registry in this process and gives its address. What
// wrap gives stands in front of it.
func newRegistry(t testing.TB, wrap func(http.Handler) http.Handler) string {
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
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		_ = reg.Close()
	})
	return strings.TrimPrefix(server.URL, "http://")
}

// startDistribution runs the reference registry as Debian packages it and
// gives its address. htpasswd is its file of users; empty lets everybody in.
func startDistribution(t testing.TB, htpasswd string) string {
	t.Helper()
	need(t, "docker-registry")
	host := freePort(t)
	dir := scratch(t)
	config := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"+
		"storage: {filesystem: {rootdirectory: %s}, delete: {enabled: true}}\nhttp: {addr: %q, relativeurls: true}\n", filepath.Join(dir, "data"), host)
	if htpasswd != "" {
		config += fmt.Sprintf("auth: {htpasswd: {realm: esd, path: %s}}\n", htpasswd)
	}
	file := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("docker-registry", "serve", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 200 {
		if conn, err := net.Dial("tcp", host); err == nil {
			conn.Close()
			return host
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the registry does not answer")
	return ""
}

// freePort is an address of this machine that nobody listens at.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// tagged asks a registry, past esd, what a tag names; empty for nothing.
func tagged(t testing.TB, host, repository, tag string) string {
	t.Helper()
	content, ok := manifestOf(t, host, repository, tag)
	if !ok {
		return ""
	}
	return string(digest.FromBytes(content))
}

func manifestOf(t testing.TB, host, repository, tag string) ([]byte, bool) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+host+"/v2/"+repository+"/manifests/"+tag, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", ocispec.MediaTypeImageManifest)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return content, resp.StatusCode == http.StatusOK
}

// wantWhole reads the image under a tag with all its blobs, past esd, and
// compares every digest.
func wantWhole(t testing.TB, host, repository, tag string) {
	t.Helper()
	content, ok := manifestOf(t, host, repository, tag)
	var m ocispec.Manifest
	if err := json.Unmarshal(content, &m); !ok || err != nil {
		t.Fatalf("%s/%s:%s is no manifest: %v", host, repository, tag, err)
	}
	for _, d := range append(m.Layers, m.Config) {
		resp, err := http.Get("http://" + host + "/v2/" + repository + "/blobs/" + string(d.Digest))
		if err != nil {
			t.Fatal(err)
		}
		got, err := digest.FromReader(resp.Body)
		resp.Body.Close()
		if err != nil || got != d.Digest {
			t.Errorf("blob %s of %s/%s:%s is %s (%v)", d.Digest, host, repository, tag, got, err)
		}
	}
}
