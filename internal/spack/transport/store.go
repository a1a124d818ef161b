package transport

import (
	"context"
	"fmt"

	"esd/internal/oci"
)

// Store is a place with objects. All methods may be called from several goroutines, and
// repeat what fails for a cause that may pass.
type Store struct {
	backend backend
	policy  oci.RetryPolicy
	clock   oci.Clock
}

// Location names the store for people, without secrets.
func (s *Store) Location() string { return s.backend.location() }

// Where names an object of the store for people, without secrets.
func (s *Store) Where(name string) string { return at(s.Location(), name) }

// Get opens an object, or a part of it: [ErrNotModified] when it is still what
// IfNoneMatch says, [ErrRange] when it ends before Offset. Connections that break later
// are not taken up again: see [Store.Read].
func (s *Store) Get(ctx context.Context, name string, opts GetOptions) (o *Object, err error) {
	err = s.again(ctx, name, func() error {
		o, err = s.backend.get(ctx, name, opts)
		return err
	})
	return o, err
}

// Read opens an object from a byte on; connections that break are taken up again.
func (s *Store) Read(ctx context.Context, name string, from int64) (*Reader, error) {
	open := func(from int64) (*Object, error) { return s.Get(ctx, name, GetOptions{Offset: from}) }
	return Resume(ctx, open, ResumeOptions{From: from, Retry: s.policy, Clock: s.clock})
}

// ReadAll reads an object of at most limit bytes, and again when it was cut short.
func (s *Store) ReadAll(ctx context.Context, name string, limit int64, opts GetOptions) (text []byte, info Info, err error) {
	err = s.again(ctx, name, func() error {
		o, err := s.backend.get(ctx, name, opts)
		if err != nil {
			return err
		}
		defer o.Close()
		text, err = ReadLimited(o, s.Where(name), limit)
		info = o.Info
		return err
	})
	return text, info, err
}

// Stat gives size and etag of an object.
func (s *Store) Stat(ctx context.Context, name string) (info Info, err error) {
	err = s.again(ctx, name, func() error {
		info, err = s.backend.stat(ctx, name)
		return err
	})
	return info, err
}

// Put stores an object as a whole: readers see the old one or the new one.
func (s *Store) Put(ctx context.Context, name string, src Source) error {
	if src.Size < 0 {
		return fmt.Errorf("%s: %w: an object of %d bytes", s.Where(name), ErrInvalid, src.Size)
	}
	return s.again(ctx, name, func() error { return s.backend.put(ctx, name, src) })
}

// Delete removes an object; one that is not there is no error.
func (s *Store) Delete(ctx context.Context, name string) error {
	return s.again(ctx, name, func() error { return s.backend.remove(ctx, name) })
}

// List calls yield for all objects whose names begin with prefix, which ends with a
// slash, in any order. Where the listing breaks it begins anew: yield may see a name
// twice. Directories do not tell sizes.
func (s *Store) List(ctx context.Context, prefix string, yield func(name string, info Info) error) error {
	return s.again(ctx, prefix, func() error { return s.backend.list(ctx, prefix, yield) })
}

func (s *Store) again(ctx context.Context, name string, op func() error) error {
	page, _ := s.backend.(*httpBackend)
	switch one := page != nil && page.whole; {
	case one && name != "":
		return fmt.Errorf("%s: %w: it is one object", s.Where(name), ErrNotFound)
	case !one:
		if err := CheckName(name); err != nil {
			return err
		}
	}
	return retry(ctx, s.policy, s.clock, s.Where(name), op)
}
