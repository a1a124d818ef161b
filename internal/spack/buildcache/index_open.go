package buildcache

import (
	"context"
	"errors"
	"fmt"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"encoding/json"

	"esd/internal/oci"
	"esd/internal/spack/transport"
)

// openIndex implements backend. A small manifest tells the digest of the index, so one
// small request tells whether it changed.
func (b *v3) openIndex(ctx context.Context, have indexID) (*indexStream, error) {
	text, info, err := b.t.ReadAll(ctx, v3Index, maxManifest, transport.GetOptions{IfNoneMatch: have.ETag})
	if err != nil {
		return nil, err
	}
	where := b.t.Location() + "/" + v3Index
	m, err := parseManifest(where, text)
	if err != nil {
		return nil, err
	}
	blob, err := m.blob(where, mediaIndexOf)
	if err != nil {
		return nil, err
	}
	if blob.SHA256 == have.Digest {
		return nil, transport.ErrNotModified
	}
	o, err := b.t.Get(ctx, blobPath(blob.SHA256), transport.GetOptions{})
	if err != nil {
		return nil, err
	}
	return &indexStream{
		ReadCloser: readCloser{newVerifier(o, blob, b.t.Location()+"/"+blobPath(blob.SHA256)), o},
		id:         indexID{Digest: blob.SHA256, ETag: info.ETag}, size: blob.Size,
	}, nil
}

// openIndex implements backend. Where there is a file with the digest it decides; it
// is not checked, because a cache that is being written has it a moment later.
func (b *v2) openIndex(ctx context.Context, have indexID) (*indexStream, error) {
	id := indexID{}
	switch text, _, err := b.t.ReadAll(ctx, v2IndexHash, 1<<10, transport.GetOptions{}); {
	case err == nil && isSHA256(strings.TrimSpace(string(text))):
		id.Digest = strings.TrimSpace(string(text))
		if id.Digest == have.Digest {
			return nil, transport.ErrNotModified
		}
		have.ETag = ""
	case err != nil && !isAbsent(err) && !errors.Is(err, ErrDenied):
		return nil, err
	}
	o, err := b.t.Get(ctx, v2Index, transport.GetOptions{IfNoneMatch: have.ETag})
	if err != nil {
		return nil, err
	}
	id.ETag = o.ETag
	return &indexStream{ReadCloser: o, id: id, size: o.Size}, nil
}

// openIndex implements backend.
func (b *registry) openIndex(ctx context.Context, have indexID) (*indexStream, error) {
	where := b.location() + ":" + ociIndexTag
	_, text, err := oci.FetchManifest(ctx, b.store, ociIndexTag)
	if err != nil {
		return nil, b.explain(err)
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(text, &m); err != nil || len(m.Layers) == 0 {
		return nil, invalid(where, text, "not a manifest of an index")
	}
	d := m.Layers[0]
	if d.Digest.Validate() != nil || d.Size < 0 {
		return nil, invalid(where, nil, "digest %q, size %d", abbreviate(d.Digest.String()), d.Size)
	}
	if d.Digest.Encoded() == have.Digest {
		return nil, transport.ErrNotModified
	}
	r, err := b.store.Fetch(ctx, d)
	if err != nil {
		return nil, b.explain(err)
	}
	return &indexStream{ReadCloser: readCloser{explained{r, b}, r}, id: indexID{Digest: d.Digest.Encoded()}, size: d.Size}, nil
}

// wrongIndex says that an index lists what is not there.
func wrongIndex(k key, err error) error {
	return fmt.Errorf("%s: %w: it lists the package, which is not there: %w", k.id(), ErrIndex, err)
}
