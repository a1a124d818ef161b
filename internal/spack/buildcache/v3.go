package buildcache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"esd/internal/spack"
	"esd/internal/spack/signature"
	"esd/internal/spack/transport"
)

// v3 is a cache of manifests and blobs, as Spack 1.x writes them.
type v3 struct {
	t    *transport.Store
	opts *Options

	mu        sync.Mutex
	described bool // layout file and key were seen to
}

func (b *v3) layout() Layout   { return V3 }
func (b *v3) location() string { return b.t.Location() }

// find implements backend. Only manifests are signed; they bind the blobs.
func (b *v3) find(ctx context.Context, k key) (Entry, error) {
	where := b.t.Location() + "/" + k.v3Manifest()
	text, _, err := b.t.ReadAll(ctx, k.v3Manifest(), maxManifest, transport.GetOptions{})
	if err != nil {
		return Entry{}, err
	}
	msg, err := b.opts.Trust.Open(text)
	if err != nil {
		return Entry{}, fmt.Errorf("%s: %w", where, err)
	}
	return b.entry(where, k, msg)
}

func (b *v3) entry(where string, k key, msg signature.Message) (Entry, error) {
	e := Entry{Hash: k.hash, Name: k.name, Version: k.version, Layout: V3, Signed: msg.Signed, Signer: msg.Signer, key: k}
	m, err := parseManifest(where, msg.Content)
	if err != nil {
		return e, err
	}
	if e.Archive, err = m.blob(where, mediaTarFamily); err != nil {
		return e, err
	}
	if e.SpecBlob, err = m.blob(where, mediaSpecFamily); err != nil {
		return e, err
	}
	e.annotate(m.Annotations)
	return e, nil
}

// spec implements backend.
func (b *v3) spec(ctx context.Context, e Entry) ([]byte, error) {
	return b.readBlob(ctx, e.SpecBlob, maxSpecDoc)
}

// readBlob reads a small blob, verified.
func (b *v3) readBlob(ctx context.Context, blob Blob, limit int64) ([]byte, error) {
	where := b.t.Location() + "/" + blobPath(blob.SHA256)
	if blob.Size > limit {
		return nil, fmt.Errorf("%s: %w: %d bytes, at most %d are accepted", where, ErrInvalid, blob.Size, limit)
	}
	text, info, err := b.t.ReadAll(ctx, blobPath(blob.SHA256), limit, transport.GetOptions{})
	if err != nil {
		return nil, err
	}
	if got := blobOf(text, ""); got.SHA256 != blob.SHA256 {
		return nil, &DigestError{Location: where, Expected: blob.SHA256, Actual: got.SHA256, ExpectedSize: blob.Size, ActualSize: info.Size}
	}
	return text, nil
}

// archive implements backend.
func (b *v3) archive(ctx context.Context, e Entry, opts transport.GetOptions) (*transport.Object, error) {
	return b.t.Get(ctx, blobPath(e.Archive.SHA256), opts)
}

// has implements backend.
func (b *v3) has(ctx context.Context, e Entry) (transport.Info, error) {
	return b.t.Stat(ctx, blobPath(e.Archive.SHA256))
}

// push implements backend. A blob that an older manifest named stays, for those who
// are reading it.
func (b *v3) push(ctx context.Context, k key, req pushRequest) (Entry, error) {
	spec, err := req.specBlob()
	if err != nil {
		return Entry{}, err
	}
	specBlob := blobOf(spec, mediaSpec)
	m := manifest{Version: 3, Annotations: req.annotations(), Data: []blobRecord{
		newRecord(req.blob, "gzip"), newRecord(specBlob, "gzip"),
	}}
	content := m.encode()
	msg := signature.Message{Content: content}
	text := content
	switch {
	case req.raw != nil:
		text, msg.Signed = req.raw, true
	case b.opts.Signer != nil:
		if text, err = b.opts.Signer.Clearsign(content); err != nil {
			return Entry{}, err
		}
		msg.Signed, msg.Signer = true, b.opts.Signer.Fingerprint()
	}
	if err := b.putBlob(ctx, req.blob, req.verified()); err != nil {
		return Entry{}, err
	}
	if err := b.putBlob(ctx, specBlob, transport.Bytes(spec)); err != nil {
		return Entry{}, err
	}
	if err := b.t.Put(ctx, k.v3Manifest(), transport.Bytes(text)); err != nil {
		return Entry{}, err
	}
	if err := b.describe(ctx); err != nil {
		return Entry{}, err
	}
	return b.entry(b.t.Location(), k, msg)
}

func blobOf(text []byte, mediaType string) Blob {
	sum := sha256.Sum256(text)
	return Blob{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(text)), MediaType: mediaType}
}

// putBlob stores a blob, unless one of its size is there.
func (b *v3) putBlob(ctx context.Context, blob Blob, src transport.Source) error {
	info, err := b.t.Stat(ctx, blobPath(blob.SHA256))
	switch {
	case err == nil && info.Size == blob.Size:
		return nil
	case err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrDenied):
		return err
	}
	return b.t.Put(ctx, blobPath(blob.SHA256), src)
}

// describe writes, once, the file that tells Spack what the cache is, and publishes
// the key that signs.
func (b *v3) describe(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.described {
		return nil
	}
	if _, err := b.t.Stat(ctx, v3LayoutFile); errors.Is(err, ErrNotFound) {
		if err := b.t.Put(ctx, v3LayoutFile, transport.Bytes([]byte(v3LayoutText))); err != nil {
			return err
		}
	}
	if err := b.publishKey(ctx); err != nil {
		return err
	}
	b.described = true
	return nil
}

// raw implements backend.
func (b *v3) raw(ctx context.Context, e Entry) ([]byte, error) {
	text, _, err := b.t.ReadAll(ctx, e.key.v3Manifest(), maxManifest, transport.GetOptions{})
	return text, err
}

// readable implements backend.
func (b *v3) readable(ctx context.Context) bool {
	for _, name := range []string{v3LayoutFile, v3Index} {
		if _, err := b.t.Stat(ctx, name); err == nil {
			return true
		}
	}
	return false
}

// enumerate implements backend.
func (b *v3) enumerate(ctx context.Context) ([]located, error) {
	seen := map[spack.Hash]located{}
	err := b.t.List(ctx, v3Specs, func(name string, _ transport.Info) error {
		if k, ok := parseV3Name(name); ok {
			seen[k.hash] = located{hash: k.hash, key: &k, ref: name}
		}
		return nil
	})
	return sortedLocated(seen), err
}

// identify implements backend.
func (b *v3) identify(ctx context.Context, l located) (Entry, error) { return b.find(ctx, *l.key) }
