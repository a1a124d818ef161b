package oci

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Annotations by which a published image says what it is made of. A layer carries the
// content key of what is in it, a manifest the key of the whole image.
const (
	AnnotationKey   = "dev.esd.key"
	AnnotationTitle = "dev.esd.title"
)

// Layer is one layer of an image, stored somewhere already or still to be sent.
type Layer struct {
	Descriptor ocispec.Descriptor // of the layer as it is stored, compressed or not
	DiffID     digest.Digest      // of the uncompressed tar archive
	Key        string             // content key of what is in the layer; "" for layers of a base image
	Title      string             // what the layer is, for people: "recipe.greet"
	// Open reads the layer as it is stored. It is called only when the layer has to
	// be sent, once for each attempt.
	Open func(ctx context.Context) (io.ReadCloser, error)
	// Mounts are repositories that are known to hold the layer.
	Mounts []MountSource
}

// MountSource is a repository that holds a blob.
type MountSource struct {
	Registry, Repository string
}

// Image is an image that was read from a store.
type Image struct {
	Location      string             // where it was read
	Descriptor    ocispec.Descriptor // of the manifest
	Manifest      ocispec.Manifest
	ManifestBytes []byte
	Config        ocispec.Image
	ConfigBytes   []byte
	Layers        []Layer // bottom first, readable from the store
}

// LoadImage reads the manifest and the configuration of an image. Where reference
// names an index, the image for platform is chosen. Both OCI's and Docker's formats
// are understood. [ErrNotFound] when there is no such image or platform.
func LoadImage(ctx context.Context, s Store, reference string, platform ocispec.Platform) (*Image, error) {
	desc, content, err := loadManifest(ctx, s, reference, platform)
	if err != nil {
		return nil, err
	}
	manifest, err := parseManifest(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %q: %w", s.Location(), reference, err)
	}
	img := &Image{Location: s.Location(), Descriptor: desc, Manifest: *manifest, ManifestBytes: content}
	if mt := manifest.Config.MediaType; mt != ocispec.MediaTypeImageConfig && mt != mediaTypeDockerConfig {
		return nil, fmt.Errorf("%s: %q: %w: it is an artifact of type %q, not an image", s.Location(), reference, ErrInvalidContent, abbreviate(mt))
	}
	if img.ConfigBytes, err = FetchBytes(ctx, s, manifest.Config, maxConfig); err != nil {
		return nil, err
	}
	config, err := parseConfig(img.ConfigBytes)
	if err != nil {
		return nil, fmt.Errorf("%s: configuration of %q: %w", s.Location(), reference, err)
	}
	img.Config = *config
	if err := img.check(platform); err != nil {
		return nil, fmt.Errorf("%s: %q: %w", s.Location(), reference, err)
	}
	img.Layers = layersOf(s, manifest, config.RootFS.DiffIDs)
	return img, nil
}

// check compares the configuration with the manifest and with what was asked for.
func (img *Image) check(want ocispec.Platform) error {
	if n, m := len(img.Config.RootFS.DiffIDs), len(img.Manifest.Layers); n != m {
		return fmt.Errorf("%w: the configuration lists %d layers, the manifest %d", ErrInvalidContent, n, m)
	}
	got := img.Config.Platform
	if want.OS != "" && got.OS != want.OS || want.Architecture != "" && got.Architecture != want.Architecture ||
		want.Variant != "" && variantOf(got) != want.Variant {
		return fmt.Errorf("the image is for platform %s, not for %s: %w", PlatformString(&got), PlatformString(&want), ErrNotFound)
	}
	return nil
}

// loadManifest follows indexes down to the manifest for a platform.
func loadManifest(ctx context.Context, s Store, reference string, platform ocispec.Platform) (ocispec.Descriptor, []byte, error) {
	desc, content, err := FetchManifest(ctx, s, reference)
	for depth := 0; err == nil && isIndex(desc.MediaType); depth++ {
		if depth == maxNesting {
			return desc, nil, fmt.Errorf("%s: %q: %w: indexes nested deeper than %d", s.Location(), reference, ErrInvalidContent, maxNesting)
		}
		var idx *ocispec.Index
		if idx, err = parseIndex(content); err == nil {
			desc, err = selectPlatform(idx.Manifests, platform)
		}
		if err != nil {
			return desc, nil, fmt.Errorf("%s: %q: %w", s.Location(), reference, err)
		}
		content, err = FetchBytes(ctx, s, desc, MaxManifest)
	}
	if err == nil && !isManifest(desc.MediaType) {
		err = fmt.Errorf("%s: %q: %w: a manifest of type %q is not understood", s.Location(), reference, ErrInvalidContent, abbreviate(desc.MediaType))
	}
	return desc, content, err
}

// layersOf makes the layers of a manifest readable from the store they are in.
func layersOf(s Store, m *ocispec.Manifest, diffIDs []digest.Digest) []Layer {
	var mounts []MountSource
	if r, ok := s.(*remote); ok {
		mounts = []MountSource{{Registry: r.ref.Registry, Repository: r.ref.Repository}}
	}
	layers := make([]Layer, len(m.Layers))
	for i, d := range m.Layers {
		layers[i] = Layer{
			Descriptor: d, DiffID: diffIDs[i],
			Key: d.Annotations[AnnotationKey], Title: d.Annotations[AnnotationTitle],
			Open:   func(ctx context.Context) (io.ReadCloser, error) { return s.Fetch(ctx, d) },
			Mounts: mounts,
		}
	}
	return layers
}

// ociLayerType gives OCI's media type of a layer for Docker's, and refuses what is no
// layer at all.
func ociLayerType(mediaType string) (string, error) {
	for docker, oci := range map[string]string{
		mediaTypeDockerLayer:   ocispec.MediaTypeImageLayer,
		mediaTypeDockerForeign: ocispec.MediaTypeImageLayerNonDistributable, //nolint:staticcheck // deprecated, but old images have it
	} {
		if rest, ok := strings.CutPrefix(mediaType, docker); ok {
			mediaType = oci + strings.Replace(rest, ".", "+", 1)
		}
	}
	switch mediaType {
	case ocispec.MediaTypeImageLayer, ocispec.MediaTypeImageLayerGzip, ocispec.MediaTypeImageLayerZstd,
		ocispec.MediaTypeImageLayerNonDistributable, ocispec.MediaTypeImageLayerNonDistributableGzip, //nolint:staticcheck // see above
		ocispec.MediaTypeImageLayerNonDistributableZstd: //nolint:staticcheck // see above
		return mediaType, nil
	}
	return "", fmt.Errorf("%w: %q is not the media type of an image layer", ErrInvalidContent, abbreviate(mediaType))
}
