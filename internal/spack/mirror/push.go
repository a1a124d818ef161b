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

// knowledge is what was learnt of a file on the way.
type knowledge struct {
	places   map[origin]bool // whether it is there, as it should be
	verified bool            // whether what is here was
}

func newKnowledge() *knowledge { return &knowledge{places: map[origin]bool{}} }

// learn takes note of how reading a file ended.
func (k *knowledge) learn(o origin, err error) {
	var damaged *DigestError
	switch {
	case err == nil:
		k.places[o] = true
	case errors.Is(err, transport.ErrNotFound), errors.As(err, &damaged):
		k.places[o] = false
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
func (f *fetcher) share(ctx context.Context, s Source, from string, count int64, known *knowledge) error {
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
func (f *fetcher) push(ctx context.Context, m *Mirror, s Source, known *knowledge) (size int64, err error) {
	info, err := os.Stat(f.local(s.Path))
	if err != nil {
		return 0, err
	}
	there, asked := known.places[origin{m.store, s.Path}]
	if !asked {
		if there, err = isThere(ctx, m.store, s, info.Size()); err != nil {
			return 0, err
		}
	}
	if there {
		return 0, nil
	}
	file := f.file(s, info.Size())
	if !known.verified && s.Digest != "" {
		if err := verify(ctx, file); err != nil {
			return 0, err
		}
		known.verified = true
	}
	return info.Size(), m.store.Put(ctx, s.Path, file)
}

// verify reads a file to its end, before any of it goes elsewhere.
func verify(ctx context.Context, file transport.Source) error {
	in, err := file.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(io.Discard, transport.WithContext(ctx, in))
	return err
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

// file is a file of the mirror that is filled. Where it is not what it should be reading
// fails, and nothing is stored.
func (f *fetcher) file(s Source, size int64) transport.Source {
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
