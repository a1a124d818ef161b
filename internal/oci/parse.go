package oci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// maxLayers bounds the layers of an image; overlay file systems give up near 500.
const maxLayers = 10_000

// parseManifest reads an image manifest of either format. Every descriptor in it is
// valid afterwards. Errors wrap ErrInvalidContent.
func parseManifest(content []byte) (*ocispec.Manifest, error) {
	var m ocispec.Manifest
	if err := decodeJSON(content, MaxManifest, &m); err != nil {
		return nil, err
	}
	switch {
	case m.SchemaVersion == 1:
		return nil, fmt.Errorf("%w: image manifests of schema version 1 are not understood; push the image again with a current tool", ErrInvalidContent)
	case m.SchemaVersion != 2:
		return nil, fmt.Errorf("%w: schema version %d, expected 2", ErrInvalidContent, m.SchemaVersion)
	case m.MediaType != "" && (!isManifest(m.MediaType) || isIndex(m.MediaType)):
		return nil, fmt.Errorf("%w: %q is not the media type of an image manifest", ErrInvalidContent, abbreviate(m.MediaType))
	case len(m.Layers) > maxLayers:
		return nil, fmt.Errorf("%w: %d layers, at most %d are accepted", ErrInvalidContent, len(m.Layers), maxLayers)
	}
	for _, d := range append([]ocispec.Descriptor{m.Config}, m.Layers...) {
		if err := checkDescriptor("manifest", d); err != nil {
			return nil, err
		}
	}
	return &m, nil
}

// parseIndex reads an image index or manifest list. Every descriptor in it is valid
// afterwards. Errors wrap ErrInvalidContent.
func parseIndex(content []byte) (*ocispec.Index, error) {
	var idx ocispec.Index
	if err := decodeJSON(content, maxLayoutIndex, &idx); err != nil {
		return nil, err
	}
	if idx.SchemaVersion != 2 {
		return nil, fmt.Errorf("%w: schema version %d, expected 2", ErrInvalidContent, idx.SchemaVersion)
	}
	if idx.MediaType != "" && !isIndex(idx.MediaType) {
		return nil, fmt.Errorf("%w: %q is not the media type of an image index", ErrInvalidContent, abbreviate(idx.MediaType))
	}
	for _, d := range idx.Manifests {
		if err := checkDescriptor("index", d); err != nil {
			return nil, err
		}
	}
	return &idx, nil
}

// parseConfig reads an image configuration. Errors wrap ErrInvalidContent.
func parseConfig(content []byte) (*ocispec.Image, error) {
	var img ocispec.Image
	if err := decodeJSON(content, maxConfig, &img); err != nil {
		return nil, err
	}
	if img.RootFS.Type != "layers" {
		return nil, fmt.Errorf("%w: root file system of type %q, expected \"layers\"", ErrInvalidContent, abbreviate(img.RootFS.Type))
	}
	for _, d := range img.RootFS.DiffIDs {
		if err := d.Validate(); err != nil {
			return nil, fmt.Errorf("%w: diff ID %q: %v", ErrInvalidContent, abbreviate(d.String()), err)
		}
	}
	return &img, nil
}

func decodeJSON(content []byte, limit int, into any) error {
	if len(content) > limit {
		return fmt.Errorf("%w: larger than %d bytes", ErrInvalidContent, limit)
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("%w: %v", ErrInvalidContent, err)
	}
	return nil
}

// canonicalJSON writes v in one way only: fields in the order of the structure, maps
// by key, no spaces, no escapes beyond what JSON asks for, no line end.
func canonicalJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// isForeign tells layers that are fetched from elsewhere and not stored with images.
func isForeign(d ocispec.Descriptor) bool {
	return len(d.URLs) > 0 && (strings.Contains(d.MediaType, "nondistributable") || strings.Contains(d.MediaType, "foreign"))
}
