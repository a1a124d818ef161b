package buildcache

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"esd/internal/spack"
)

func TestPackagesOfSpack1AreRefusedByCachesOfVersion2(t *testing.T) {
	t.Parallel()
	s := toy(t, "app", "1.0")
	src := mustOpen(t, t.TempDir(), Options{})
	e := mustPush(t, src, s, specsOf(s), "archive")
	dir := t.TempDir()
	dst := mustOpen(t, dir, Options{Layout: V2})
	for name, write := range map[string]func() error{
		"pushed": func() error {
			_, err := dst.Push(t.Context(), PushRequest{Spec: s, Specs: specsOf(s), Archive: archiveOf("archive")})
			return err
		},
		"pushed by force": func() error {
			_, err := dst.Push(t.Context(), PushRequest{Spec: s, Specs: specsOf(s), Archive: archiveOf("archive"), Force: true})
			return err
		},
		"copied": func() error {
			_, err := Copy(t.Context(), dst, src, []Entry{e}, CopyOptions{})
			return err
		},
		"copied by force": func() error {
			_, err := Copy(t.Context(), dst, src, []Entry{e}, CopyOptions{Force: true})
			return err
		},
	} {
		err := write()
		var generation *GenerationError
		if !errors.As(err, &generation) || generation.Specfile != 5 || generation.Location != dst.Location() || generation.Package != s.ID() ||
			!strings.Contains(err.Error(), "layout v3") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("written all the same: %v, %v", left, err)
	}
}

// slipIn stores a package of Spack 1.x in a cache of version 2, as other programs may.
func slipIn(t *testing.T, c *Cache, s *spack.Spec, all spack.Specs) {
	t.Helper()
	b, err := c.get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k, req, err := checkPush(PushRequest{Spec: s, Specs: all, Archive: archiveOf("archive of " + s.Name)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.push(t.Context(), k, req); err != nil {
		t.Fatal(err)
	}
}

func TestTheIndexOfVersion2StaysReadableForSpack023(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := mustOpen(t, dir, Options{Layout: V2})
	old, recent := toyOf(t, 4, "old", "1.0"), toy(t, "recent", "2.0")
	mustPush(t, c, old, specsOf(old), "archive of old")
	slipIn(t, c, recent, specsOf(recent))
	want := []spack.Hash{old.Hash}
	for i, before := range []string{"", "kept", `{"database":{"version":"8","installs":{"` + string(recent.Hash) + `":{"spec":` + string(recent.Raw) + `,"ref_count":0,"in_buildcache":true}}}}`} {
		if i > 1 { // an index that Spack 0.23 could not read is written anew
			if err := os.WriteFile(filepath.Join(dir, v2Index), []byte(before), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		report, err := c.UpdateIndex(t.Context())
		if err != nil || report.Packages != 1 || report.Newer != 1 || len(report.Left) > 0 {
			t.Errorf("%d: %+v, %v", i, report, err)
		}
		version, installs := readIndex(t, c)
		var got []spack.Hash
		for h := range installs {
			got = append(got, spack.Hash(h))
		}
		if version != dbVersion023 || !slices.Equal(got, want) {
			t.Errorf("%d: version %s, %v", i, version, got)
		}
	}
	found := mustLookup(t, c, LookupOptions{Index: IndexAlways, Verify: true}, old, recent)
	if len(found) != 2 || found[recent.Hash].Problem != nil {
		t.Errorf("by hash: %v", found)
	}
	if findings, err := c.Check(t.Context(), CheckOptions{Archives: true}); err != nil || len(findings) > 0 {
		t.Errorf("findings %v, %v", findings, err)
	}
}
