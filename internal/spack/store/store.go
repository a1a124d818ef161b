package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"esd/internal/spack"
)

// Options say how an install tree is laid out and used. They must be what
// Spack's config:install_tree says of the same tree.
type Options struct {
	// Projection is where prefixes are below the root; empty is Spack's
	// default for the version of the database.
	Projection spack.Projection
	// PaddedLength pads the root to so many bytes; 0 is no padding.
	PaddedLength int
	// DatabaseVersion is that of a database that has to be made: 8, for Spack
	// 1.x, unless it is 7. A database that is there keeps its own.
	DatabaseVersion int
	// LockTimeout is how long to wait for the database; 0 is two minutes, as in
	// Spack, less than 0 as long as it takes.
	LockTimeout time.Duration
	// PrefixTimeout is how long to wait for one package that somebody else
	// installs; 0 is as long as it takes, as in Spack.
	PrefixTimeout time.Duration
	// MaxDatabase is the size in bytes above which a database is refused; 0 is
	// 1 GiB, some 700,000 packages.
	MaxDatabase int64
	// Clock is nil for the system's.
	Clock func() time.Time
}

const (
	defaultLockTimeout = 2 * time.Minute // _DEFAULT_DB_LOCK_TIMEOUT in database.py
	defaultMaxDatabase = 1 << 30
)

// Store is an install tree. Its methods may be called from several goroutines,
// and any number of processes, Spack's too, may use one tree.
type Store struct {
	root, unpadded string
	projection     spack.Projection
	opts           Options

	database *lockFile
	prefixes *lockFile
	writing  chan struct{} // one writer among our goroutines

	mu     sync.Mutex
	cached *Records
	seen   identity // of what is cached
}

// Open looks at the install tree at root, an absolute path without padding.
// Nothing needs to be there, and nothing is created before something is
// installed. The store is to be closed.
func Open(root string, opts Options) (*Store, error) {
	if !filepath.IsAbs(root) {
		return nil, fmt.Errorf("open the install tree: %q is not an absolute path", root)
	}
	root = filepath.Clean(root)
	if root == "/" {
		return nil, errors.New("open the install tree: its root must not be /")
	}
	switch opts.DatabaseVersion {
	case 0, Version7, Version8:
	default:
		return nil, fmt.Errorf("open the install tree %s: %w: databases of version 7 and 8 can be made, not %d", root, ErrVersion, opts.DatabaseVersion)
	}
	s := &Store{root: root, unpadded: root, projection: opts.Projection, opts: opts.withDefaults(), writing: make(chan struct{}, 1)}
	if opts.PaddedLength > 0 {
		s.root = Pad(root, opts.PaddedLength)
		if len(s.root) != opts.PaddedLength {
			return nil, fmt.Errorf("open the install tree: %s is %d bytes long and cannot be padded to %d; choose a shorter root", root, len(root), opts.PaddedLength)
		}
	}
	s.database, s.prefixes = newLockFile(s.dbPath("lock")), newLockFile(s.dbPath("prefix_lock"))
	if s.projection != "" {
		return s, s.projection.Check()
	}
	return s, s.defaultProjection()
}

func (o Options) withDefaults() Options {
	if o.LockTimeout == 0 {
		o.LockTimeout = defaultLockTimeout
	}
	if o.MaxDatabase == 0 {
		o.MaxDatabase = defaultMaxDatabase
	}
	if o.DatabaseVersion == 0 {
		o.DatabaseVersion = Version8
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

// defaultProjection is that of the Spack that made the database.
func (s *Store) defaultProjection() error {
	records, err := s.Records(context.Background())
	if err != nil {
		return err
	}
	s.projection = s.projectionFor(records.Version)
	return nil
}

func (s *Store) projectionFor(version int) spack.Projection {
	switch {
	case s.projection != "":
		return s.projection
	case version == Version7:
		return spack.DefaultProjection023
	}
	return spack.DefaultProjection
}

// Close gives up the locks that are still held.
func (s *Store) Close() error { return errors.Join(s.database.close(), s.prefixes.close()) }

// Root is the directory below which prefixes and database are, padding
// included.
func (s *Store) Root() string { return s.root }

// UnpaddedRoot is the directory that has bin/sbang.
func (s *Store) UnpaddedRoot() string { return s.unpadded }

// Locate gives the prefix of an installed package.
func (s *Store) Locate(ctx context.Context, h spack.Hash) (string, bool) {
	records, err := s.Records(ctx)
	if err != nil {
		return "", false
	}
	rec := records.Get(h)
	if rec == nil || !s.Present(rec) {
		return "", false
	}
	return rec.Path, true
}

// Records reads the database. When it did not change since the last time, that
// costs two small files. Readers take no lock: a database is replaced as a
// whole, so that trees which only others may write can be read as well.
func (s *Store) Records(ctx context.Context) (*Records, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	records, err := s.read()
	if err != nil {
		return nil, fmt.Errorf("read the install tree %s: %w", s.unpadded, err)
	}
	return records, nil
}

// Installed gives the records of the packages that are really there: those
// which the database calls installed and whose prefix exists. What the system
// provides counts as being where it was found.
func (s *Store) Installed(ctx context.Context) (map[spack.Hash]*Record, error) {
	records, err := s.Records(ctx)
	if err != nil {
		return nil, err
	}
	installed := make(map[spack.Hash]*Record, records.Len())
	for h, rec := range records.All() {
		if s.Present(rec) {
			installed[h] = rec
		}
	}
	return installed, nil
}

// Present tells whether a recorded package is really there.
func (s *Store) Present(rec *Record) bool {
	if !rec.Installed {
		return false
	}
	if rec.Spec.External != nil {
		return true
	}
	_, err := os.Stat(filepath.Join(rec.Path, metadataDir, specFile))
	return err == nil
}

// databaseDir is in the root (database.py), metadataDir and in it specFile in
// each prefix (directory_layout.py).
const (
	databaseDir = ".spack-db"
	metadataDir = ".spack"
	specFile    = "spec.json"
)

func (s *Store) dbPath(name string) string { return filepath.Join(s.root, databaseDir, name) }

// identity tells one state of the database from another: Spack's verifier, and
// for those who do not write it, the file.
type identity struct {
	verifier string
	info     fs.FileInfo
}

func (i identity) same(o identity) bool {
	return i.info != nil && o.info != nil && i.verifier == o.verifier && os.SameFile(i.info, o.info) &&
		i.info.Size() == o.info.Size() && i.info.ModTime().Equal(o.info.ModTime())
}

func (s *Store) read() (*Records, error) {
	// The verifier is read first: it is written after the database, so what is
	// read now is never older than it says.
	verifier, err := readSmall(s.dbPath("index_verifier"))
	if err != nil {
		return nil, err
	}
	f, err := os.Open(s.dbPath("index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return &Records{Version: s.opts.DatabaseVersion, byHash: map[spack.Hash]*Record{}}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	now := identity{verifier, info}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cached != nil && s.seen.same(now) {
		return s.cached, nil
	}
	data, err := s.readAll(f, info.Size())
	if err != nil {
		return nil, err
	}
	records, err := parseRecords(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	if err := s.completePaths(records); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	s.cached, s.seen = records, now
	return records, nil
}

func (s *Store) readAll(f *os.File, size int64) ([]byte, error) {
	tooLarge := func() error {
		return fmt.Errorf("%w: %s has more than %d bytes", ErrCorrupt, f.Name(), s.opts.MaxDatabase)
	}
	if size > s.opts.MaxDatabase {
		return nil, tooLarge()
	}
	data := make([]byte, 0, size+1)
	for {
		n, err := f.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case err == io.EOF:
			return data, nil
		case err != nil:
			return nil, err
		case int64(len(data)) > s.opts.MaxDatabase:
			return nil, tooLarge()
		case len(data) == cap(data):
			data = append(data, 0)[:len(data)]
		}
	}
}

// completePaths adds the prefixes of packages that Spack recorded without one:
// those that were known and not installed when it made the database anew
// (reindex), and were installed later. Their prefix is where it should be.
func (s *Store) completePaths(r *Records) error {
	var all spack.Specs
	for _, rec := range r.All() {
		if rec.Path != "" || !rec.Installed || rec.Spec.External != nil {
			continue
		}
		if all == nil {
			all = r.Specs()
		}
		prefix, err := s.prefixIn(s.projectionFor(r.Version), rec.Spec, all)
		if err != nil {
			return fmt.Errorf("%s has no path: %w", label(rec.Spec), err)
		}
		rec.Path = prefix
	}
	return nil
}

// readSmall reads the beginning of a file of which little is expected; none is
// empty.
func readSmall(name string) (string, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 256))
	return string(text), err
}
