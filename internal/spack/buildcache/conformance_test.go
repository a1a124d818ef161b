package buildcache

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/olareg/olareg"
	"github.com/olareg/olareg/config"

	"esd/internal/spack"
	"esd/internal/spack/transport/s3test"
)

// place makes locations of new caches, each time another, and what is needed to open
// them.
type place func(t *testing.T) (location string, opts Options)

func places() map[string]place {
	return map[string]place{
		"directory, version 3": func(t *testing.T) (string, Options) { return t.TempDir() + "/cache", Options{} },
		"directory, version 2": func(t *testing.T) (string, Options) { return "file://" + t.TempDir(), Options{Layout: V2} },
		"registry":             newRegistryPlace,
		"S3, version 3":        func(t *testing.T) (string, Options) { return newS3Place(t, s3test.NewFake()) },
		"S3, version 2": func(t *testing.T) (string, Options) {
			location, opts := newS3Place(t, s3test.NewFake())
			opts.Layout = V2
			return location, opts
		},
		"versitygw": newVersityPlace,
	}
}

func newRegistryPlace(t *testing.T) (string, Options) {
	t.Helper()
	enabled := true
	registry := olareg.New(config.Config{
		Log:     slog.New(slog.DiscardHandler),
		Storage: config.ConfigStorage{StoreType: config.StoreMem},
		API:     config.ConfigAPI{DeleteEnabled: &enabled},
	})
	server := httptest.NewServer(registry)
	t.Cleanup(func() { server.Close(); _ = registry.Close() })
	return "oci+http://" + server.Listener.Addr().String() + "/site/cache", Options{}
}

func newS3Place(t *testing.T, fake *s3test.Fake) (string, Options) {
	t.Helper()
	return "s3://bucket/some/prefix", Options{S3: fake.Serve(t)}
}

func newVersityPlace(t *testing.T) (string, Options) {
	t.Helper()
	return "s3://bucket/prefix", Options{S3: s3test.Versity(t)}
}

func TestEveryKindOfCacheKeepsPackages(t *testing.T) {
	t.Parallel()
	for name, where := range places() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			location, opts := where(t)
			opts.Directory = t.TempDir()
			testCache(t, location, opts)
		})
	}
}

// testCache is the life of a cache: empty, filled, indexed, damaged by nobody, copied,
// emptied.
func testCache(t *testing.T, location string, opts Options) {
	zed := toyFor(t, opts.Layout, "zed", "2.1")
	lib := toyFor(t, opts.Layout, "lib-2to3", "1.0-rc1+x", zed)
	app := toyFor(t, opts.Layout, "app", "1.0", lib, zed)
	all := specsOf(zed, lib, app)
	many := []*spack.Spec{app, lib, zed} // enough for a listing of tags to be worth it
	for i := range 30 {
		s := toyFor(t, opts.Layout, fmt.Sprintf("absent-%d", i), "1")
		many, all[s.Hash] = append(many, s), s
	}
	c := mustOpen(t, location, opts)
	if found := mustLookup(t, c, LookupOptions{Specs: all}, many...); len(found) != 0 {
		t.Fatalf("an empty cache has %v", found)
	}
	if entries, err := c.List(t.Context()); err != nil || len(entries) != 0 {
		t.Fatalf("an empty cache lists %v, %v", entries, err)
	}
	content := map[spack.Hash]string{app.Hash: gzipped(t, "app"), lib.Hash: gzipped(t, "lib"), zed.Hash: gzipped(t, strings.Repeat(rand.Text(), 10_000))}
	for _, s := range many[:3] {
		e := mustPush(t, c, s, all, content[s.Hash])
		if again := mustPush(t, c, s, all, gzipped(t, "another build")); again.Archive.SHA256 != e.Archive.SHA256 {
			t.Errorf("%s was replaced: %+v, %+v", s.ID(), e.Archive, again.Archive)
		}
	}
	testFound(t, c, all, many, content)
	testIndexed(t, c, location, opts, all, many)
	testCopied(t, c, content)
	if findings, err := c.Check(t.Context(), CheckOptions{Archives: true}); err != nil || len(findings) != 0 {
		t.Errorf("check finds %v, %v", findings, err)
	}
	testReplacedAndDeleted(t, c, app, all)
}

func testFound(t *testing.T, c *Cache, all spack.Specs, many []*spack.Spec, content map[spack.Hash]string) {
	t.Helper()
	for verify, specs := range map[bool][]*spack.Spec{false: many, true: many[:3]} {
		found := mustLookup(t, c, LookupOptions{Specs: all, Verify: verify}, specs...)
		if len(found) != 3 {
			t.Fatalf("found %v", found)
		}
		for h, e := range found {
			got, err := readArchive(t.Context(), c, e)
			if err != nil || got != content[h] {
				t.Errorf("%s: archive of %d bytes, %v", e.ID(), len(got), err)
			}
			head, err := c.ArchiveHead(t.Context(), e, 5)
			if err != nil || string(head) != content[h][:5] {
				t.Errorf("%s: head %q, %v", e.ID(), head, err)
			}
			e, err = c.Resolve(t.Context(), e)
			if err != nil || e.Prefix != "/opt/store/"+all[h].ID() || e.Archive.Size != int64(len(content[h])) {
				t.Errorf("resolved %+v, %v", e, err)
			}
		}
	}
}

func testIndexed(t *testing.T, c *Cache, location string, opts Options, all spack.Specs, many []*spack.Spec) {
	t.Helper()
	for i, wantRead := range []int{3, 0} {
		report, err := c.UpdateIndex(t.Context())
		if err != nil || report.Packages != 3 || report.Read != wantRead || len(report.Left) > 0 {
			t.Errorf("update %d: %+v, %v", i, report, err)
		}
	}
	for range 2 { // the second time from the copy that the first one kept
		other := mustOpen(t, location, opts)
		found := mustLookup(t, other, LookupOptions{Specs: all, Index: IndexAlways}, many...)
		if len(found) != 3 {
			t.Errorf("by index %v", found)
		}
		entries, err := other.List(t.Context())
		if err != nil || len(entries) != 3 || entries[0].Name != "app" || entries[1].Name != "lib-2to3" || entries[1].Hash != many[1].Hash {
			t.Errorf("listed %+v, %v", entries, err)
		}
	}
}

func testCopied(t *testing.T, c *Cache, content map[spack.Hash]string) {
	t.Helper()
	entries, err := c.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	registryURL, registryOpts := newRegistryPlace(t)
	to := map[string]*Cache{
		"version 3": mustOpen(t, t.TempDir(), Options{}),
		"registry":  mustOpen(t, registryURL, registryOpts),
	}
	if layout, _ := c.Layout(t.Context()); layout == V2 {
		to["version 2"] = mustOpen(t, t.TempDir(), Options{Layout: V2})
	}
	for name, dst := range to {
		copied, err := Copy(t.Context(), dst, c, entries, CopyOptions{})
		if err != nil || len(copied) != 3 {
			t.Fatalf("to %s: %v, %v", name, copied, err)
		}
		for _, e := range copied {
			if got, err := readArchive(t.Context(), dst, e); err != nil || got != content[e.Hash] {
				t.Errorf("to %s: %s has %d bytes, %v", name, e.ID(), len(got), err)
			}
		}
		if again, err := Copy(t.Context(), dst, c, entries, CopyOptions{}); err != nil || len(again) != 0 {
			t.Errorf("to %s again: %v, %v", name, again, err)
		}
		if findings, err := dst.Check(t.Context(), CheckOptions{Archives: true}); err != nil || len(findings) != 0 {
			t.Errorf("to %s: %v, %v", name, findings, err)
		}
	}
}

func testReplacedAndDeleted(t *testing.T, c *Cache, app *spack.Spec, all spack.Specs) {
	t.Helper()
	second := gzipped(t, "second build")
	e, err := c.Push(t.Context(), PushRequest{Spec: app, Specs: all, Archive: archiveOf(second), Force: true})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := readArchive(t.Context(), c, mustLookup(t, c, LookupOptions{Specs: all, Verify: true}, app)[app.Hash]); err != nil || got != second {
		t.Errorf("after replacing: %d bytes, %v", len(got), err)
	}
	for range 2 {
		if err := c.Delete(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Resolve(t.Context(), entryOf(e.key, e.Layout)); !errors.Is(err, ErrNotFound) {
		t.Errorf("after deleting: %v", err)
	}
	findings, err := c.Check(t.Context(), CheckOptions{})
	if err != nil || len(findings) != 1 || findings[0].Kind != NotThere || findings[0].Name != "app" {
		t.Errorf("after deleting, check finds %v, %v", findings, err)
	}
	if c.Location()[:4] != "oci:" { // where the listing of tags is asked, not the index
		found := mustLookup(t, c, LookupOptions{Specs: all, Index: IndexAlways, Verify: true}, app)
		if err := found[app.Hash].Problem; !errors.Is(err, ErrIndex) {
			t.Errorf("an index that lies is told of by %v", err)
		}
	}
}
