package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"esd/internal/oci"
)

const (
	// ArtifactType marks the manifests of products, image specification 1.1.
	ArtifactType = "application/vnd.esd.artifact.v1+json"
	// annotationRecord has the record, so that one request gives everything.
	annotationRecord = "vnd.esd.record"
	// tagPrefix stands before the key in the tag of a product.
	tagPrefix = "artifact-"
	// parallelRequests keeps a distant registry busy without upsetting it.
	parallelRequests = 8
	// fewKeys is up to how many keys are asked for one by one; for more, the tags are
	// listed first and only what is there is read.
	fewKeys = 16
)

// ociCache is a repository of a registry, or an OCI layout. A product is a manifest
// with the archive as its one layer, tagged by its key.
type ociCache struct {
	ref   oci.Ref
	store oci.Store

	mu      sync.Mutex
	corrupt map[digest.Digest]bool // archives found to be damaged, to be replaced
}

func openOCI(ctx context.Context, location string, opts Options) (Cache, error) {
	ref, err := oci.ParseRef(location)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	if ref.Tag != "" || ref.Digest != "" {
		return nil, fmt.Errorf("cache %q: leave out the tag or digest: the whole repository is the cache", location)
	}
	store, err := oci.Open(ctx, ref, opts.OCI)
	if err != nil {
		return nil, fmt.Errorf("cache %q: %w", location, err)
	}
	return &ociCache{ref: ref, store: store, corrupt: map[digest.Digest]bool{}}, nil
}

// Location implements Cache.
func (c *ociCache) Location() string {
	if c.ref.Layout != "" {
		return "oci:" + c.ref.Layout
	}
	return "oci://" + c.ref.Registry + "/" + c.ref.Repository
}

func tagOf(key string) string { return tagPrefix + key }

// Has implements Cache.
func (c *ociCache) Has(ctx context.Context, keys []string) (map[string]Record, error) {
	if len(keys) > fewKeys {
		present, err := c.present(ctx, keys)
		if err != nil {
			return nil, err
		}
		keys = present
	}
	var mu sync.Mutex
	found := make(map[string]Record, len(keys))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelRequests)
	for _, key := range keys {
		g.Go(func() error {
			rec, err := c.Get(ctx, key)
			if isMissing(err) {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			found[key] = rec
			return nil
		})
	}
	return found, g.Wait()
}

// present gives those of keys that have a tag.
func (c *ociCache) present(ctx context.Context, keys []string) ([]string, error) {
	tags, err := c.tags(ctx)
	if err != nil {
		return nil, err
	}
	set := make(map[string]bool, len(tags))
	for _, key := range tags {
		set[key] = true
	}
	var present []string
	for _, key := range keys {
		if set[key] {
			present = append(present, key)
		}
	}
	return present, nil
}

// tags lists the keys that the repository has, sorted.
func (c *ociCache) tags(ctx context.Context) ([]string, error) {
	tags, err := c.store.Tags(ctx)
	if err != nil {
		if errors.Is(err, oci.ErrNotFound) {
			return nil, nil
		}
		return nil, fmt.Errorf("cache %w", err)
	}
	var keys []string
	for _, tag := range tags {
		if key, ok := strings.CutPrefix(tag, tagPrefix); ok && checkKey(key) == nil {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// Get implements Cache.
func (c *ociCache) Get(ctx context.Context, key string) (Record, error) {
	if err := checkKey(key); err != nil {
		return Record{}, err
	}
	p, err := oci.Inspect(ctx, c.store, tagOf(key))
	switch {
	case errors.Is(err, oci.ErrNotFound):
		return Record{}, fmt.Errorf("cache %s: %s: %w", c.Location(), abbreviate(key), ErrNotFound)
	case isLie(err):
		return Record{}, &CorruptError{Location: c.Location(), Key: key, Reason: "its manifest cannot be used", Err: err}
	case err != nil:
		return Record{}, fmt.Errorf("cache %w", err)
	}
	return c.recordIn(p.Manifest, key)
}

// isLie tells whether a store delivered something else than what it should have.
func isLie(err error) bool {
	var mismatch *oci.DigestMismatchError
	return errors.As(err, &mismatch) || errors.Is(err, oci.ErrInvalidContent)
}

// recordIn gets the record out of a product's manifest, and makes sure that the
// archive it names is the layer that the registry keeps for it.
func (c *ociCache) recordIn(m ocispec.Manifest, key string) (Record, error) {
	bad := func(reason string) (Record, error) {
		return Record{}, &CorruptError{Location: c.Location(), Key: key, Reason: reason}
	}
	if m.ArtifactType != ArtifactType || len(m.Layers) != 1 {
		return bad("its manifest is not that of a product of esd")
	}
	rec, err := decodeRecord([]byte(m.Annotations[annotationRecord]), c.Location(), key)
	if err != nil {
		return Record{}, err
	}
	if l := m.Layers[0]; l.Digest != rec.Archive.Digest || l.Size != rec.Archive.Size || l.MediaType != rec.Archive.MediaType {
		return bad("its record names another archive than its manifest")
	}
	return rec, nil
}

// Open implements Cache.
func (c *ociCache) Open(ctx context.Context, rec Record) (io.ReadCloser, error) {
	if err := rec.Validate(); err != nil {
		return nil, err
	}
	src, err := c.store.Fetch(ctx, layerOf(rec))
	if err != nil {
		return nil, c.readError(rec, err)
	}
	return &ociReader{ReadCloser: src, cache: c, rec: rec}, nil
}

func layerOf(rec Record) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: rec.Archive.MediaType, Digest: rec.Archive.Digest, Size: rec.Archive.Size}
}

// readError tells damage from trouble with the network.
func (c *ociCache) readError(rec Record, err error) error {
	if !isLie(err) && !errors.Is(err, oci.ErrNotFound) {
		return err
	}
	c.mu.Lock()
	c.corrupt[rec.Archive.Digest] = true
	c.mu.Unlock()
	return &CorruptError{Location: c.Location(), Key: rec.Key, Reason: "its archive cannot be used", Err: err}
}

func (c *ociCache) isCorrupt(d digest.Digest) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.corrupt[d]
}

// ociReader reads content that the store verifies, and gives its errors our names.
type ociReader struct {
	io.ReadCloser
	cache *ociCache
	rec   Record
}

func (r *ociReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.cache.readError(r.rec, err)
	}
	return n, err
}

// Delete implements Cache. The registry's garbage collection removes the archives.
func (c *ociCache) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := c.deleteOne(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// deleteOne deletes the manifest, which takes its tag along, and which works with
// registries that cannot delete tags. A manifest has the key in it, so none is shared.
func (c *ociCache) deleteOne(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	desc, err := c.store.Resolve(ctx, tagOf(key))
	if errors.Is(err, oci.ErrNotFound) {
		return nil
	}
	if err == nil && c.ref.Layout != "" {
		err = c.store.Untag(ctx, tagOf(key)) // collects the archive, too
	} else if err == nil {
		err = c.store.Delete(ctx, desc)
	}
	if err != nil && !errors.Is(err, oci.ErrNotFound) {
		return c.writeError(err)
	}
	return nil
}

// List implements Cache.
func (c *ociCache) List(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		keys, err := c.tags(ctx)
		if err != nil {
			yield(Record{}, err)
			return
		}
		for _, key := range keys {
			rec, err := c.Get(ctx, key)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// LocateLayer implements Cache.
func (c *ociCache) LocateLayer(Record) (oci.MountSource, bool) {
	if c.ref.Registry == "" {
		return oci.MountSource{}, false
	}
	return oci.MountSource{Registry: c.ref.Registry, Repository: c.ref.Repository}, true
}
