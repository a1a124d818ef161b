// Package local keeps a state in a file.
//
// Beside the file PATH stand, as needed: PATH.backup, the version before;
// PATH.lock, which says who holds the lock and exists only while somebody does;
// PATH.guard, an empty file whose lock makes the short critical sections below
// exclusive.
//
// The holder of the state keeps an flock(2) on PATH.lock. The kernel drops it
// when the process ends, however it ends, so nobody has to clean up after a
// kill; the name that the dead holder left in the file shows what happened.
// flock alone could not be taken away from a process that hangs, so
// force-unlock removes PATH.lock. A holder is who finds its own ID in PATH.lock,
// and it looks there, under the guard, in the same critical section in which it
// renames the new state into place. So a former holder cannot write.
//
// On file systems without flock the lock is the existence of PATH.lock alone;
// a dead holder is then recognized by its process number, on its own host only.
package local

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"esd/internal/state"
	"esd/internal/state/backend"
)

// Backend is a state in a file. It implements backend.Backend.
type Backend struct {
	path  string
	flock flockFunc

	mu   sync.Mutex
	seen *version
}

// version is the file as it was last read in full or written, so that a write
// need not read 100,000 objects again to know that it may replace them.
type version struct {
	info   fs.FileInfo
	header state.Header
}

func (v *version) is(info fs.FileInfo) bool {
	return v != nil && os.SameFile(v.info, info) && v.info.Size() == info.Size() &&
		v.info.ModTime().Equal(info.ModTime())
}

// New returns the state in the file at path. Nothing is touched: directory and
// files are made by the first lock.
func New(path string) *Backend {
	return &Backend{path: path, flock: flock}
}

var _ backend.Backend = (*Backend)(nil)

// Path is the path of the file.
func (b *Backend) Path() string { return b.path }

func (b *Backend) backupPath() string { return b.path + ".backup" }
func (b *Backend) lockPath() string   { return b.path + ".lock" }
func (b *Backend) guardPath() string  { return b.path + ".guard" }

// Read implements backend.Backend. It takes no lock and writes nothing: the
// file is only ever replaced as a whole, so an open one is a snapshot.
func (b *Backend) Read(ctx context.Context) (*state.State, backend.Meta, error) {
	if err := ctx.Err(); err != nil {
		return nil, backend.Meta{}, err
	}
	data, info, err := readFile(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, backend.Meta{}, nil
	}
	if err != nil {
		return nil, backend.Meta{}, fmt.Errorf("read state: %w", err)
	}
	s, err := state.Decode(data, b.path)
	if err != nil {
		return nil, backend.Meta{}, b.advise(err)
	}
	b.remember(info, s.Header())
	sum := sha256.Sum256(data)
	return s, backend.Meta{Location: b.path, Size: int64(len(data)), Digest: hex.EncodeToString(sum[:])}, nil
}

// readFile reads a regular file of bounded size. A missing one is fs.ErrNotExist.
func readFile(path string) ([]byte, fs.FileInfo, error) {
	// A look before opening: opening a named pipe would wait for a writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is no regular file (%s)", path, info.Mode().Type())
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, nil, err
	}
	if info.Size() > state.MaxSize {
		return nil, nil, &state.FormatError{Source: path, Err: state.ErrTooLarge,
			Detail: fmt.Sprintf("%d bytes, the limit is %d", info.Size(), state.MaxSize), Fix: "check the path of the state"}
	}
	data := make([]byte, 0, info.Size()+1)
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF || len(data) > state.MaxSize {
			return data, info, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
}

// advise adds to an error about an unreadable state whether the backup is good.
func (b *Backend) advise(err error) error {
	var format *state.FormatError
	if !errors.As(err, &format) || errors.Is(err, state.ErrForeign) {
		return err
	}
	data, info, backupErr := readFile(b.backupPath())
	if backupErr != nil {
		return err
	}
	s, backupErr := state.Decode(data, b.backupPath())
	if backupErr != nil {
		return err
	}
	format.Fix = fmt.Sprintf("correct it there, or copy the previous version over it, which is intact in %s (serial %d, of %s)",
		b.backupPath(), s.Serial, info.ModTime().UTC().Format(time.RFC3339))
	return err
}

func (b *Backend) remember(info fs.FileInfo, h state.Header) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = &version{info: info, header: h}
}

// recorded returns the header of the recorded state, nil when there is none.
// What cannot be read is an error.
func (b *Backend) recorded(ctx context.Context) (*state.Header, error) {
	info, err := os.Stat(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	seen := b.seen
	b.mu.Unlock()
	if !seen.is(info) {
		s, _, err := b.Read(ctx)
		if s == nil || err != nil {
			return nil, err
		}
		h := s.Header()
		return &h, nil
	}
	return &seen.header, nil
}

// absolute is the path that others see in the lock.
func (b *Backend) absolute() string {
	if abs, err := filepath.Abs(b.path); err == nil {
		return abs
	}
	return b.path
}
