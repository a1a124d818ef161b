package artifact

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Put implements Cache.
func (c *dirCache) Put(ctx context.Context, rec Record, open Opener) (Record, error) {
	if rec.FormatVersion == 0 {
		rec.FormatVersion = FormatVersion
	}
	data, err := checkAndEncode(rec)
	if err != nil {
		return Record{}, err
	}
	switch existing, err := c.sound(ctx, rec.Key); {
	case err == nil:
		return existing, nil
	case !isMissing(err):
		return Record{}, err
	case isNewer(err):
		return Record{}, err // not ours to replace
	}
	c.sweep.Do(c.sweepLeftovers)
	if err := c.putBlob(ctx, rec, open); err != nil {
		return Record{}, c.writeError(err)
	}
	kept, err := c.putRecord(ctx, rec, data)
	if err != nil {
		return Record{}, c.writeError(err)
	}
	return kept, nil
}

func checkAndEncode(rec Record) ([]byte, error) {
	if err := rec.Validate(); err != nil {
		return nil, err
	}
	return rec.encode()
}

func isNewer(err error) bool {
	var version *VersionError
	return errors.As(err, &version)
}

// sound gives the record of a key when its archive is there, in full length.
func (c *dirCache) sound(ctx context.Context, key string) (Record, error) {
	rec, err := c.Get(ctx, key)
	if err != nil {
		return Record{}, err
	}
	if !c.hasBlob(rec.Archive) {
		return Record{}, &CorruptError{Location: c.dir, Key: key, Reason: "its archive is gone or cut short"}
	}
	return rec, nil
}

func (c *dirCache) hasBlob(d Descriptor) bool {
	info, err := os.Stat(c.blobPath(d.Digest))
	return err == nil && info.Mode().IsRegular() && info.Size() == d.Size
}

// putBlob stores the archive, unless it is there already.
func (c *dirCache) putBlob(ctx context.Context, rec Record, open Opener) error {
	if c.hasBlob(rec.Archive) {
		return nil
	}
	src, err := open()
	if err != nil {
		return fmt.Errorf("opening the product: %w", err)
	}
	defer src.Close()
	checked := newVerifier(src, rec.Archive, func(reason string) error {
		return fmt.Errorf("the product to store is not what its record says: %s", reason)
	})
	tmp, err := c.writeTemp(contextReader{ctx, checked})
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	return c.place(tmp, c.blobPath(rec.Archive.Digest), os.Rename)
}

// putRecord stores the record if there is none, and gives the one that is there. The
// link decides between writers: only one can make the name.
func (c *dirCache) putRecord(ctx context.Context, rec Record, data []byte) (Record, error) {
	tmp, err := c.writeTemp(bytes.NewReader(data))
	if err != nil {
		return Record{}, err
	}
	defer os.Remove(tmp)
	name := c.recordPath(rec.Key)
	err = c.place(tmp, name, os.Link)
	if errors.Is(err, fs.ErrExist) {
		existing, soundErr := c.sound(ctx, rec.Key)
		if soundErr == nil {
			return existing, nil
		}
		if isNewer(soundErr) {
			return Record{}, soundErr
		}
	}
	if err != nil { // damaged, or a file system without links
		err = c.place(tmp, name, os.Rename)
	}
	return rec, err
}

// place gives a finished file its name, and makes sure that the name lasts.
func (c *dirCache) place(tmp, name string, how func(from, to string) error) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := how(tmp, name); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // not every file system can
		return err
	}
	return nil
}

// writeTemp writes r to a new file in tmp and to the disk. Modes are left to the umask:
// it decides who shares the cache.
func (c *dirCache) writeTemp(r io.Reader) (name string, err error) {
	dir := filepath.Join(c.dir, "tmp")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	f, err := os.OpenFile(filepath.Join(dir, rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return "", err
	}
	_, err = io.CopyBuffer(onlyWriter{f}, r, make([]byte, copyBuffer))
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

const copyBuffer = 256 << 10

// onlyWriter hides ReadFrom, so that io.CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }

// contextReader notices cancellation between two reads.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// writeError says what to do about the usual reasons why writing fails.
func (c *dirCache) writeError(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("cache %s: %w: %w; choose another directory, or set push = false", c.dir, ErrReadOnly, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("cache %s: no space left: %w; free some, or move the cache to a larger file system", c.dir, err)
	default:
		return fmt.Errorf("cache %s: %w", c.dir, err)
	}
}

// leftoverAge is when a file in tmp has no writer any more. Writers touch theirs with
// every byte they write.
const leftoverAge = 24 * time.Hour

// sweepLeftovers removes what writers that were killed left in tmp.
func (c *dirCache) sweepLeftovers() {
	dir := filepath.Join(c.dir, "tmp")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && c.clock().Sub(info.ModTime()) > leftoverAge {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}
