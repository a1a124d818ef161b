package oci

import (
	"errors"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const validManifest = `{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"` + testDigest + `","size":2},"layers":[]}`

func TestParsersRefuseWhatTheyCannotTrust(t *testing.T) {
	t.Parallel()
	manifest := func(b []byte) error { _, err := parseManifest(b); return err }
	index := func(b []byte) error { _, err := parseIndex(b); return err }
	config := func(b []byte) error { _, err := parseConfig(b); return err }
	tests := map[string]struct {
		parse   func([]byte) error
		content string
	}{
		"a manifest that is no JSON":             {manifest, "{"},
		"a manifest of schema version 1":         {manifest, `{"schemaVersion":1}`},
		"a manifest that is an index":            {manifest, `{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageIndex + `"}`},
		"a manifest without a configuration":     {manifest, `{"schemaVersion":2,"layers":[]}`},
		"a layer whose digest climbs":            {manifest, strings.Replace(validManifest, `"layers":[]`, `"layers":[{"digest":"sha256:../../../etc/passwd","size":1}]`, 1)},
		"a layer of negative size":               {manifest, strings.Replace(validManifest, `"layers":[]`, `"layers":[{"digest":"`+testDigest+`","size":-1}]`, 1)},
		"a digest of an unknown algorithm":       {index, `{"schemaVersion":2,"manifests":[{"digest":"md5:d41d8cd98f00b204e9800998ecf8427e","size":1}]}`},
		"an index of another version":            {index, `{"schemaVersion":3}`},
		"an index that is a manifest":            {index, `{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageManifest + `"}`},
		"a configuration without a file system":  {config, `{}`},
		"a configuration with a broken diff ID":  {config, `{"rootfs":{"type":"layers","diff_ids":["sha256:x"]}}`},
		"a manifest that is larger than allowed": {manifest, strings.Repeat(" ", MaxManifest+1)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := test.parse([]byte(test.content)); !errors.Is(err, ErrInvalidContent) {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := manifest([]byte(validManifest)); err != nil {
		t.Error(err)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(validManifest))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"` + testDigest + `","size":1,"platform":{"os":"linux","architecture":"arm64","variant":"v8"}}]}`))
	f.Add([]byte(`{"rootfs":{"type":"layers","diff_ids":["` + testDigest + `"]},"config":{"Env":["A"]}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		sniffMediaType(content)
		if m, err := parseManifest(content); err == nil {
			for _, d := range append(m.Layers, m.Config) {
				if d.Size < 0 || strings.Contains(blobPath(d.Digest), "..") {
					t.Errorf("accepted %+v", d)
				}
			}
		} else if !errors.Is(err, ErrInvalidContent) {
			t.Error(err)
		}
		if idx, err := parseIndex(content); err == nil {
			sortEntries(idx.Manifests)
			if d, err := selectPlatform(idx.Manifests, linuxAMD64); err == nil && d.Platform.OS != "linux" {
				t.Errorf("selected %+v", d)
			}
		}
		if c, err := parseConfig(content); err == nil {
			overlayConfig(c.Config, c.Config, c.Config.Labels)
		}
	})
}
