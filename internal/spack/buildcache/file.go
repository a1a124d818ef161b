package buildcache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"esd/internal/oci"
)

// fileTransport is a cache in a directory. Objects appear under their names by rename,
// complete and on disk; what is being written is in .tmp.
type fileTransport struct {
	dir   string
	clock oci.Clock
	sweep sync.Once
}

const (
	tempDir = ".tmp"
	// leftoverAge is after how long what a killed writer left may be removed.
	leftoverAge = 24 * time.Hour
)

func (t *fileTransport) location() string { return "file://" + t.dir }

func (t *fileTransport) path(name string) string {
	return filepath.Join(t.dir, filepath.FromSlash(name))
}

func (t *fileTransport) explain(name string, err error) error {
	where := t.location() + "/" + name
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return fmt.Errorf("%s: %w", where, ErrNotFound)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w: %w", where, ErrDenied, err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s: %w: %w", where, ErrReadOnly, err)
	}
	return fmt.Errorf("%s: %w", where, err)
}

func infoOf(fi fs.FileInfo) objectInfo {
	return objectInfo{size: fi.Size(), etag: fmt.Sprintf("%d-%d", fi.Size(), fi.ModTime().UnixNano())}
}

func (t *fileTransport) get(_ context.Context, name string, opts getOptions) (*object, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	info, err := t.stat(context.Background(), name) // before open: a pipe would block there
	if err != nil {
		return nil, err
	}
	if opts.ifNoneMatch != "" && info.etag == opts.ifNoneMatch {
		return nil, errNotModified
	}
	f, err := os.Open(t.path(name))
	if err != nil {
		return nil, t.explain(name, err)
	}
	if opts.offset > 0 {
		if _, err := f.Seek(opts.offset, io.SeekStart); err != nil {
			f.Close()
			return nil, t.explain(name, err)
		}
	}
	o := &object{ReadCloser: f, objectInfo: info}
	if opts.length > 0 {
		o.ReadCloser = readCloser{io.LimitReader(f, opts.length), f}
	}
	return o, nil
}

func (t *fileTransport) stat(_ context.Context, name string) (objectInfo, error) {
	if err := checkName(name); err != nil {
		return objectInfo{}, err
	}
	fi, err := os.Stat(t.path(name))
	if err == nil && !fi.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return objectInfo{}, t.explain(name, err)
	}
	return infoOf(fi), nil
}

func (t *fileTransport) put(ctx context.Context, name string, src source) error {
	if err := checkName(name); err != nil {
		return err
	}
	t.sweep.Do(t.removeLeftovers)
	return t.explain(name, t.write(ctx, t.path(name), src))
}

func (t *fileTransport) write(ctx context.Context, target string, src source) error {
	in, err := src.open()
	if err != nil {
		return err
	}
	defer in.Close()
	temp := filepath.Join(t.dir, tempDir, rand.Text())
	if err := os.MkdirAll(filepath.Dir(temp), 0o777); err != nil {
		return err
	}
	out, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	_, err = io.Copy(out, contextReader{ctx, in})
	if err == nil {
		err = out.Sync()
	}
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o777); err != nil {
		return err
	}
	if err := os.Rename(temp, target); err != nil {
		return err
	}
	return syncDir(filepath.Dir(target))
}

// syncDir makes a new name last. File systems that cannot do it do not need it.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return err
	}
	return nil
}

// removeLeftovers removes what writers left that were killed.
func (t *fileTransport) removeLeftovers() {
	all, _ := os.ReadDir(filepath.Join(t.dir, tempDir))
	for _, e := range all {
		fi, err := e.Info()
		if err == nil && fi.Mode().IsRegular() && t.clock.Now().Sub(fi.ModTime()) > leftoverAge {
			_ = os.Remove(filepath.Join(t.dir, tempDir, e.Name()))
		}
	}
}

func (t *fileTransport) remove(_ context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	err := os.Remove(t.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return t.explain(name, err)
}

func (t *fileTransport) list(ctx context.Context, prefix string, yield func(string, objectInfo) error) error {
	if err := checkName(prefix); err != nil {
		return err
	}
	err := filepath.WalkDir(t.path(prefix), func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return nil
		}
		// Sizes are not asked for: that would be a system call for each of what may be
		// 100,000 files.
		return yield(filepath.ToSlash(strings.TrimPrefix(p, t.dir+string(filepath.Separator))), objectInfo{size: -1})
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was pushed yet
	}
	return err
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (c contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// readCloser joins a reader with what has to be closed behind it.
type readCloser struct {
	io.Reader
	io.Closer
}
