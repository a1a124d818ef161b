package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
)

const (
	maxResumes   = 100     // how often one download is taken up again
	maxErrorBody = 8 << 10 // bytes read of a registry's error message
)

// do sends a request for something below the repository. Reads are made here and not
// with oras, because a cut transfer has to go on where it broke.
func (r *remote) do(ctx context.Context, method, what string, header http.Header) (*http.Response, error) {
	url := fmt.Sprintf("%s://%s/v2/%s/%s", r.scheme, r.repo.Reference.Host(), r.ref.Repository, what)
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	return r.repo.Client.Do(req)
}

// Fetch implements Store.
func (r *remote) Fetch(ctx context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	if err := checkDescriptor(r.Location(), desc); err != nil {
		return nil, err
	}
	d := &download{ctx: ctx, r: r, desc: desc}
	if err := d.open(); err != nil {
		return nil, err
	}
	return readCloser{newVerifier(d, desc, r.Location()), d}, nil
}

// download reads content and takes it up again where the connection broke.
type download struct {
	ctx     context.Context
	r       *remote
	desc    ocispec.Descriptor
	body    io.ReadCloser
	offset  int64
	resumes int
	stuck   int // resumes without a byte in between
}

// open starts or continues the transfer at the present offset.
func (d *download) open() error {
	return d.r.retry(d.ctx, func(ctx context.Context, _ int) error {
		body, err := d.r.get(ctx, d.desc, d.offset)
		d.body = body
		return err
	})
}

// Read implements io.Reader.
func (d *download) Read(p []byte) (int, error) {
	for {
		n, err := d.body.Read(p)
		d.offset += int64(n)
		if n > 0 {
			d.stuck = 0
		}
		if err == nil || errors.Is(err, io.EOF) {
			return n, err
		}
		if n > 0 {
			return n, nil // the broken body repeats its error
		}
		if err := d.resume(err); err != nil {
			return 0, err
		}
	}
}

func (d *download) resume(cause error) error {
	a := &attempt{}
	err := d.r.explain(d.ctx, cause, a)
	var t *transientError
	if !errors.As(err, &t) {
		return err
	}
	d.resumes++
	d.stuck++
	if d.resumes > maxResumes || d.stuck >= d.r.policy.Attempts {
		return t.final(d.r.Location(), d.resumes, 0)
	}
	d.body.Close()
	if err := d.r.clock.Sleep(d.ctx, d.r.policy.wait(d.stuck, 0)); err != nil {
		return fmt.Errorf("%s: %w", d.r.Location(), err)
	}
	if err := d.open(); err != nil {
		d.body = errorBody{err}
		return err
	}
	return nil
}

// Close implements io.Closer.
func (d *download) Close() error { return d.body.Close() }

// errorBody stands in for a body that could not be opened again.
type errorBody struct{ err error }

// Read implements io.Reader.
func (b errorBody) Read([]byte) (int, error) { return 0, b.err }

// Close implements io.Closer.
func (errorBody) Close() error { return nil }

// get requests content from an offset on.
func (r *remote) get(ctx context.Context, desc ocispec.Descriptor, offset int64) (io.ReadCloser, error) {
	ctx = auth.AppendRepositoryScope(ctx, r.repo.Reference, auth.ActionPull)
	what, header := "blobs/"+desc.Digest.String(), http.Header{}
	if isManifest(desc.MediaType) {
		what = "manifests/" + desc.Digest.String()
		header.Set("Accept", desc.MediaType)
	}
	if offset > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := r.do(ctx, http.MethodGet, what, header)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		err = r.checkWhole(resp, desc)
		if err == nil && offset > 0 {
			_, err = io.CopyN(io.Discard, resp.Body, offset)
		}
	case http.StatusPartialContent:
		want := fmt.Sprintf("bytes %d-%d/", offset, desc.Size-1)
		if got := resp.Header.Get("Content-Range"); offset == 0 || !strings.HasPrefix(got, want) {
			err = fmt.Errorf("%s: %w: asked for %s the registry sent %q", r.Location(), ErrInvalidContent, want, abbreviate(got))
		}
	default:
		err = responseError(resp)
	}
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp.Body, nil
}

// checkWhole finds a wrong answer by its header, before its content is transferred.
func (r *remote) checkWhole(resp *http.Response, desc ocispec.Descriptor) error {
	said := digest.Digest(resp.Header.Get("Docker-Content-Digest"))
	if said != "" && said.Validate() == nil && said.Algorithm() == desc.Digest.Algorithm() && said != desc.Digest {
		return &DigestMismatchError{Location: r.Location(), Expected: desc.Digest, Actual: said, ExpectedSize: desc.Size}
	}
	if resp.ContentLength >= 0 && resp.ContentLength != desc.Size {
		return &DigestMismatchError{Location: r.Location(), Expected: desc.Digest, ExpectedSize: desc.Size, ActualSize: resp.ContentLength}
	}
	return nil
}

// Resolve implements Store. A registry that answers without a digest or a size is
// asked for the manifest itself.
func (r *remote) Resolve(ctx context.Context, reference string) (desc ocispec.Descriptor, err error) {
	if digest.Digest(reference).Validate() != nil && !isTag(reference) {
		return desc, fmt.Errorf("%s: %w: %v", r.Location(), ErrInvalidReference, tagError(reference))
	}
	err = r.retry(ctx, func(ctx context.Context, _ int) error {
		desc, err = r.headManifest(ctx, reference)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return desc, fmt.Errorf("%s: %q: %w", r.Location(), reference, ErrNotFound)
	}
	if err == nil && (desc.Size < 0 || desc.Digest.Validate() != nil || desc.MediaType == "") {
		desc, _, err = r.fetchManifest(ctx, reference)
	}
	if want := digest.Digest(reference); err == nil && want.Validate() == nil && desc.Digest != want {
		err = &DigestMismatchError{Location: r.Location(), Expected: want, Actual: desc.Digest, ExpectedSize: desc.Size, ActualSize: desc.Size}
	}
	return desc, err
}

// headManifest asks what a reference names; parts that the registry does not tell stay
// empty, or negative.
func (r *remote) headManifest(ctx context.Context, reference string) (ocispec.Descriptor, error) {
	ctx = auth.AppendRepositoryScope(ctx, r.repo.Reference, auth.ActionPull)
	resp, err := r.do(ctx, http.MethodHead, "manifests/"+reference, acceptManifests())
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return ocispec.Descriptor{}, responseError(resp)
	}
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return ocispec.Descriptor{
		MediaType: mediaType, Size: resp.ContentLength,
		Digest: digest.Digest(resp.Header.Get("Docker-Content-Digest")),
	}, nil
}

func acceptManifests() http.Header {
	return http.Header{"Accept": []string{strings.Join(manifestTypes(), ", ")}}
}

// fetchManifest implements manifestFetcher.
func (r *remote) fetchManifest(ctx context.Context, reference string) (desc ocispec.Descriptor, content []byte, err error) {
	wanted := digest.Digest(reference)
	byDigest := wanted.Validate() == nil
	if !byDigest && !isTag(reference) {
		return desc, nil, fmt.Errorf("%s: %w: %v", r.Location(), ErrInvalidReference, tagError(reference))
	}
	err = r.retry(ctx, func(ctx context.Context, _ int) error {
		desc, content, err = r.getManifest(ctx, reference)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("%s: %q: %w", r.Location(), abbreviate(reference), ErrNotFound)
	}
	if err == nil && byDigest {
		desc.Digest = wanted
		err = checkContent(r.Location(), desc, content)
	}
	return desc, content, err
}

func (r *remote) getManifest(ctx context.Context, reference string) (ocispec.Descriptor, []byte, error) {
	ctx = auth.AppendRepositoryScope(ctx, r.repo.Reference, auth.ActionPull)
	resp, err := r.do(ctx, http.MethodGet, "manifests/"+reference, acceptManifests())
	if err != nil {
		return ocispec.Descriptor{}, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return ocispec.Descriptor{}, nil, responseError(resp)
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, MaxManifest+1))
	if err != nil {
		return ocispec.Descriptor{}, nil, err
	}
	if len(content) > MaxManifest {
		return ocispec.Descriptor{}, nil, fmt.Errorf("%s: %q: %w: the manifest is larger than %d bytes", r.Location(), reference, ErrInvalidContent, MaxManifest)
	}
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if !isManifest(mediaType) {
		if mediaType = sniffMediaType(content); mediaType == "" {
			return ocispec.Descriptor{}, nil, fmt.Errorf("%s: %q: %w: neither a manifest nor an index", r.Location(), reference, ErrInvalidContent)
		}
	}
	desc := Describe(mediaType, content)
	said := digest.Digest(resp.Header.Get("Docker-Content-Digest"))
	if said != "" && said.Validate() == nil && said.Algorithm() == desc.Digest.Algorithm() && said != desc.Digest {
		return ocispec.Descriptor{}, nil, &DigestMismatchError{Location: r.Location(), Expected: said, Actual: desc.Digest, ExpectedSize: desc.Size, ActualSize: desc.Size}
	}
	return desc, content, nil
}

// responseError reads a registry's error message.
func responseError(resp *http.Response) error {
	e := &errcode.ErrorResponse{Method: resp.Request.Method, URL: resp.Request.URL, StatusCode: resp.StatusCode}
	var body struct {
		Errors errcode.Errors `json:"errors"`
	}
	if json.NewDecoder(io.LimitReader(resp.Body, maxErrorBody)).Decode(&body) == nil {
		e.Errors = body.Errors
	}
	return e
}
