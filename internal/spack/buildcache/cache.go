package buildcache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"esd/internal/oci"
	"esd/internal/spack"
	"esd/internal/spack/signature"
	"esd/internal/spack/transport"
)

// Options say how a cache is reached and what is accepted from it. The zero value
// reads and writes without signatures, with the credentials of the environment.
type Options struct {
	Layout Layout
	// Trust says which signatures are demanded of entries. OCI caches have none, so
	// nothing in them is usable under [signature.Require].
	Trust signature.Policy
	// Signer signs what is pushed, where the layout has signatures; nil signs nothing.
	Signer *signature.Signer
	// Directory is where parsed copies of indexes are kept, and what was learnt of
	// entries, so that the next process need not read them again; "" keeps nothing. It
	// may be shared by caches and processes, and removed at any time.
	Directory   string
	ReadOnly    bool
	Concurrency int // requests at once; default 16
	HTTP        transport.HTTPOptions
	S3          transport.S3Options
	OCI         oci.Options
	Retry       oci.RetryPolicy // zero: [oci.DefaultRetry]
	Clock       oci.Clock       // nil: the system's
}

// Cache is one build cache. All methods may be called from several goroutines.
type Cache struct {
	opts  Options
	where string
	open  func(ctx context.Context) (backend, error)

	mu      sync.Mutex
	backend backend
	index   indexState
}

// backend is a cache in one layout.
type backend interface {
	layout() Layout
	location() string
	// find reads an entry. ErrNotFound when there is none.
	find(ctx context.Context, k key) (Entry, error)
	// spec reads the spec of an entry that find gave.
	spec(ctx context.Context, e Entry) ([]byte, error)
	// archive opens the archive of such an entry from an offset on, unverified.
	archive(ctx context.Context, e Entry, opts transport.GetOptions) (*transport.Object, error)
	// has tells whether the archive is there, and how large it is.
	has(ctx context.Context, e Entry) (transport.Info, error)
	// push stores an entry: blobs first, what makes them visible last.
	push(ctx context.Context, k key, req pushRequest) (Entry, error)
	// raw reads the signed text of an entry as it is.
	raw(ctx context.Context, e Entry) ([]byte, error)
	// readable tells whether anything can be read at all, for caches that deny access
	// to what does not exist.
	readable(ctx context.Context) bool
	// enumerate lists what is there by its names. ErrUnlistable.
	enumerate(ctx context.Context) ([]located, error)
	// identify reads an entry that enumerate found.
	identify(ctx context.Context, l located) (Entry, error)
	// remove deletes entries, and the blobs that no other entry has.
	remove(ctx context.Context, entries []Entry) error
	// openIndex opens the index, unless it is still what id says: transport.ErrNotModified.
	openIndex(ctx context.Context, have indexID) (*indexStream, error)
	// putIndex stores an index.
	putIndex(ctx context.Context, ix indexFile) error
}

// located is an entry that a listing found. k is nil where names do not tell.
type located struct {
	hash spack.Hash
	key  *key
	ref  string
}

func sortedLocated(m map[spack.Hash]located) []located {
	all := slices.Collect(maps.Values(m))
	slices.SortFunc(all, func(a, b located) int { return strings.Compare(string(a.hash), string(b.hash)) })
	return all
}

// Open gives the build cache at a URL: a path, file://, http(s)://, s3://bucket/prefix,
// oci://registry/repository or oci+http://. Nothing is connected to before it is
// needed; with [Auto] the first use finds out the layout.
func Open(ctx context.Context, location string, opts Options) (*Cache, error) {
	if opts.Clock == nil {
		opts.Clock = oci.SystemClock{}
	}
	if opts.Retry.Attempts == 0 {
		opts.Retry = oci.DefaultRetry()
	}
	if opts.Concurrency <= 0 {
		opts.Concurrency = 16
	}
	c := &Cache{opts: opts}
	if strings.HasPrefix(location, "oci://") || strings.HasPrefix(location, "oci+http://") {
		if opts.Layout != Auto && opts.Layout != OCI {
			return nil, fmt.Errorf("build cache %q: registries have the layout oci, not %s", redact(location), opts.Layout)
		}
		b, err := openRegistry(ctx, location, &c.opts)
		if err != nil {
			return nil, fmt.Errorf("build cache %q: %w", redact(location), err)
		}
		c.where, c.backend = b.location(), b
		return c, nil
	}
	t, err := transport.Open(location, transport.Options{HTTP: opts.HTTP, S3: opts.S3, Retry: opts.Retry, Clock: opts.Clock})
	if err != nil {
		return nil, fmt.Errorf("build cache %q: %w", redact(location), err)
	}
	c.where = t.Location()
	c.open = func(ctx context.Context) (backend, error) { return c.detect(ctx, t) }
	return c, nil
}

// redact takes passwords out of URLs before they are shown.
func redact(location string) string {
	if u, err := url.Parse(location); err == nil {
		return u.Redacted()
	}
	return "(not a URL)"
}

// Location names the cache for people.
func (c *Cache) Location() string { return c.where }

// Layout tells how the cache is arranged, and finds out if that is not known yet.
func (c *Cache) Layout(ctx context.Context) (Layout, error) {
	b, err := c.get(ctx)
	if err != nil {
		return Auto, err
	}
	return b.layout(), nil
}

// get gives the backend. A failure to find the layout is not remembered.
func (c *Cache) get(ctx context.Context) (backend, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.backend == nil {
		b, err := c.open(ctx)
		if err != nil {
			return nil, err
		}
		c.backend = b
	}
	return c.backend, nil
}

// writable gives the backend of a cache that is not read only.
func (c *Cache) writable(ctx context.Context) (backend, error) {
	if c.opts.ReadOnly {
		return nil, fmt.Errorf("%s: %w: it was opened for reading", c.where, ErrReadOnly)
	}
	return c.get(ctx)
}

// detect finds the layout. A cache with both has version 2 for old readers and is
// written in version 3; an empty one becomes version 3.
func (c *Cache) detect(ctx context.Context, t *transport.Store) (backend, error) {
	layout := c.opts.Layout
	if layout == Auto {
		var err error
		if layout, err = detectLayout(ctx, t); err != nil {
			return nil, err
		}
	}
	switch layout {
	case V2:
		return &v2{t: t, opts: &c.opts}, nil
	case V3:
		return &v3{t: t, opts: &c.opts}, nil
	}
	return nil, fmt.Errorf("%s: layout %s is not for this kind of URL", t.Location(), layout)
}

func detectLayout(ctx context.Context, t *transport.Store) (Layout, error) {
	for _, probe := range []struct {
		name   string
		layout Layout
	}{{v3LayoutFile, V3}, {v3Index, V3}, {v2IndexHash, V2}, {v2Index, V2}} {
		_, err := t.Stat(ctx, probe.name)
		switch {
		case err == nil:
			return probe.layout, nil
		case !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrDenied):
			return Auto, err // an S3 bucket denies what is not there
		}
	}
	for prefix, layout := range map[string]Layout{v3Specs: V3, v2Root: V2} {
		stop := errors.New("found")
		err := t.List(ctx, prefix, func(string, transport.Info) error { return stop })
		if errors.Is(err, stop) {
			return layout, nil
		}
	}
	return V3, nil
}

// Resolve reads an entry itself, where so far an index or a listing told of it: after
// that its archive is known, and its signature checked. ErrNotFound when it is not
// there, ErrIndex besides when an index told otherwise.
func (c *Cache) Resolve(ctx context.Context, e Entry) (Entry, error) {
	b, err := c.get(ctx)
	if err != nil {
		return e, err
	}
	if e.Resolved() {
		return e, nil
	}
	if err := e.key.check(); err != nil {
		return e, err
	}
	found, err := b.find(ctx, e.key)
	if errors.Is(err, ErrNotFound) && e.Problem == nil {
		err = wrongIndex(e.key, err)
	}
	return found, err
}

// Spec gives the spec document of an entry, with all that the package depends on:
// {"spec":{"_meta":…,"nodes":[…]},…}, uncompressed, the package itself first.
func (c *Cache) Spec(ctx context.Context, e Entry) ([]byte, error) {
	b, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	if e, err = c.Resolve(ctx, e); err != nil {
		return nil, err
	}
	text, err := b.spec(ctx, e)
	if err != nil {
		return nil, err
	}
	_, plain, err := parseSpecDocument(c.where+": "+e.ID(), text, e.Hash)
	return plain, err
}

// keysOf names all specs but externals, or says which of them cannot be.
func keysOf(specs []*spack.Spec, all spack.Specs) ([]key, error) {
	keys := make([]key, 0, len(specs))
	for _, s := range specs {
		if s.IsExternal() {
			continue
		}
		k, err := newKey(s, all)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}
