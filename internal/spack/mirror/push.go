package mirror

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"esd/internal/spack/transport"
)

// knowledge is what asking mirrors told of files: whether they are there, as they
// should be.
type knowledge map[origin]bool

// learn takes note of how reading a file ended.
func (k knowledge) learn(o origin, err error) {
	var damaged *DigestError
	switch {
	case err == nil:
		k[o] = true
	case errors.Is(err, transport.ErrNotFound), errors.As(err, &damaged):
		k[o] = false
	}
}

// pushes reports whether any mirror takes sources.
func (f *fetcher) pushes() bool {
	for _, m := range f.Mirrors {
		if m.push {
			return true
		}
	}
	return false
}

// share brings a file that is here to all mirrors that take it, and tells of it.
func (f *fetcher) share(ctx context.Context, s Source, from string, count int64, known knowledge) error {
	e := Event{Source: s, From: from, Bytes: count}
	for _, m := range f.Mirrors {
		if !m.push {
			continue
		}
		size, err := f.push(ctx, m, s, known)
		m.learn(err, f.Transport.Clock)
		if err != nil {
			return fmt.Errorf("storing a source of %s in the mirror %s: %w", s.Package, m.store.Location(), err)
		}
		if size > 0 {
			e.To = append(e.To, m.store.Location())
			e.Size = size
		}
	}
	f.tell(e)
	return nil
}

// push stores a file that is here in a mirror, unless it is there, and gives its size.
func (f *fetcher) push(ctx context.Context, m *Mirror, s Source, known knowledge) (size int64, err error) {
	info, err := os.Stat(f.local(s.Path))
	if err != nil {
		return 0, err
	}
	there, asked := known[origin{m.store, s.Path}]
	if !asked {
		if there, err = isThere(ctx, m.store, s, info.Size()); err != nil {
			return 0, err
		}
	}
	if there {
		return 0, nil
	}
	return info.Size(), m.store.Put(ctx, s.Path, f.verified(s, info.Size()))
}

// isThere asks whether a mirror has a file. One with a digest is there in full only:
// not all that fill mirrors do so at once. Checkouts are packed anew each time.
func isThere(ctx context.Context, store *transport.Store, s Source, size int64) (bool, error) {
	info, err := store.Stat(ctx, s.Path)
	switch {
	case errors.Is(err, transport.ErrNotFound), errors.Is(err, transport.ErrDenied): // as S3 says of what is not there
		return false, nil
	case err != nil:
		return false, err
	}
	return s.Digest == "" || info.Size < 0 || info.Size == size, nil
}

// verified reads a file of the mirror that is filled; where it is not what it should be
// reading fails, and nothing is stored.
func (f *fetcher) verified(s Source, size int64) transport.Source {
	return transport.Source{Size: size, Open: func() (io.ReadCloser, error) {
		in, err := os.Open(f.local(s.Path))
		if err != nil || s.Digest == "" {
			return in, err
		}
		verified := transport.Verify(in, size, newHash(s.Digest), func(_ int64, sum []byte) error {
			if actual := hex.EncodeToString(sum); actual != s.Digest {
				return &DigestError{Location: in.Name(), Expected: s.Digest, Actual: actual, Here: true}
			}
			return nil
		})
		return struct {
			io.Reader
			io.Closer
		}{verified, in}, nil
	}}
}
