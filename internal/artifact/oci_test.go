package artifact

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"esd/internal/oci"
)

func TestRepositoryTellsWhereALayerCanBeMountedFrom(t *testing.T) {
	p := newProduct(t, "a", "x")
	host := startOlareg(t)
	got, ok := openAt("oci://" + host + "/esd/cache")(t).LocateLayer(p.rec)
	if diff := cmp.Diff(oci.MountSource{Registry: host, Repository: "esd/cache"}, got); diff != "" || !ok {
		t.Error(diff, ok)
	}
	for _, location := range []string{t.TempDir(), "oci:" + t.TempDir()} {
		if got, ok := openAt(location)(t).LocateLayer(p.rec); ok {
			t.Errorf("%s: %v", location, got)
		}
	}
}

func TestRepositoryIsAskedInFewRequests(t *testing.T) {
	host := startOlareg(t)
	put(t, openAt("oci://"+host+"/esd/cache")(t), newProduct(t, "a", "x"))
	for _, n := range []int{1, 2000} {
		var meter oci.Meter
		c, err := OpenCache(context.Background(), "oci://"+host+"/esd/cache", Options{OCI: oci.Options{Meter: &meter}})
		must(t, err)
		found, err := c.Has(context.Background(), append(manyKeys(n-1), keyOf("a")))
		must(t, err)
		if got := meter.Snapshot().Requests["GET"] + meter.Snapshot().Requests["HEAD"]; len(found) != 1 || got > 3 {
			t.Errorf("%d keys: found %d with %d requests", n, len(found), got)
		}
	}
}

func TestRepositoryWithProductsThatAreNot(t *testing.T) {
	ctx := context.Background()
	p, other := newProduct(t, "a", "x"), newProduct(t, "b", "other")
	encode := func(r Record) []byte {
		data, err := r.encode()
		must(t, err)
		return data
	}
	manifest := func(rec Record, record []byte) []byte {
		m, err := manifestOf(rec, record)
		must(t, err)
		return m
	}
	for name, content := range map[string][]byte{
		"an image":                        []byte(`{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageManifest + `","config":{"mediaType":"application/vnd.oci.empty.v1+json","digest":"` + ocispec.DescriptorEmptyJSON.Digest.String() + `","size":2},"layers":[]}`),
		"a record of another key":         manifest(other.rec, encode(other.rec)),
		"a record of another archive":     manifest(other.rec, encode(p.rec)),
		"a record that is no JSON":        manifest(p.rec, []byte("{")),
		"a record without a single field": manifest(p.rec, []byte("{}")),
	} {
		t.Run(name, func(t *testing.T) {
			location := "oci://" + startOlareg(t) + "/esd/cache"
			c := openAt(location)(t)
			put(t, c, other)
			must(t, c.(*ociCache).putBlob(ctx, p.rec, p.open))
			must(t, c.(*ociCache).pushManifest(ctx, content, tagOf(p.rec.Key)))
			_, err := c.Get(ctx, p.rec.Key)
			mustBeCorrupt(t, err)
			found, err := c.Has(ctx, []string{p.rec.Key})
			if err != nil || len(found) != 0 {
				t.Errorf("Has: %v, %v", found, err)
			}
			put(t, c, p)
			mustHave(t, openAt(location)(t), p)
		})
	}
}

func TestRepositoryThatIsDownIsAnError(t *testing.T) {
	c, err := OpenCache(context.Background(), "oci://127.0.0.1:1/esd/cache", Options{OCI: oci.Options{Retry: oci.RetryPolicy{Attempts: 1}}})
	must(t, err)
	if _, err := c.Has(context.Background(), manyKeys(1)); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
