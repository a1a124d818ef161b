package buildcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"

	"esd/internal/spack"
	"esd/internal/spack/transport"
)

// Archive is a package archive to be pushed: a compressed tar as Spack makes them.
type Archive struct {
	// Open opens it from its beginning; it may be called again and must give the
	// same bytes.
	Open   func() (io.ReadCloser, error)
	SHA256 string // of the bytes as they are, hexadecimal
	Size   int64
	// DiffID and TarSize are sha256 and size of the tar inside. OCI caches need the
	// DiffID; the others keep it as an annotation when it is given.
	DiffID  string
	TarSize int64
}

// PushRequest is a package to be stored.
type PushRequest struct {
	Spec    *spack.Spec
	Specs   spack.Specs // where its dependencies are found, for the spec document
	Archive Archive
	Prefix  string // where the package was installed when the archive was made; optional
	// Env is what a container of the package has in its environment, "NAME=value";
	// OCI caches only. Spack writes the package's run environment; nil is a PATH with
	// the package's bin.
	Env []string
	// Force replaces an entry that is there already. Readers see the old one or the
	// new one at any time.
	Force bool
}

// pushRequest is a checked PushRequest.
type pushRequest struct {
	PushRequest
	doc  specDocument
	blob Blob
	// raw is the signed text of another cache, to be stored as it is, and rawSpec the
	// spec blob that it names.
	raw, rawSpec []byte
}

// annotations are what entries tell beyond what Spack writes.
func (r pushRequest) annotations() map[string]string {
	m := map[string]string{}
	if r.Prefix != "" {
		m[annotationPrefix] = r.Prefix
	}
	if r.Archive.DiffID != "" {
		m[annotationDiffID] = r.Archive.DiffID
	}
	if r.Archive.TarSize > 0 {
		m[annotationTarSize] = strconv.FormatInt(r.Archive.TarSize, 10)
	}
	return m
}

// annotate takes over what annotations of others say, as far as it makes sense.
func (e *Entry) annotate(m map[string]string) {
	if p := m[annotationPrefix]; path.IsAbs(p) && path.Clean(p) == p && len(p) <= 4096 {
		e.Prefix = p
	}
	if d := m[annotationDiffID]; isSHA256(d) {
		e.DiffID = d
	}
	if n, err := strconv.ParseInt(m[annotationTarSize], 10, 64); err == nil && n > 0 {
		e.TarSize = n
	}
}

// Push stores a package: its archive and spec first, what makes them visible last. An
// entry that is there, with its archive, stays, and is given; with Force it is
// replaced. The archive is verified while it is read.
func (c *Cache) Push(ctx context.Context, req PushRequest) (Entry, error) {
	b, err := c.writable(ctx)
	if err != nil {
		return Entry{}, err
	}
	k, checked, err := checkPush(req)
	if err != nil {
		return Entry{}, fmt.Errorf("%s: pushing: %w", c.where, err)
	}
	if !req.Force {
		if e, ok, err := c.sound(ctx, b, k); err != nil || ok {
			return e, err
		}
	}
	if err := checkGeneration(b, k, checked.doc.Spec.Meta.Version); err != nil {
		return Entry{}, err
	}
	e, err := b.push(ctx, k, checked)
	if err != nil {
		return Entry{}, fmt.Errorf("pushing %s: %w", k.id(), err)
	}
	return e, nil
}

func checkPush(req PushRequest) (key, pushRequest, error) {
	if req.Spec == nil || req.Archive.Open == nil {
		return key{}, pushRequest{}, errors.New("there is no spec or no archive")
	}
	k, err := newKey(req.Spec, req.Specs)
	if err != nil {
		return k, pushRequest{}, err
	}
	switch a := req.Archive; {
	case !isSHA256(a.SHA256):
		return k, pushRequest{}, fmt.Errorf("%q is not the sha256 of an archive", abbreviate(a.SHA256))
	case a.DiffID != "" && !isSHA256(a.DiffID):
		return k, pushRequest{}, fmt.Errorf("%q is not the sha256 of a tar", abbreviate(a.DiffID))
	case a.Size <= 0:
		return k, pushRequest{}, fmt.Errorf("an archive of %d bytes", a.Size)
	case req.Spec.IsExternal():
		return k, pushRequest{}, fmt.Errorf("%s is external: the system provides it", req.Spec.ID())
	}
	doc, err := newSpecDocument(req.Spec, req.Specs)
	return k, pushRequest{
		PushRequest: req, doc: doc,
		blob: Blob{SHA256: req.Archive.SHA256, Size: req.Archive.Size, MediaType: mediaArchive},
	}, err
}

// sound gives the entry that is there, if its archive is there too, in full length.
// What is damaged counts as missing, so that pushing mends it.
func (c *Cache) sound(ctx context.Context, b backend, k key) (Entry, bool, error) {
	e, err := b.find(ctx, k)
	switch {
	case isAbsent(err):
		return Entry{}, false, nil
	case err != nil:
		return Entry{}, false, err
	}
	info, err := b.has(ctx, e)
	switch {
	case isAbsent(err), err == nil && info.Size >= 0 && e.Archive.Size >= 0 && info.Size != e.Archive.Size:
		return Entry{}, false, nil
	}
	return e, err == nil, err
}

// verified reads the archive of a request and fails where it is not what it should be.
func (r pushRequest) verified() transport.Source {
	return transport.Source{Size: r.blob.Size, Open: func() (io.ReadCloser, error) {
		in, err := r.Archive.Open()
		if err != nil {
			return nil, fmt.Errorf("opening the archive of %s: %w", r.Spec.ID(), err)
		}
		return readCloser{newVerifier(in, r.blob, "the archive to push of "+r.Spec.ID()), in}, nil
	}}
}
