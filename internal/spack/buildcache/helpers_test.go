package buildcache

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"esd/internal/spack"
)

// toy makes a spec of specfile 5, which is Spack 1.x, with a right hash.
func toy(t testing.TB, name, version string, deps ...*spack.Spec) *spack.Spec {
	t.Helper()
	return toyOf(t, 5, name, version, deps...)
}

// toyFor makes a spec that a layout may have: of Spack 0.23 for version 2, else of 1.x.
func toyFor(t testing.TB, l Layout, name, version string, deps ...*spack.Spec) *spack.Spec {
	t.Helper()
	if l == V2 {
		return toyOf(t, 4, name, version, deps...)
	}
	return toyOf(t, 5, name, version, deps...)
}

func toyOf(t testing.TB, specfile int, name, version string, deps ...*spack.Spec) *spack.Spec {
	t.Helper()
	type edge struct {
		Name       string     `json:"name"`
		Hash       spack.Hash `json:"hash"`
		Parameters any        `json:"parameters"`
	}
	node := struct {
		Name         string         `json:"name"`
		Version      string         `json:"version"`
		Arch         map[string]any `json:"arch"`
		Compiler     map[string]any `json:"compiler,omitempty"`
		Namespace    string         `json:"namespace"`
		Parameters   map[string]any `json:"parameters"`
		PackageHash  string         `json:"package_hash"`
		Dependencies []edge         `json:"dependencies,omitempty"`
		Annotations  map[string]any `json:"annotations,omitempty"`
		Hash         spack.Hash     `json:"hash,omitempty"`
	}{
		Name: name, Version: version, Namespace: "toys", PackageHash: strings.Repeat("a", 52) + "====",
		Arch:       map[string]any{"platform": "linux", "platform_os": "debian12", "target": "x86_64_v3"},
		Parameters: map[string]any{"build_system": "generic", "cflags": []string{}},
	}
	s := &spack.Spec{
		Name: name, Version: version, Namespace: "toys", SpecfileVersion: specfile, FileVersion: specfile,
		Arch: spack.Arch{Platform: "linux", OS: "debian12", Target: "x86_64_v3"},
	}
	if specfile >= 5 {
		node.Annotations = map[string]any{"original_specfile_version": specfile}
	} else {
		node.Compiler = map[string]any{"name": "gcc", "version": "12.2.0"}
		s.Compiler = &spack.Compiler{Name: "gcc", Version: "12.2.0"}
	}
	for _, d := range deps {
		node.Dependencies = append(node.Dependencies, edge{d.Name, d.Hash, map[string]any{"deptypes": []string{"build", "link"}, "virtuals": []string{}}})
		s.Dependencies = append(s.Dependencies, spack.Edge{Name: d.Name, Hash: d.Hash, Types: spack.Build | spack.Link})
	}
	text, err := json.Marshal(node)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum(text)
	s.Hash = spack.Hash(strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])))
	node.Hash = s.Hash
	if s.Raw, err = json.Marshal(node); err != nil {
		t.Fatal(err)
	}
	return s
}

func specsOf(all ...*spack.Spec) spack.Specs {
	m := spack.Specs{}
	for _, s := range all {
		m[s.Hash] = s
	}
	return m
}

// archiveOf makes an archive of any bytes: this package never looks into them.
func archiveOf(content string) Archive {
	sum := sha256.Sum256([]byte(content))
	return Archive{
		Open:   func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil },
		SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content)),
		DiffID: strings.Repeat("ab", 32), TarSize: 10240,
	}
}

func mustOpen(t testing.TB, location string, opts Options) *Cache {
	t.Helper()
	c, err := Open(t.Context(), location, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustPush(t testing.TB, c *Cache, s *spack.Spec, all spack.Specs, content string) Entry {
	t.Helper()
	e, err := c.Push(t.Context(), PushRequest{Spec: s, Specs: all, Archive: archiveOf(content), Prefix: "/opt/store/" + s.ID()})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func mustLookup(t testing.TB, c *Cache, opts LookupOptions, specs ...*spack.Spec) map[spack.Hash]Entry {
	t.Helper()
	found, err := c.Lookup(t.Context(), specs, opts)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func readArchive(ctx context.Context, c *Cache, e Entry) (string, error) {
	r, err := c.Archive(ctx, e)
	if err != nil {
		return "", err
	}
	defer r.Close()
	var b bytes.Buffer
	_, err = io.Copy(&b, r)
	if err != nil {
		err = fmt.Errorf("after %d bytes: %w", b.Len(), err)
	}
	return b.String(), err
}

// gzipped makes an archive whose inner digest can be computed.
func gzipped(t testing.TB, content string) string {
	t.Helper()
	b, err := deflate([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
