package transport

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

// fileBackend is a store in a directory. Objects appear under their names by rename,
// complete and on disk; what is being written is in .tmp.
type fileBackend struct {
	dir   string
	clock oci.Clock
	sweep sync.Once
}

const (
	tempDir = ".tmp"
	// leftoverAge is after how long what a killed writer left may be removed.
	leftoverAge = 24 * time.Hour
)

func (t *fileBackend) location() string { return "file://" + t.dir }

func (t *fileBackend) path(name string) string {
	return filepath.Join(t.dir, filepath.FromSlash(name))
}

func (t *fileBackend) explain(name string, err error) error {
	where := t.location() + "/" + name
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return fmt.Errorf("%s: %w", where, ErrNotFound)
	case errors.Is(err, fs.ErrPermission):
		// Not ErrDenied, which S3 also says of what is not there.
		return fmt.Errorf("%s: %w; let this user (uid %d) in, by the modes, groups or ACLs of the file and of the directories above it", where, err, os.Getuid())
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s: %w: %w", where, ErrReadOnly, err)
	}
	return fmt.Errorf("%s: %w", where, err)
}

func infoOf(fi fs.FileInfo) Info {
	return Info{Size: fi.Size(), ETag: fmt.Sprintf("%d-%d", fi.Size(), fi.ModTime().UnixNano())}
}

func (t *fileBackend) get(_ context.Context, name string, opts GetOptions) (*Object, error) {
	info, err := t.stat(context.Background(), name) // before open: a pipe would block there
	if err != nil {
		return nil, err
	}
	if opts.IfNoneMatch != "" && info.ETag == opts.IfNoneMatch {
		return nil, ErrNotModified
	}
	f, err := os.Open(t.path(name))
	if err != nil {
		return nil, t.explain(name, err)
	}
	if opts.Offset > info.Size {
		f.Close()
		return nil, fmt.Errorf("%s: %w: it has %d bytes", at(t.location(), name), ErrRange, info.Size)
	}
	if opts.Offset > 0 {
		if _, err := f.Seek(opts.Offset, io.SeekStart); err != nil {
			f.Close()
			return nil, t.explain(name, err)
		}
	}
	o := &Object{ReadCloser: f, Info: info}
	if opts.Length > 0 {
		o.ReadCloser = limitedBody{io.LimitReader(f, opts.Length), f}
	}
	return o, nil
}

func (t *fileBackend) stat(_ context.Context, name string) (Info, error) {
	fi, err := os.Stat(t.path(name))
	if err == nil && !fi.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return Info{}, t.explain(name, err)
	}
	return infoOf(fi), nil
}

func (t *fileBackend) put(ctx context.Context, name string, src Source) error {
	t.sweep.Do(t.removeLeftovers)
	body, err := openSource(src)
	if err != nil {
		return err
	}
	defer body.Close()
	err = t.write(ctx, t.path(name), body)
	if failure := body.failure(); failure != nil {
		return failure
	}
	return t.explain(name, err)
}

func (t *fileBackend) write(ctx context.Context, target string, body io.Reader) error {
	temp := filepath.Join(t.dir, tempDir, rand.Text())
	if err := os.MkdirAll(filepath.Dir(temp), 0o777); err != nil {
		return err
	}
	out, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	_, err = io.Copy(out, contextReader{ctx, body})
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
func (t *fileBackend) removeLeftovers() {
	all, _ := os.ReadDir(filepath.Join(t.dir, tempDir))
	for _, e := range all {
		fi, err := e.Info()
		if err == nil && fi.Mode().IsRegular() && t.clock.Now().Sub(fi.ModTime()) > leftoverAge {
			_ = os.Remove(filepath.Join(t.dir, tempDir, e.Name()))
		}
	}
}

func (t *fileBackend) remove(_ context.Context, name string) error {
	err := os.Remove(t.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return t.explain(name, err)
}

func (t *fileBackend) list(ctx context.Context, prefix string, yield func(string, Info) error) error {
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
		return yield(filepath.ToSlash(strings.TrimPrefix(p, t.dir+string(filepath.Separator))), Info{Size: -1})
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was pushed yet
	}
	if errors.Is(err, fs.ErrPermission) {
		return t.explain(prefix, err)
	}
	return err
}

// limitedBody is the beginning of an open object.
type limitedBody struct {
	io.Reader
	io.Closer
}
