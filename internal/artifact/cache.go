package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"esd/internal/oci"
)

// Opener opens an archive for reading from its beginning; it may be called again.
type Opener = func() (io.ReadCloser, error)

// Cache keeps products. All methods may be called from several goroutines, and many
// processes may use one cache.
type Cache interface {
	// Location names the cache for people, as OpenCache would read it.
	Location() string
	// Has gives the records of those keys that are in the cache, in as few requests as
	// it can. A record that is damaged, or of a newer format, counts as missing.
	Has(ctx context.Context, keys []string) (map[string]Record, error)
	// Get gives one record. [ErrNotFound], [*CorruptError], [*VersionError].
	Get(ctx context.Context, key string) (Record, error)
	// Open reads the archive of a record, as stored. Nothing that was read may be
	// trusted before io.EOF: content that is not what the record says ends with a
	// [*CorruptError] in its place. From then on the cache takes the product for
	// missing, or at least replaces it when it is put again. The caller closes.
	Open(ctx context.Context, rec Record) (io.ReadCloser, error)
	// Put stores a product and gives the record that is in the cache afterwards. When
	// there was one for this key that is sound, it stays and is given; the product
	// is then not stored, and not even opened. What open yields is checked against rec.
	// [ErrReadOnly] where nothing can be written.
	Put(ctx context.Context, rec Record, open Opener) (Record, error)
	// Delete removes products. Keys that are not in the cache are no error.
	Delete(ctx context.Context, keys ...string) error
	// List yields all records, sorted by key. What cannot be read is yielded as an
	// error, and the listing goes on.
	List(ctx context.Context) iter.Seq2[Record, error]
	// LocateLayer tells in which repository of a registry the archive of a record is, so
	// that an image in the same registry can take it without a transfer; false when
	// it is in none.
	LocateLayer(rec Record) (oci.MountSource, bool)
}

// Options say how caches are reached.
type Options struct {
	OCI   oci.Options      // registries
	Clock func() time.Time // nil: the system's; decides which leftovers are old
}

// OpenCache gives the cache at location: a path or file:// URL of a directory, or a
// repository as in oci://registry.example.org/esd/cache (oci:PATH is an OCI layout
// directory). Nothing is created or connected to before it is needed.
func OpenCache(ctx context.Context, location string, opts Options) (Cache, error) {
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if strings.HasPrefix(location, "oci:") {
		return openOCI(ctx, location, opts)
	}
	dir := location
	if strings.Contains(location, "://") {
		u, err := url.Parse(location)
		if err != nil {
			return nil, fmt.Errorf("cache %q: %w", location, err)
		}
		if u.Scheme != "file" || u.Host != "" && u.Host != "localhost" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("cache %q: write a directory, file:///directory, or oci://registry/repository", location)
		}
		dir = u.Path
	}
	if dir == "" {
		return nil, errors.New("cache without a location: write a directory, file:///directory, or oci://registry/repository")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("cache %q: %w", location, err)
	}
	return openDir(dir, opts), nil
}

// checkKey refuses keys that could name anything but a record.
func checkKey(key string) error {
	if !isHex64(key) {
		return fmt.Errorf("%q is not a content key of 64 hexadecimal digits", abbreviate(key))
	}
	return nil
}
