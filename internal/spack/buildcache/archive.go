package buildcache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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

// newVerifier passes content through and checks it against a blob.
func newVerifier(src io.Reader, blob Blob, where string) io.Reader {
	return transport.Verify(src, blob.Size, sha256.New(), func(n int64, sum []byte) error {
		wrong := &DigestError{Location: where, Expected: blob.SHA256, ExpectedSize: blob.Size, ActualSize: n}
		if blob.Size >= 0 && n != blob.Size {
			return wrong
		}
		if wrong.Actual = hex.EncodeToString(sum); wrong.Actual != blob.SHA256 {
			return wrong
		}
		return nil
	})
}

// readCloser joins a reader with what has to be closed behind it.
type readCloser struct {
	io.Reader
	io.Closer
}
