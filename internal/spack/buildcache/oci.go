package buildcache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"esd/internal/oci"
	"esd/internal/spack"
	"esd/internal/spack/signature"
	"esd/internal/spack/transport"
)

// registry is a cache in an OCI repository: an image for each package, whose last
// layer is the archive and whose configuration has the spec among its members
// (_oci_put_manifest in binary_distribution.py).
type registry struct {
	store oci.Store
	opts  *Options
}

// openRegistry reads oci:// and oci+http:// URLs. Like Spack it lowers the case of the
// repository.
func openRegistry(ctx context.Context, location string, opts *Options) (*registry, error) {
	access := opts.OCI
	rest, plain := strings.CutPrefix(location, "oci+http://")
	if plain {
		access.PlainHTTP = true
	} else {
		rest = strings.TrimPrefix(location, "oci://")
	}
	host, repository, _ := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	ref, err := oci.ParseRef("oci://" + host + "/" + strings.ToLower(repository))
	if err != nil {
		return nil, err
	}
	if ref.Tag != "" || ref.Digest != "" {
		return nil, errors.New("tags name the packages; leave it out")
	}
	if access.Clock == nil {
		access.Clock = opts.Clock
	}
	if access.Retry.Attempts == 0 {
		access.Retry = opts.Retry
	}
	store, err := oci.Open(ctx, ref, access)
	return &registry{store: store, opts: opts}, err
}

func (b *registry) layout() Layout   { return OCI }
func (b *registry) location() string { return "oci://" + b.store.Location() }

// explain puts errors of the registry among those of this package.
func (b *registry) explain(err error) error {
	for theirs, ours := range map[error]error{
		oci.ErrNotFound: ErrNotFound, oci.ErrUnauthorized: ErrDenied,
		oci.ErrUnavailable: ErrUnavailable, oci.ErrInvalidContent: ErrInvalid,
	} {
		if errors.Is(err, theirs) {
			return fmt.Errorf("%w: %w", ours, err)
		}
	}
	var wrong *oci.DigestMismatchError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return err
}

// find implements backend: one request, as the manifest has all that is needed.
func (b *registry) find(ctx context.Context, k key) (Entry, error) {
	e, _, err := b.read(ctx, k.ociTag())
	if err == nil || !errors.Is(err, ErrNotFound) {
		e.Hash, e.Name, e.Version, e.key = k.hash, k.name, k.version, k
	}
	return e, err
}

func (b *registry) read(ctx context.Context, tag string) (Entry, ocispec.Manifest, error) {
	var m ocispec.Manifest
	where := b.location() + ":" + tag
	_, text, err := oci.FetchManifest(ctx, b.store, tag)
	if err != nil {
		return Entry{}, m, b.explain(err)
	}
	if b.opts.Trust.Mode == signature.Require {
		return Entry{}, m, fmt.Errorf("%s: %w: Spack signs nothing in registries; use a cache of version 3, or do not demand signatures here", where, signature.ErrUnsigned)
	}
	e, err := parseImage(where, text, &m)
	if err == nil {
		e.ref = tag
	}
	return e, m, err
}

// parseImage reads the manifest of a package. Its last layer is the archive.
func parseImage(where string, text []byte, m *ocispec.Manifest) (Entry, error) {
	if err := json.Unmarshal(text, m); err != nil {
		return Entry{}, invalid(where, text, "not a manifest: %v", err)
	}
	if len(m.Layers) == 0 {
		return Entry{}, invalid(where, nil, "it is no image of a package: there are no layers")
	}
	e := Entry{Layout: OCI}
	for into, d := range map[*Blob]ocispec.Descriptor{&e.Archive: m.Layers[len(m.Layers)-1], &e.SpecBlob: m.Config} {
		if d.Digest.Validate() != nil || d.Digest.Algorithm() != digest.SHA256 || d.Size < 0 {
			return Entry{}, invalid(where, nil, "digest %q, size %d", abbreviate(d.Digest.String()), d.Size)
		}
		*into = Blob{SHA256: d.Digest.Encoded(), Size: d.Size, MediaType: d.MediaType}
	}
	e.annotate(m.Annotations)
	return e, nil
}

func (blob Blob) descriptor() ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: blob.MediaType, Digest: digest.NewDigestFromEncoded(digest.SHA256, blob.SHA256), Size: blob.Size}
}

// spec implements backend.
func (b *registry) spec(ctx context.Context, e Entry) ([]byte, error) {
	text, err := oci.FetchBytes(ctx, b.store, e.SpecBlob.descriptor(), maxSpecDoc)
	return text, b.explain(err)
}

// archive implements backend. Connections that break are taken up again below, and
// content is verified there; a part of it costs a connection.
func (b *registry) archive(ctx context.Context, e Entry, opts transport.GetOptions) (*transport.Object, error) {
	r, err := b.store.Fetch(ctx, e.Archive.descriptor())
	if err != nil {
		return nil, b.explain(err)
	}
	o := &transport.Object{ReadCloser: readCloser{explained{r, b}, r}, Info: transport.Info{Size: e.Archive.Size}}
	if opts.Offset > 0 {
		if _, err := io.CopyN(io.Discard, o, opts.Offset); err != nil {
			r.Close()
			return nil, err
		}
	}
	return o, nil
}

// explained turns the errors of reading.
type explained struct {
	io.Reader
	b *registry
}

// Read implements io.Reader.
func (e explained) Read(p []byte) (int, error) {
	n, err := e.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = e.b.explain(err)
	}
	return n, err
}

// has implements backend.
func (b *registry) has(ctx context.Context, e Entry) (transport.Info, error) {
	found, err := b.store.Exists(ctx, e.Archive.descriptor())
	if err == nil && !found {
		err = fmt.Errorf("%s: sha256:%s: %w", b.location(), e.Archive.SHA256, ErrNotFound)
	}
	return transport.Info{Size: e.Archive.Size}, b.explain(err)
}

// raw implements backend.
func (b *registry) raw(context.Context, Entry) ([]byte, error) {
	return nil, fmt.Errorf("%s: %w: registries keep no signatures", b.location(), signature.ErrUnsigned)
}

// readable implements backend. Registries tell what is missing from what is denied.
func (b *registry) readable(context.Context) bool { return false }

// enumerate implements backend.
func (b *registry) enumerate(ctx context.Context) ([]located, error) {
	tags, err := b.store.Tags(ctx)
	if err != nil {
		return nil, b.explain(err)
	}
	seen := map[spack.Hash]located{}
	for _, tag := range tags {
		base, ok := strings.CutSuffix(tag, ".spack")
		if h, is := hashOfName(base); ok && is {
			seen[h] = located{hash: h, ref: tag}
		}
	}
	return sortedLocated(seen), nil
}

// tags are all names in the repository.
func (b *registry) tags(ctx context.Context) (map[string]bool, error) {
	all, err := b.store.Tags(ctx)
	if err != nil {
		return nil, b.explain(err)
	}
	tags := make(map[string]bool, len(all))
	for _, tag := range all {
		tags[tag] = true
	}
	return tags, nil
}

// identify implements backend. A tag does not tell where the name ends and the
// version begins, so the configuration is read.
func (b *registry) identify(ctx context.Context, l located) (Entry, error) {
	e, _, err := b.read(ctx, l.ref)
	if err != nil {
		return e, err
	}
	text, err := b.spec(ctx, e)
	if err != nil {
		return e, err
	}
	where := b.location() + ":" + l.ref
	doc, _, err := parseSpecDocument(where, text, l.hash)
	if err != nil {
		return e, err
	}
	if e.key, err = keyOfDocument(where, doc); err != nil {
		return e, err
	}
	e.Hash, e.Name, e.Version = e.key.hash, e.key.name, e.key.version
	return e, nil
}

// remove implements backend. Blobs that nothing refers to any more are for the
// garbage collection of the registry. Where tags cannot be removed the manifest is:
// no other entry can have the same.
func (b *registry) remove(ctx context.Context, entries []Entry) error {
	for _, e := range entries {
		err := b.store.Untag(ctx, e.tag())
		if errors.Is(err, oci.ErrUnsupported) {
			var desc ocispec.Descriptor
			if desc, err = b.store.Resolve(ctx, e.tag()); err == nil {
				err = b.store.Delete(ctx, desc)
			}
		}
		if err != nil && !errors.Is(err, oci.ErrNotFound) {
			return b.explain(err)
		}
	}
	return nil
}

// tag is where the entry was found, or would be.
func (e Entry) tag() string {
	if e.ref != "" {
		return e.ref
	}
	return e.key.ociTag()
}
