package oci

import (
	"errors"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// pushConfigured stores an image for a platform, in Docker's format where asked.
func pushConfigured(t *testing.T, s Store, p ocispec.Platform, docker bool) ocispec.Descriptor {
	t.Helper()
	manifestType, configType, layerType := ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageConfig, ocispec.MediaTypeImageLayerGzip
	if docker {
		manifestType, configType, layerType = mediaTypeDockerManifest, mediaTypeDockerConfig, mediaTypeDockerLayer+".gzip"
	}
	layer := pushBlob(t, s, "layer for "+PlatformString(&p))
	layer.MediaType = layerType
	config, err := canonicalJSON(ocispec.Image{Platform: p, RootFS: ocispec.RootFS{Type: "layers", DiffIDs: toDigests(layer)}})
	if err != nil {
		t.Fatal(err)
	}
	c := Describe(configType, config)
	if err := s.PushBytes(t.Context(), c, config); err != nil {
		t.Fatal(err)
	}
	m := ocispec.Manifest{MediaType: manifestType, Config: c, Layers: []ocispec.Descriptor{layer}}
	m.SchemaVersion = 2
	content, err := canonicalJSON(m)
	if err != nil {
		t.Fatal(err)
	}
	desc := Describe(manifestType, content)
	if err := s.PushBytes(t.Context(), desc, content); err != nil {
		t.Fatal(err)
	}
	desc.Platform = &p
	return desc
}

func pushIndex(t *testing.T, s Store, tag string, entries ...ocispec.Descriptor) {
	t.Helper()
	idx := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: entries}
	idx.SchemaVersion = 2
	content, err := canonicalJSON(idx)
	if err != nil {
		t.Fatal(err)
	}
	if err := PushManifest(t.Context(), s, Describe(ocispec.MediaTypeImageIndex, content), content, tag); err != nil {
		t.Fatal(err)
	}
}

func TestLoadImageChoosesThePlatform(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s Store) {
		var entries []ocispec.Descriptor
		for i, name := range []string{"linux/amd64", "linux/arm64/v8", "linux/arm/v6", "linux/arm/v7", "windows/amd64", "linux/riscv64"} {
			p, err := ParsePlatform(name)
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, pushConfigured(t, s, p, i%2 == 0))
		}
		attestation := entries[0]
		attestation.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
		pushIndex(t, s, "v1", append(entries, attestation)...)
		for want, got := range map[string]string{
			"linux/amd64": "linux/amd64", "linux/arm64": "linux/arm64/v8", "linux/arm64/v8": "linux/arm64/v8",
			"linux/arm": "linux/arm/v7", "linux/arm/v6": "linux/arm/v6", "windows/amd64": "windows/amd64",
		} {
			p, _ := ParsePlatform(want)
			img, err := LoadImage(t.Context(), s, "v1", p)
			if err != nil {
				t.Errorf("%s: %v", want, err)
			} else if PlatformString(&img.Config.Platform) != got {
				t.Errorf("%s gives %s", want, PlatformString(&img.Config.Platform))
			}
		}
		_, err := LoadImage(t.Context(), s, "v1", ocispec.Platform{OS: "linux", Architecture: "s390x"})
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "linux/riscv64") {
			t.Errorf("s390x: %v", err)
		}
	})
}

func TestLoadImageRefusesAnotherPlatform(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s Store) {
		pushImage(t, s, "x", "v1")
		_, err := LoadImage(t.Context(), s, "v1", ocispec.Platform{OS: "linux", Architecture: "arm64"})
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})
}

func TestLoadedDockerImageBecomesAnOCIImage(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s Store) {
		desc := pushConfigured(t, s, linuxAMD64, true)
		base, err := LoadImage(t.Context(), s, desc.Digest.String(), linuxAMD64)
		if err != nil {
			t.Fatal(err)
		}
		img := mustAssemble(t, AssembleOptions{Base: base, Layers: packages(1, -1)})
		mustPublish(t, img, s, PublishOptions{Tag: "v1"})
		got, err := Inspect(t.Context(), s, "v1")
		if err != nil {
			t.Fatal(err)
		}
		if got.Layers[0].Descriptor.MediaType != ocispec.MediaTypeImageLayerGzip || got.Layers[1].Descriptor.MediaType != ocispec.MediaTypeImageLayerZstd {
			t.Errorf("layers: %+v", got.Layers)
		}
		if got.Manifest.Annotations[ocispec.AnnotationBaseImageDigest] != desc.Digest.String() {
			t.Errorf("annotations: %v", got.Manifest.Annotations)
		}
	})
}

func TestParsePlatformRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "linux", "linux/", "/amd64", "a/b/c/d"} {
		if _, err := ParsePlatform(s); err == nil {
			t.Errorf("%q was accepted", s)
		}
	}
}
