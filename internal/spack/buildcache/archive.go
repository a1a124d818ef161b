package buildcache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"esd/internal/spack/transport"
)

// Archive opens the archive of an entry as it is stored: a compressed tar. Nothing
// that was read may be trusted before io.EOF: content that is not what the entry says
// ends with a [*DigestError] in its place. A connection that is cut is taken up again
// where it broke. The caller closes.
func (c *Cache) Archive(ctx context.Context, e Entry) (io.ReadCloser, error) {
	b, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	if e, err = c.Resolve(ctx, e); err != nil {
		return nil, err
	}
	d, err := transport.Resume(ctx, func(from int64) (*transport.Object, error) {
		return b.archive(ctx, e, transport.GetOptions{Offset: from})
	}, transport.ResumeOptions{Retry: c.opts.Retry, Clock: c.opts.Clock})
	if err != nil {
		return nil, missingArchive(ctx, b, err, e)
	}
	where := c.where + ": archive of " + e.ID()
	if d.Size >= 0 && e.Archive.Size >= 0 && d.Size != e.Archive.Size {
		d.Close()
		return nil, &DigestError{Location: where, Expected: e.Archive.SHA256, ExpectedSize: e.Archive.Size, ActualSize: d.Size}
	}
	return readCloser{newVerifier(d, e.Archive, where), d}, nil
}

// missingArchive words the case that an archive is not there: the entry was replaced,
// or deleted, or its archive was lost.
func missingArchive(ctx context.Context, b backend, err error, e Entry) error {
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	now, findErr := b.find(ctx, e.key)
	switch {
	case findErr == nil && now.Archive.SHA256 != e.Archive.SHA256:
		return fmt.Errorf("%s: %w", e.ID(), ErrChanged)
	case errors.Is(findErr, ErrNotFound):
		return fmt.Errorf("%s was deleted since it was looked up: %w", e.ID(), err)
	}
	return fmt.Errorf("the entry of %s is there, but its archive is gone: %w", e.ID(), err)
}

// ArchiveHead gives the first n bytes of an archive, or all when it is shorter. They
// are not verified: good for a hint, such as the prefix in the first names of the tar.
func (c *Cache) ArchiveHead(ctx context.Context, e Entry, n int64) ([]byte, error) {
	b, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	if e, err = c.Resolve(ctx, e); err != nil {
		return nil, err
	}
	o, err := b.archive(ctx, e, transport.GetOptions{Length: max(n, 1)})
	if err != nil {
		return nil, missingArchive(ctx, b, err, e)
	}
	defer o.Close()
	head, err := io.ReadAll(io.LimitReader(o, n))
	if err != nil {
		return nil, fmt.Errorf("%s: archive of %s: %w", c.where, e.ID(), err)
	}
	return head, nil
}

// verifier passes content through and checks it against a blob.
type verifier struct {
	src   io.Reader
	blob  Blob
	where string
	hash  hash.Hash
	n     int64
	err   error // what reading ended with
}

func newVerifier(src io.Reader, blob Blob, where string) *verifier {
	return &verifier{src: src, blob: blob, where: where, hash: sha256.New()}
}

// Read implements io.Reader. The last bytes are held back when they are wrong, so that
// nobody who knows the size takes them for good.
func (v *verifier) Read(p []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	n, err := v.src.Read(p)
	v.n += int64(n)
	v.hash.Write(p[:n])
	sized := v.blob.Size >= 0
	switch {
	case sized && v.n > v.blob.Size:
		v.err = v.wrong("")
		return 0, v.err
	case sized && v.n == v.blob.Size && n > 0, errors.Is(err, io.EOF):
		if wrong := v.check(); wrong != nil {
			v.err = wrong
			return 0, wrong
		}
	}
	v.err = err
	return n, err
}

func (v *verifier) check() error {
	if v.blob.Size >= 0 && v.n != v.blob.Size {
		return v.wrong("")
	}
	if got := hex.EncodeToString(v.hash.Sum(nil)); got != v.blob.SHA256 {
		return v.wrong(got)
	}
	return nil
}

func (v *verifier) wrong(got string) error {
	return &DigestError{
		Location: v.where, Expected: v.blob.SHA256, Actual: got,
		ExpectedSize: v.blob.Size, ActualSize: v.n,
	}
}

// readCloser joins a reader with what has to be closed behind it.
type readCloser struct {
	io.Reader
	io.Closer
}
