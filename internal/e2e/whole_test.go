package e2e

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// records reads the records of the packages in a directory cache, past esd: by
// name, the content key and the digest of the archive. Each must be whole, and its archive be there as
// announced.
func records(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	files, err := filepath.Glob(filepath.Join(dir, "records", "*", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		var r struct {
			Key, Name, Kind string
			Archive         struct{ Digest digest.Digest }
		}
		if data, err := os.ReadFile(file); err != nil || json.Unmarshal(data, &r) != nil {
			t.Errorf("%s is no record: %v\n%s", file, err, data)
			continue
		}
		if got := strings.TrimSuffix(filepath.Base(file), ".json"); got != r.Key {
			t.Errorf("%s holds the record of %s", file, r.Key)
		}
		wantBlob(t, filepath.Join(dir, "blobs", "sha256", r.Archive.Digest.Encoded()[:2], r.Archive.Digest.Encoded()), r.Archive.Digest)
		if r.Kind == "recipe" {
			found[r.Name] = r.Key + " " + string(r.Archive.Digest)
		}
	}
	return found
}

// wantBlob expects a file with just this content.
func wantBlob(t testing.TB, file string, want digest.Digest) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Errorf("a blob is missing: %v", err)
		return
	}
	defer f.Close()
	if got, err := digest.FromReader(f); err != nil || got != want {
		t.Errorf("%s is %s (%v)", file, got, err)
	}
}

// layoutTag reads what a tag of an OCI layout names, past esd: empty for
// nothing. What it names must be there whole, and so must every other blob.
func layoutTag(t testing.TB, dir, tag string) string {
	t.Helper()
	var index ocispec.Index
	data, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil || json.Unmarshal(data, &index) != nil {
		t.Errorf("%s has no index: %v\n%s", dir, err, data)
		return ""
	}
	blobs, err := filepath.Glob(filepath.Join(dir, "blobs", "sha256", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blobs {
		wantBlob(t, b, digest.NewDigestFromEncoded(digest.SHA256, filepath.Base(b)))
	}
	for _, m := range index.Manifests {
		if m.Annotations[ocispec.AnnotationRefName] == tag {
			wantImage(t, dir, m.Digest)
			return string(m.Digest)
		}
	}
	return ""
}

func wantImage(t testing.TB, dir string, d digest.Digest) {
	t.Helper()
	var m ocispec.Manifest
	data, err := os.ReadFile(filepath.Join(dir, "blobs", "sha256", d.Encoded()))
	if err != nil || json.Unmarshal(data, &m) != nil {
		t.Errorf("%s: the manifest cannot be read: %v", dir, err)
		return
	}
	for _, b := range append(m.Layers, m.Config) {
		wantBlob(t, filepath.Join(dir, "blobs", "sha256", b.Digest.Encoded()), b.Digest)
	}
}
