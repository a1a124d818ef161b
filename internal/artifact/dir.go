package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"esd/internal/oci"
)

// dirCache is a directory:
//
//	blobs/sha256/ab/abcd…        archives, by digest
//	records/01/0123….json        records, by key
//	tmp/                         what is being written
//
// Files appear under their names by rename or link, complete and on disk, so readers
// need no lock, and a writer that is killed leaves no more than a file in tmp.
type dirCache struct {
	dir   string
	clock func() time.Time
	sweep sync.Once
}

func openDir(dir string, opts Options) *dirCache { return &dirCache{dir: dir, clock: opts.Clock} }

// Location implements Cache.
func (c *dirCache) Location() string { return c.dir }

func (c *dirCache) blobPath(d digest.Digest) string {
	hex := d.Encoded()
	return filepath.Join(c.dir, "blobs", "sha256", hex[:2], hex)
}

const recordSuffix = ".json"

func (c *dirCache) recordPath(key string) string {
	return filepath.Join(c.dir, "records", key[:2], key+recordSuffix)
}

// Has implements Cache. Opening a file that is not there costs a microsecond, less
// than listing directories would save.
func (c *dirCache) Has(ctx context.Context, keys []string) (map[string]Record, error) {
	found := make(map[string]Record)
	for _, key := range keys {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		rec, err := c.Get(ctx, key)
		if isMissing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[key] = rec
	}
	return found, nil
}

// isMissing tells whether err means that a product has to be built.
func isMissing(err error) bool {
	var corrupt *CorruptError
	var version *VersionError
	return errors.Is(err, ErrNotFound) || errors.As(err, &corrupt) || errors.As(err, &version)
}

// Get implements Cache.
func (c *dirCache) Get(_ context.Context, key string) (Record, error) {
	if err := checkKey(key); err != nil {
		return Record{}, err
	}
	f, err := os.Open(c.recordPath(key))
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, fmt.Errorf("cache %s: %s: %w", c.dir, abbreviate(key), ErrNotFound)
	}
	if err != nil {
		return Record{}, fmt.Errorf("cache %s: %w", c.dir, err)
	}
	defer f.Close()
	return readRecord(f, c.dir, key)
}

// Open implements Cache. A product found to be damaged is taken out of the cache, so
// that every process knows.
func (c *dirCache) Open(_ context.Context, rec Record) (io.ReadCloser, error) {
	if err := rec.Validate(); err != nil {
		return nil, err
	}
	corrupt := func(seen fs.FileInfo) func(string) error {
		return func(reason string) error {
			c.discard(rec, seen)
			return &CorruptError{Location: c.dir, Key: rec.Key, Reason: reason}
		}
	}
	f, err := os.Open(c.blobPath(rec.Archive.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, corrupt(nil)("its archive is gone")
	}
	if err != nil {
		return nil, fmt.Errorf("cache %s: %w", c.dir, err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("cache %s: %w", c.dir, err)
	}
	return newVerifier(f, rec.Archive, corrupt(info)), nil
}

// discard removes a damaged product: the record first, then the archive, unless it was
// replaced meanwhile by another writer. In a directory that cannot be written it stays,
// and everybody finds out for themselves.
func (c *dirCache) discard(rec Record, seen fs.FileInfo) {
	if current, err := c.Get(context.Background(), rec.Key); err == nil && current.Archive.Digest == rec.Archive.Digest {
		_ = os.Remove(c.recordPath(rec.Key))
	}
	blob := c.blobPath(rec.Archive.Digest)
	if now, err := os.Stat(blob); err == nil && seen != nil && os.SameFile(now, seen) {
		_ = os.Remove(blob)
	}
}

// Delete implements Cache. Archives that no other record names go, too, which takes
// one look at all records: delete many keys at once.
func (c *dirCache) Delete(ctx context.Context, keys ...string) error {
	orphans := map[digest.Digest]bool{}
	for _, key := range keys {
		rec, err := c.Get(ctx, key)
		switch {
		case err == nil:
			orphans[rec.Archive.Digest] = true
		case errors.Is(err, ErrNotFound):
			continue
		case !isMissing(err):
			return err
		}
		if err := os.Remove(c.recordPath(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return c.writeError(err)
		}
	}
	if len(orphans) == 0 {
		return nil
	}
	for rec, err := range c.List(ctx) {
		var corrupt *CorruptError
		if err != nil && !errors.As(err, &corrupt) {
			return fmt.Errorf("deleting archives: %w", err) // an unread record may name any of them
		}
		delete(orphans, rec.Archive.Digest)
	}
	for d := range orphans {
		if err := os.Remove(c.blobPath(d)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return c.writeError(err)
		}
	}
	return nil
}

// List implements Cache.
func (c *dirCache) List(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		err := filepath.WalkDir(filepath.Join(c.dir, "records"), func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if err := context.Cause(ctx); err != nil {
				return err
			}
			key, isRecord := strings.CutSuffix(d.Name(), recordSuffix)
			if !isRecord || checkKey(key) != nil || !d.Type().IsRegular() {
				return nil
			}
			rec, err := c.Get(ctx, key)
			if errors.Is(err, ErrNotFound) {
				return nil // deleted since the directory was read
			}
			if !yield(rec, err) {
				return fs.SkipAll
			}
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			yield(Record{}, fmt.Errorf("cache %s: %w", c.dir, err))
		}
	}
}

// LocateLayer implements Cache.
func (c *dirCache) LocateLayer(Record) (oci.MountSource, bool) { return oci.MountSource{}, false }
