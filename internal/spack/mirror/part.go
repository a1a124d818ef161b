//go:build unix

package mirror

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// part is an incomplete file, the hash of what is there of it, and the lock on
// both: other processes wait until it is closed.
type part struct {
	*os.File
	size int64
	hash hash.Hash
}

// openPart opens what an earlier run left, or begins. It waits while another
// process has the same one.
func openPart(ctx context.Context, name, digest string) (*part, error) {
	f, err := openLocked(ctx, name)
	if err != nil {
		return nil, err
	}
	p := &part{File: f, hash: newHash(digest)}
	if p.size, err = io.Copy(p.hash, f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return p, nil
}

// openLocked opens and locks a file. Who had the lock before may have moved the
// file away meanwhile: then there is another one to open.
func openLocked(ctx context.Context, name string) (*os.File, error) {
	for {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
		if errors.Is(err, fs.ErrNotExist) { // another process tidied up
			if err := makeDir(filepath.Dir(name)); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil, errors.Is(err, unix.ENOLCK), errors.Is(err, unix.EOPNOTSUPP): // or a file system without locks
			if sameFile(f, name) {
				return f, nil
			}
		case errors.Is(err, unix.EWOULDBLOCK):
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
				_ = f.Close()
				return nil, fmt.Errorf("another process fetches %s: %w", filepath.Base(name), context.Cause(ctx))
			}
		case !errors.Is(err, unix.EINTR):
			_ = f.Close()
			return nil, fmt.Errorf("locking %s: %w", name, err)
		}
		_ = f.Close()
	}
}

// makeDir makes a directory that other processes may make, and remove, at the same time:
// it need not be there for long.
func makeDir(dir string) error {
	err := os.MkdirAll(dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		if info, statErr := os.Lstat(dir); statErr != nil || info.IsDir() {
			return nil
		}
	}
	return err
}

func sameFile(f *os.File, name string) bool {
	here, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(name)
	return err == nil && os.SameFile(here, there)
}

// Write implements io.Writer.
func (p *part) Write(b []byte) (int, error) {
	n, err := p.File.Write(b)
	p.hash.Write(b[:n])
	p.size += int64(n)
	return n, err
}

// ReadFrom hides that of os.File, which would pass the hash by.
func (p *part) ReadFrom(r io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{p}, r, make([]byte, 128<<10))
}

func (p *part) restart() error {
	p.size = 0
	p.hash.Reset()
	if err := p.Truncate(0); err != nil {
		return err
	}
	_, err := p.Seek(0, io.SeekStart)
	return err
}

func (p *part) digest() string { return hex.EncodeToString(p.hash.Sum(nil)) }

func (p *part) isWebPage() bool {
	head := make([]byte, 64)
	n, _ := p.ReadAt(head, 0) // what cannot be read is none
	text := strings.ToLower(strings.TrimSpace(string(head[:n])))
	return strings.HasPrefix(text, "<!doctype html") || strings.HasPrefix(text, "<html")
}

// commit puts a complete file into place.
func (p *part) commit(to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := p.Sync(); err != nil {
		return err
	}
	return os.Rename(p.Name(), to)
}

// close gives up the lock; what is worth nothing to the next run is removed.
func (p *part) close() {
	if p.size == 0 && sameFile(p.File, p.Name()) {
		_ = os.Remove(p.Name())
	}
	_ = p.File.Close()
}
