package oci

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"slices"
	"sync"
	"syscall"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry"
	oras "oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// maxTagPages bounds how often a registry may say that there are more tags.
const maxTagPages = 1000

// remote is one repository of a registry.
//
// Retries happen here, around whole operations, because the retries of oras' transport
// leave out uploads from files: a body that cannot be rewound is sent once.
type remote struct {
	ref    Ref
	scheme string
	repo   *oras.Repository
	policy RetryPolicy
	clock  Clock
	creds  Credentials

	mu     sync.Mutex // guards the four below
	asked  bool       // whether the credential was looked up
	cred   Credential
	looked []string
	err    error
}

func openRemote(ref Ref, opts Options) (*remote, error) {
	if err := ref.validateRemote(); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrInvalidReference, err)
	}
	opts.StallTimeout = cmp.Or(opts.StallTimeout, defaultStallTimeout)
	transport, err := newTransport(opts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref.location(), err)
	}
	r := &remote{
		ref: ref, scheme: "https",
		policy: opts.Retry, clock: opts.Clock, creds: opts.Credentials,
	}
	if r.clock == nil {
		r.clock = SystemClock{}
	}
	if r.creds == nil {
		r.creds = DefaultCredentials()
	}
	if r.policy.Attempts == 0 {
		r.policy = DefaultRetry()
	}
	plain := opts.PlainHTTP || isLoopback(ref.Registry) && opts.CAFile == "" && !opts.Insecure
	if plain {
		r.scheme = "http"
	}
	client := &auth.Client{
		Client:     &http.Client{Transport: &tap{base: transport, meter: opts.Meter, clock: r.clock}},
		Cache:      auth.NewCache(),
		Credential: r.orasCredential,
	}
	client.SetUserAgent(cmp.Or(opts.UserAgent, "esd"))
	client.ClientID = "esd"
	r.repo = &oras.Repository{
		Client:          client,
		Reference:       registry.Reference{Registry: ref.Registry, Repository: ref.Repository},
		PlainHTTP:       plain,
		TagListMaxPages: maxTagPages,
	}
	return r, nil
}

// Location implements Store.
func (r *remote) Location() string { return r.ref.location() }

// credential looks the credential up once.
func (r *remote) credential(ctx context.Context) (Credential, []string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.asked {
		r.cred, r.looked, r.err = r.creds.Lookup(context.WithoutCancel(ctx), r.ref.Registry, r.ref.Repository)
		r.asked = true
	}
	return r.cred, r.looked, r.err
}

// secrets are those that may have been sent.
func (r *remote) secrets() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cred.secrets()
}

// orasCredential hands the credential to the registry it is for, and to no other host.
func (r *remote) orasCredential(ctx context.Context, hostport string) (auth.Credential, error) {
	if hostport != r.repo.Reference.Host() {
		return auth.EmptyCredential, nil
	}
	cred, _, err := r.credential(ctx)
	if err != nil {
		return auth.EmptyCredential, &localError{fmt.Errorf("%s: %w", r.Location(), err)}
	}
	return auth.Credential{
		Username: cred.Username, Password: cred.Password,
		RefreshToken: cred.IdentityToken, AccessToken: cred.AccessToken,
	}, nil
}

// Exists implements Store.
func (r *remote) Exists(ctx context.Context, desc ocispec.Descriptor) (found bool, err error) {
	if err := checkDescriptor(r.Location(), desc); err != nil {
		return false, err
	}
	err = r.retry(ctx, func(ctx context.Context, _ int) error {
		found, err = r.repo.Exists(ctx, desc)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return false, nil // the repository itself is missing
	}
	return found, err
}

// Push implements Store.
func (r *remote) Push(ctx context.Context, desc ocispec.Descriptor, open func() (io.ReadCloser, error)) error {
	found, err := r.Exists(ctx, desc)
	if err != nil || found {
		return err
	}
	return r.upload(ctx, desc, open)
}

// PushBytes implements Store.
func (r *remote) PushBytes(ctx context.Context, desc ocispec.Descriptor, content []byte) error {
	return r.Push(ctx, desc, bytesOpener(content))
}

// upload is Push for content that is known to be missing.
func (r *remote) upload(ctx context.Context, desc ocispec.Descriptor, open Opener) error {
	if err := checkDescriptor(r.Location(), desc); err != nil {
		return err
	}
	if isManifest(desc.MediaType) {
		content, err := readAllFrom(open, desc, r.Location())
		if err != nil {
			return err
		}
		return r.putManifest(ctx, desc, content, desc.Digest.String())
	}
	return r.retry(ctx, func(ctx context.Context, try int) error {
		if try > 1 {
			// The last try may have succeeded with only its answer lost.
			if found, err := r.repo.Exists(ctx, desc); err == nil && found {
				return nil
			}
		}
		return r.uploadOnce(ctx, desc, open)
	})
}

// uploadOnce sends a blob. An error in reading it here outranks what became of the
// request because of that.
func (r *remote) uploadOnce(ctx context.Context, desc ocispec.Descriptor, open Opener) error {
	src, err := open()
	if err != nil {
		return &localError{fmt.Errorf("%s: reading %s: %w", r.Location(), desc.Digest, err)}
	}
	defer src.Close()
	body := &localReader{src: newVerifier(src, desc, r.Location())}
	err = r.repo.Blobs().Push(ctx, desc, body)
	if local := body.stop(); local != nil && err != nil {
		return &localError{fmt.Errorf("%s: reading %s: %w", r.Location(), desc.Digest, local)}
	}
	return err
}

// putManifest stores a manifest under a tag or its digest.
func (r *remote) putManifest(ctx context.Context, desc ocispec.Descriptor, content []byte, reference string) error {
	return r.retry(ctx, func(ctx context.Context, _ int) error {
		return r.repo.Manifests().PushReference(ctx, desc, bytes.NewReader(content), reference)
	})
}

// pushTagged implements taggedPusher.
func (r *remote) pushTagged(ctx context.Context, desc ocispec.Descriptor, content []byte, tag string) error {
	if err := checkContent(r.Location(), desc, content); err != nil {
		return err
	}
	if tag == "" {
		return r.putManifest(ctx, desc, content, desc.Digest.String())
	}
	if !isTag(tag) {
		return fmt.Errorf("%s: %w: %v", r.Location(), ErrInvalidReference, tagError(tag))
	}
	return r.putManifest(ctx, desc, content, tag)
}

// errNotMounted stops oras from sending content that the registry would not mount.
var errNotMounted = errors.New("not mounted")

// Mount implements Store. Being denied counts as not mounted: whether the other
// repository may be read is decided by its registry, and sending still works.
func (r *remote) Mount(ctx context.Context, desc ocispec.Descriptor, fromRepository string) (bool, error) {
	if err := checkDescriptor(r.Location(), desc); err != nil {
		return false, err
	}
	err := r.retry(ctx, func(ctx context.Context, _ int) error {
		err := r.repo.Mount(ctx, desc, fromRepository, func() (io.ReadCloser, error) { return nil, errNotMounted })
		if errors.Is(err, errNotMounted) {
			return &localError{errNotMounted}
		}
		return err
	})
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errNotMounted), errors.Is(err, ErrUnauthorized), errors.Is(err, ErrUnsupported), errors.Is(err, ErrNotFound):
		return false, nil
	}
	return false, err
}

// Tag implements Store.
func (r *remote) Tag(ctx context.Context, desc ocispec.Descriptor, tag string) error {
	if !isTag(tag) {
		return fmt.Errorf("%s: %w: %v", r.Location(), ErrInvalidReference, tagError(tag))
	}
	content, err := FetchBytes(ctx, r, desc, MaxManifest)
	if err != nil {
		return err
	}
	return r.putManifest(ctx, desc, content, tag)
}

// Tags implements Store.
func (r *remote) Tags(ctx context.Context) ([]string, error) {
	var tags []string
	err := r.retry(ctx, func(ctx context.Context, _ int) error {
		tags = nil
		return r.repo.Tags(ctx, "", func(page []string) error {
			tags = append(tags, page...)
			return nil
		})
	})
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	slices.Sort(tags)
	return slices.Compact(tags), err
}

// Delete implements Store.
func (r *remote) Delete(ctx context.Context, desc ocispec.Descriptor) error {
	if err := checkDescriptor(r.Location(), desc); err != nil {
		return err
	}
	return r.retry(ctx, func(ctx context.Context, try int) error {
		err := r.repo.Delete(ctx, desc)
		if try > 1 && errors.Is(err, errdef.ErrNotFound) {
			return nil // the last try did it
		}
		return err
	})
}

// Untag implements Store. Registries before distribution 3 do not know how; they take
// the tag for a malformed digest.
func (r *remote) Untag(ctx context.Context, tag string) error {
	if !isTag(tag) {
		return fmt.Errorf("%s: %w: %v", r.Location(), ErrInvalidReference, tagError(tag))
	}
	err := r.retry(ctx, func(ctx context.Context, try int) error {
		ctx = auth.AppendRepositoryScope(ctx, r.repo.Reference, auth.ActionDelete)
		resp, err := r.do(ctx, http.MethodDelete, "manifests/"+tag, nil)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		switch {
		case resp.StatusCode == http.StatusAccepted, resp.StatusCode == http.StatusOK, resp.StatusCode == http.StatusNoContent:
			return nil
		case try > 1 && resp.StatusCode == http.StatusNotFound:
			return nil
		}
		return responseError(resp)
	})
	var answer *ResponseError
	if errors.As(err, &answer) && answer.Status == http.StatusBadRequest {
		return fmt.Errorf("%s: removing tag %q: %w", r.Location(), tag, ErrUnsupported)
	}
	return err
}

// isCut tells a connection that ended before its time.
func isCut(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// localReader remembers an error of reading what is sent. An HTTP transport may go on
// reading after the answer came; stop ends that.
type localReader struct {
	mu  sync.Mutex
	src io.Reader
	err error
}

// Read implements io.Reader.
func (l *localReader) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.src == nil {
		return 0, fs.ErrClosed
	}
	n, err := l.src.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		l.err = err
	}
	return n, err
}

// stop waits for a running Read, lets no other begin, and gives the error of reading.
func (l *localReader) stop() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.src = nil
	return l.err
}

// readAllFrom reads a manifest into memory, verified.
func readAllFrom(open Opener, desc ocispec.Descriptor, location string) ([]byte, error) {
	if desc.Size > MaxManifest {
		return nil, fmt.Errorf("%s: %w: a manifest of %d bytes, at most %d are accepted", location, ErrInvalidContent, desc.Size, MaxManifest)
	}
	src, err := open()
	if err != nil {
		return nil, fmt.Errorf("%s: reading %s: %w", location, desc.Digest, err)
	}
	defer src.Close()
	return io.ReadAll(newVerifier(src, desc, location))
}

func checkContent(location string, desc ocispec.Descriptor, content []byte) error {
	if err := checkDescriptor(location, desc); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, newVerifier(bytes.NewReader(content), desc, location))
	return err
}
