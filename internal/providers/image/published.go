package image

import (
	"context"
	"errors"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"esd/internal/oci"
)

// publishedLayer is a layer that an image has that was published before. What
// it is stands in that image's manifest and configuration.
type publishedLayer struct {
	oci.Layer
	place place
}

// layer is the published layer as one of another image.
func (p publishedLayer) layer(title string) oci.Layer {
	l := p.Layer
	l.Descriptor = ocispec.Descriptor{MediaType: l.Descriptor.MediaType, Digest: l.Descriptor.Digest, Size: l.Descriptor.Size}
	l.Title = title
	return l
}

// findPublished reads which layers the images have that are published. One that
// is gone since the plan was made has none: its layers are made like others.
func (a *assembly) findPublished(ctx context.Context, platform ocispec.Platform) error {
	a.published = map[string]publishedLayer{}
	for _, at := range a.image.Published {
		store, ref, err := a.provider.open(ctx, at.Reference, at.Transport)
		if err != nil {
			return err
		}
		img, err := oci.LoadImage(ctx, store, at.Digest, platform)
		if errors.Is(err, oci.ErrNotFound) || errors.Is(err, oci.ErrInvalidContent) {
			fmt.Fprintf(a.run.Log, "esd: no layers can be taken from %s any more: %v\n", ref, err)
			continue
		}
		if err != nil {
			return err
		}
		for _, l := range img.Layers {
			if _, known := a.published[l.Key]; !known && isOurs(l.Key, l.Descriptor, a.image.Compression) {
				a.published[l.Key] = publishedLayer{l, at}
			}
		}
	}
	return nil
}
