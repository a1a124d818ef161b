package artifact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"esd/internal/oci"
)

// Put implements Cache. Registries have no way to make a tag only where there is none:
// of two writers at the very same moment the last one stays. Both products are of
// one key, so either will do, and Put says which one it saw.
func (c *ociCache) Put(ctx context.Context, rec Record, open Opener) (Record, error) {
	if rec.FormatVersion == 0 {
		rec.FormatVersion = FormatVersion
	}
	data, err := checkAndEncode(rec)
	if err != nil {
		return Record{}, err
	}
	existing, err := c.sound(ctx, rec.Key)
	if err == nil || !isMissing(err) || isNewer(err) {
		return existing, err
	}
	if err := c.putBlob(ctx, rec, open); err != nil {
		return Record{}, c.writeError(err)
	}
	return c.putRecord(ctx, rec, data)
}

const (
	// Two writers that send the same small blob at the same moment get in each other's
	// way in some registries (distribution 2.8 reads a link that is half written and
	// answers 400). It is over in an instant.
	recordAttempts = 4
	recordPause    = 100 * time.Millisecond
)

// putRecord makes the archive known, unless somebody else was faster: sending it may
// have taken minutes.
func (c *ociCache) putRecord(ctx context.Context, rec Record, data []byte) (Record, error) {
	content, err := manifestOf(rec, data)
	if err != nil {
		return Record{}, err
	}
	for attempt := 1; ; attempt++ {
		if existing, err := c.sound(ctx, rec.Key); err == nil {
			return existing, nil
		}
		err := c.pushManifest(ctx, content, tagOf(rec.Key))
		if err == nil {
			return rec, nil
		}
		if attempt == recordAttempts || errors.Is(err, oci.ErrUnauthorized) || errors.Is(err, oci.ErrUnavailable) {
			return Record{}, c.writeError(err)
		}
		select {
		case <-ctx.Done():
			return Record{}, context.Cause(ctx)
		case <-time.After(time.Duration(attempt) * recordPause):
		}
	}
}

func (c *ociCache) pushManifest(ctx context.Context, content []byte, tag string) error {
	empty := ocispec.DescriptorEmptyJSON
	if err := c.store.PushBytes(ctx, plain(empty), empty.Data); err != nil {
		return err
	}
	desc := oci.Describe(ocispec.MediaTypeImageManifest, content)
	desc.ArtifactType = ArtifactType
	return oci.PushManifest(ctx, c.store, desc, content, tag)
}

// sound gives the record of a key unless its archive is known not to be usable.
func (c *ociCache) sound(ctx context.Context, key string) (Record, error) {
	rec, err := c.Get(ctx, key)
	if err != nil {
		return Record{}, err
	}
	gone := c.isCorrupt(rec.Archive.Digest)
	if !gone {
		exists, err := c.store.Exists(ctx, layerOf(rec))
		if err != nil {
			return Record{}, fmt.Errorf("cache %w", err)
		}
		gone = !exists
	}
	if gone {
		return Record{}, &CorruptError{Location: c.Location(), Key: key, Reason: "its archive is gone or damaged"}
	}
	return rec, nil
}

// putBlob sends the archive. One that is known to be damaged is deleted first: a
// registry does not look at content it believes to have.
func (c *ociCache) putBlob(ctx context.Context, rec Record, open Opener) error {
	layer := layerOf(rec)
	if !c.isCorrupt(layer.Digest) {
		return c.store.Push(ctx, layer, open)
	}
	err := c.store.Delete(ctx, layer)
	if err != nil && !errors.Is(err, oci.ErrNotFound) && !errors.Is(err, oci.ErrUnsupported) {
		return err
	}
	if err := c.store.Push(ctx, layer, open); err != nil {
		return err
	}
	// Some registries only forget that the repository has the blob, and keep the
	// bytes until they collect garbage.
	r, err := c.Open(ctx, rec)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("the registry holds on to its damaged copy; let it delete %s (`registry garbage-collect`): %w", layer.Digest, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.corrupt, layer.Digest)
	return nil
}

// writeError names the reason why a cache is not written that users can do something about.
func (c *ociCache) writeError(err error) error {
	if errors.Is(err, oci.ErrUnauthorized) {
		return fmt.Errorf("cache %s: %w: %w; log in, or set push = false", c.Location(), ErrReadOnly, err)
	}
	return fmt.Errorf("cache %s: %w", c.Location(), err)
}

// plain is a descriptor without the content it may carry.
func plain(d ocispec.Descriptor) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

// manifestOf writes the manifest of a product; the same product gives the same bytes.
func manifestOf(rec Record, record []byte) ([]byte, error) {
	annotations := map[string]string{annotationRecord: string(record), ocispec.AnnotationTitle: rec.Name}
	if rec.Version != "" {
		annotations[ocispec.AnnotationVersion] = rec.Version
	}
	return json.Marshal(ocispec.Manifest{
		Versioned:    specs.Versioned{SchemaVersion: 2},
		MediaType:    ocispec.MediaTypeImageManifest,
		ArtifactType: ArtifactType,
		Config:       plain(ocispec.DescriptorEmptyJSON),
		Layers:       []ocispec.Descriptor{layerOf(rec)},
		Annotations:  annotations,
	})
}
