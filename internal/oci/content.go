package oci

import (
	"bytes"
	"context"
	_ "crypto/sha256" // digest algorithms that content may name
	_ "crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// MaxManifest is the size in bytes up to which manifests and indexes are read: the
// limit that the distribution specification asks registries to accept.
const MaxManifest = 4 << 20

// maxConfig bounds image configurations, whose history may be long.
const maxConfig = 8 << 20

// Media types of Docker's image manifest version 2, schema 2, which registries and
// base images still use.
const (
	mediaTypeDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	mediaTypeDockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
	mediaTypeDockerConfig   = "application/vnd.docker.container.image.v1+json"
	mediaTypeDockerLayer    = "application/vnd.docker.image.rootfs.diff.tar"
	mediaTypeDockerForeign  = "application/vnd.docker.image.rootfs.foreign.diff.tar"
)

// manifestTypes are the media types kept among manifests, not among blobs.
func manifestTypes() []string {
	return []string{
		ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex,
		mediaTypeDockerManifest, mediaTypeDockerList,
	}
}

func isManifest(mediaType string) bool {
	switch mediaType {
	case ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex, mediaTypeDockerManifest, mediaTypeDockerList:
		return true
	}
	return false
}

func isIndex(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageIndex || mediaType == mediaTypeDockerList
}

// Describe gives the descriptor of content in memory.
func Describe(mediaType string, content []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content))}
}

// FetchBytes reads content of at most limit bytes into memory, verified.
func FetchBytes(ctx context.Context, s Store, desc ocispec.Descriptor, limit int64) ([]byte, error) {
	if desc.Size > limit {
		return nil, fmt.Errorf("%s: %s has %d bytes: %w: at most %d are accepted",
			s.Location(), desc.Digest, desc.Size, ErrInvalidContent, limit)
	}
	rc, err := s.Fetch(ctx, desc)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	// The reader ends with an error after desc.Size bytes, so this is bounded.
	return io.ReadAll(rc)
}

// FetchManifest reads the manifest or index that a tag or digest names, verified. It
// is one request where Resolve and Fetch would be two.
func FetchManifest(ctx context.Context, s Store, reference string) (ocispec.Descriptor, []byte, error) {
	if f, ok := s.(manifestFetcher); ok {
		return f.fetchManifest(ctx, reference)
	}
	desc, err := s.Resolve(ctx, reference)
	if err != nil {
		return ocispec.Descriptor{}, nil, err
	}
	content, err := FetchBytes(ctx, s, desc, MaxManifest)
	return desc, content, err
}

// manifestFetcher is implemented by stores that resolve and fetch in one request.
type manifestFetcher interface {
	fetchManifest(ctx context.Context, reference string) (ocispec.Descriptor, []byte, error)
}

// PushManifest stores a manifest and names it, in one request where the store can;
// the tag never names anything that is not stored. Without a tag, a registry stores
// the manifest by its digest alone, and a layout makes it the one that is meant when
// no name is given.
func PushManifest(ctx context.Context, s Store, desc ocispec.Descriptor, content []byte, tag string) error {
	if p, ok := s.(taggedPusher); ok {
		return p.pushTagged(ctx, desc, content, tag)
	}
	if err := s.PushBytes(ctx, desc, content); err != nil || tag == "" {
		return err
	}
	return s.Tag(ctx, desc, tag)
}

// taggedPusher is implemented by stores that store and name in one step.
type taggedPusher interface {
	pushTagged(ctx context.Context, desc ocispec.Descriptor, content []byte, tag string) error
}

func bytesOpener(content []byte) Opener {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
}

// checkDescriptor refuses descriptors that could not be verified, or whose digest
// could not be made a file name.
func checkDescriptor(location string, desc ocispec.Descriptor) error {
	if err := desc.Digest.Validate(); err != nil {
		return fmt.Errorf("%s: %w: digest %q: %v", location, ErrInvalidContent, abbreviate(desc.Digest.String()), err)
	}
	if desc.Size < 0 {
		return fmt.Errorf("%s: %w: %s has the negative size %d", location, ErrInvalidContent, desc.Digest, desc.Size)
	}
	return nil
}

// verifier passes content through and checks it against a descriptor.
type verifier struct {
	src      io.Reader
	desc     ocispec.Descriptor
	location string
	hash     hash.Hash
	n        int64
	err      error // what reading ended with
}

// newVerifier needs a descriptor that checkDescriptor accepts.
func newVerifier(src io.Reader, desc ocispec.Descriptor, location string) *verifier {
	return &verifier{src: src, desc: desc, location: location, hash: desc.Digest.Algorithm().Hash()}
}

// Read implements io.Reader. In place of io.EOF it ends with a DigestMismatchError
// when the content is not what it should be.
func (v *verifier) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.src.Read(p)
	v.n += int64(n)
	if v.n > v.desc.Size {
		v.err = v.mismatch("")
		return 0, v.err
	}
	v.hash.Write(p[:n])
	if v.n == v.desc.Size && n > 0 || errors.Is(err, io.EOF) {
		// The last bytes are held back when they are wrong, so that nobody who
		// knows the size takes them for good, as an HTTP client does.
		if wrong := v.check(); wrong != nil {
			v.err = wrong
			return 0, wrong
		}
	}
	v.err = err
	return n, err
}

func (v *verifier) check() error {
	if v.n != v.desc.Size {
		return v.mismatch("")
	}
	if got := digest.NewDigest(v.desc.Digest.Algorithm(), v.hash); got != v.desc.Digest {
		return v.mismatch(got)
	}
	return nil
}

func (v *verifier) mismatch(got digest.Digest) error {
	return &DigestMismatchError{
		Location: v.location, Expected: v.desc.Digest, Actual: got,
		ExpectedSize: v.desc.Size, ActualSize: v.n,
	}
}

// readCloser joins a reader with what has to be closed behind it.
type readCloser struct {
	io.Reader
	io.Closer
}
