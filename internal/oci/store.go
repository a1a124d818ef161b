package oci

import (
	"context"
	"fmt"
	"io"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Opener opens content for reading from its beginning. It is called again for each
// attempt, so it must give the same bytes every time.
type Opener func() (io.ReadCloser, error)

// Store is one repository of a registry, or one OCI layout directory. All methods
// may be called from several goroutines.
//
// Manifests and indexes (told by their media type) and blobs share the methods.
type Store interface {
	// Resolve finds what a tag or digest names. [ErrNotFound] when there is none.
	Resolve(ctx context.Context, reference string) (ocispec.Descriptor, error)
	// Exists tells whether the content is there, without reading it.
	Exists(ctx context.Context, desc ocispec.Descriptor) (bool, error)
	// Fetch opens content. Size and digest are checked while reading: content that
	// lies ends with a [*DigestMismatchError] in place of io.EOF. A connection that
	// is cut is taken up again where it broke. The caller closes.
	Fetch(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error)
	// Push stores content, and does nothing where it exists already. open is called
	// once for every attempt. Content that does not match desc is not stored and
	// gives a [*DigestMismatchError].
	Push(ctx context.Context, desc ocispec.Descriptor, open func() (io.ReadCloser, error)) error
	// PushBytes is Push for content in memory.
	PushBytes(ctx context.Context, desc ocispec.Descriptor, content []byte) error
	// Mount makes a blob of another repository of the same registry available here
	// without transferring it; false when the registry would not.
	Mount(ctx context.Context, desc ocispec.Descriptor, fromRepository string) (mounted bool, err error)
	// Tag gives a stored manifest a name, taking it from another one that had it.
	Tag(ctx context.Context, desc ocispec.Descriptor, tag string) error
	// Delete removes a manifest or blob. [ErrNotFound] when it is not there,
	// [ErrUnsupported] where a registry cannot.
	Delete(ctx context.Context, desc ocispec.Descriptor) error
	// Untag removes a name. A layout also removes what nothing else refers to.
	// [ErrUnsupported] where a registry cannot.
	Untag(ctx context.Context, tag string) error
	// Tags lists all names, sorted. A repository that does not exist has none.
	Tags(ctx context.Context) ([]string, error)
	// Location names the store for people, such as "registry.example.org/esd/lab".
	Location() string
}

// Options say how a registry is reached. The zero value is right for a registry with
// a public certificate and the credentials that container tools have stored.
type Options struct {
	PlainHTTP    bool          // speak HTTP instead of HTTPS; loopback hosts do, unless CAFile or Insecure is set
	CAFile       string        // PEM file of certificates to trust besides the system's
	Insecure     bool          // do not verify the certificate
	Credentials  Credentials   // nil: the files container tools use, see [DefaultCredentials]
	Meter        *Meter        // counts traffic; may be nil
	UserAgent    string        // default "esd"
	Retry        RetryPolicy   // zero: [DefaultRetry]
	Clock        Clock         // nil: the system's
	StallTimeout time.Duration // a connection without progress for this long is given up; default 5 min
}

// Open gives the store that ref is in; tag and digest are ignored. It neither opens
// a connection nor creates a directory: a layout appears with the first write.
func Open(_ context.Context, ref Ref, opts Options) (Store, error) {
	switch {
	case ref.Layout != "":
		return openLayout(ref.Layout), nil
	case ref.Registry == "" || ref.Repository == "":
		return nil, fmt.Errorf("%w: neither a layout nor a repository of a registry", ErrInvalidReference)
	}
	return openRemote(ref, opts)
}
