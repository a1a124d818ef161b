package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// update changes the database under Spack's lock. What change leaves in the
// records is written, unless it gives an error or false.
func (s *Store) update(ctx context.Context, change func(*Records) (bool, error)) error {
	err := s.locked(ctx, func() error {
		before, err := s.read()
		if err != nil {
			return err
		}
		after := before.clone()
		if changed, err := change(after); err != nil || !changed {
			return err
		}
		return s.write(after)
	})
	if err != nil {
		return fmt.Errorf("change the install tree %s: %w", s.unpadded, err)
	}
	return nil
}

// locked runs f while nobody else may change the database.
func (s *Store) locked(ctx context.Context, f func() error) (err error) {
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := s.makeTree(); err != nil {
		return err
	}
	if err := s.database.lock(ctx, wholeFile, exclusive, "the database of the install tree "+s.unpadded, s.opts.LockTimeout); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.database.release(wholeFile)) }()
	return f()
}

// makeTree makes the root and the directory of the database.
func (s *Store) makeTree() error {
	err := os.MkdirAll(s.dbPath(""), 0o777)
	if errors.Is(err, fs.ErrPermission) || isReadOnlyFS(err) {
		return fmt.Errorf("%w by this user: %w", ErrReadOnly, err)
	}
	return err
}

// write replaces the database. The verifier is gone while that happens, which
// makes every reader read anew: one who is killed here leaves nobody with an
// old database that is believed to be new.
func (s *Store) write(records *Records) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	size := 1 << 12
	if s.seen.info != nil {
		size += int(s.seen.info.Size())
	}
	data, err := appendRecords(make([]byte, 0, size), records)
	if err != nil {
		return err
	}
	s.cached = nil
	index, verifier := s.dbPath("index.json"), s.dbPath("index_verifier")
	temporary, err := writeTemporary(index, data)
	if err != nil {
		return err
	}
	defer os.Remove(temporary) // it is gone unless something failed
	if err := os.Remove(verifier); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(temporary, index); err != nil {
		return err
	}
	id := newVerifier()
	if err := errors.Join(syncDir(filepath.Dir(index)), replaceFile(verifier, []byte(id))); err != nil {
		return err
	}
	if info, err := os.Stat(index); err == nil { // so that it need not be read again
		s.cached, s.seen = records, identity{id, info}
	}
	return nil
}

// writeTemporary writes and syncs a file beside path, with its mode. The name
// is always the same, because only who has the lock is here; what somebody who
// was killed left is overwritten.
func writeTemporary(path string, data []byte) (string, error) {
	name := path + ".temp"
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return "", err
	}
	if info, statErr := os.Stat(path); statErr == nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(name))
	}
	return name, nil
}

// replaceFile puts data in place of what is at path.
func replaceFile(path string, data []byte) error {
	temporary, err := writeTemporary(path, data)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// newVerifier is a random UUID, as Spack writes it.
func newVerifier() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
