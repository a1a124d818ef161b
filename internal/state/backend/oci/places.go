package oci

import (
	"context"
	"errors"
	"sync/atomic"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	registry "esd/internal/oci"
	"esd/internal/state"
)

// Place is a repository, as far as a state needs one. Errors are those of
// internal/oci.
type place interface {
	// Location is the repository, for people.
	Location() string
	// Tags lists the tags with a prefix. It shows each tag whose push was
	// confirmed before the call, unless its removal was begun before the call
	// returned. It need not be what the repository held at any one moment.
	Tags(ctx context.Context, prefix string) ([]string, error)
	// Push stores an object under its tag, which is pushed once only. If that failed
	// before the tag could come to be, the error is an *unsentError.
	Push(ctx context.Context, o object) error
	// Manifest is what a tag names, ErrNotFound if there is none.
	Manifest(ctx context.Context, tag string) (ocispec.Descriptor, []byte, error)
	// Blob reads a document.
	Blob(ctx context.Context, desc ocispec.Descriptor) ([]byte, error)
	// Remove takes a tag away with the manifest that it names, and no other tag
	// names. One that is not there is no error.
	Remove(ctx context.Context, tag string, desc ocispec.Descriptor) error
	// CanRemove asks whether there is removing at all: nil, or ErrUnsupported or
	// another error that says why not. What cannot be found out is nil.
	CanRemove(ctx context.Context) error
}

// repository is a place in a registry or layout.
type repository struct {
	store registry.Store
	empty *atomic.Bool // the empty blob, which every mark refers to, was pushed before
}

// maxTags bounds the tags that one state may have. Its versions are few; two
// hundred clients in line have less than a thousand.
const maxTags = 100_000

func (r repository) Location() string { return r.store.Location() }

func (r repository) Tags(ctx context.Context, prefix string) ([]string, error) {
	tags, err := registry.ListTags(ctx, r.store, prefix, maxTags)
	if errors.Is(err, registry.ErrNotFound) {
		return nil, nil // a layout that is not there yet
	}
	return tags, err
}

func (r repository) Push(ctx context.Context, o object) error {
	for attempt := 0; ; attempt++ {
		for _, b := range o.blobs {
			isEmpty := b.desc.Digest == ocispec.DescriptorEmptyJSON.Digest
			if isEmpty && r.empty.Load() && attempt == 0 {
				continue
			}
			if err := r.store.PushBytes(ctx, b.desc, b.content); err != nil {
				return &unsentError{err}
			}
			if isEmpty {
				r.empty.Store(true)
			}
		}
		err := registry.PushManifest(ctx, r.store, o.desc, o.manifest, o.tag)
		// What nothing names may be collected as garbage at any moment.
		if !errors.Is(err, registry.ErrMissingBlob) || attempt == 3 {
			return err
		}
	}
}

// unsentError says that not even the manifest was sent, so that the tag cannot come
// to be.
type unsentError struct{ cause error }

// Error implements error.
func (e *unsentError) Error() string { return e.cause.Error() }

// Unwrap implements errors.Unwrap.
func (e *unsentError) Unwrap() error { return e.cause }

func (r repository) Manifest(ctx context.Context, tag string) (ocispec.Descriptor, []byte, error) {
	return registry.FetchManifest(ctx, r.store, tag)
}

func (r repository) Blob(ctx context.Context, desc ocispec.Descriptor) ([]byte, error) {
	return registry.FetchBytes(ctx, r.store, desc, state.MaxSize)
}

func (r repository) Remove(ctx context.Context, tag string, desc ocispec.Descriptor) error {
	err := registry.DeleteManifest(ctx, r.store, desc)
	var answer *registry.ResponseError
	switch {
	case errors.Is(err, registry.ErrNotFound):
		return nil
	case errors.As(err, &answer) && !errors.Is(err, registry.ErrUnavailable):
		// Some do not remove a manifest that has a tag.
		if r.store.Untag(ctx, tag) == nil {
			return nil
		}
	}
	return err
}

func (r repository) CanRemove(ctx context.Context) error {
	// Nobody has this: the digest of a token that was drawn just now.
	err := registry.DeleteManifest(ctx, r.store, registry.Describe(ocispec.MediaTypeImageManifest, []byte(newToken())))
	if errors.Is(err, registry.ErrUnsupported) || errors.Is(err, registry.ErrUnauthorized) || errors.Is(err, registry.ErrUnavailable) || ctx.Err() != nil {
		return err
	}
	return nil
}
