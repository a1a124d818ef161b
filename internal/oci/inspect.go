package oci

import (
	"context"
	"fmt"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Published is what a published image says it is made of.
type Published struct {
	Descriptor ocispec.Descriptor // of the manifest
	Manifest   ocispec.Manifest
	Key        string // content key of the image; "" when it was not made by esd
	Layers     []PublishedLayer
}

// PublishedLayer is one layer of a published image.
type PublishedLayer struct {
	Descriptor ocispec.Descriptor
	Key        string // content key; "" for layers of the base image
	Title      string
}

// Inspect reads back what the image under a tag or digest is made of, in one request
// and without anything recorded elsewhere. [ErrNotFound] when there is none.
func Inspect(ctx context.Context, s Store, reference string) (*Published, error) {
	desc, content, err := FetchManifest(ctx, s, reference)
	if err != nil {
		return nil, err
	}
	if isIndex(desc.MediaType) {
		return nil, fmt.Errorf("%s: %q: %w: it is an index of several images; name one by its digest", s.Location(), reference, ErrInvalidContent)
	}
	m, err := parseManifest(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %q: %w", s.Location(), reference, err)
	}
	p := &Published{Descriptor: desc, Manifest: *m, Key: m.Annotations[AnnotationKey]}
	for _, d := range m.Layers {
		p.Layers = append(p.Layers, PublishedLayer{Descriptor: d, Key: d.Annotations[AnnotationKey], Title: d.Annotations[AnnotationTitle]})
	}
	return p, nil
}
