package buildcache

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"

	"esd/internal/spack/transport"
)

// indexState is what a Cache knows of its index.
type indexState struct {
	mu      sync.Mutex
	reduced *reduced // nil: none (yet)
	local   bool     // the copy on disk was looked at
}

// localCopies bounds what is read of a local copy.
const localSuffix = ".index"

// localFile is where the copy of the index of this cache is kept.
func (c *Cache) localFile(b backend) string {
	if c.opts.Directory == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(b.layout().String() + " " + c.where))
	return filepath.Join(c.opts.Directory, hex.EncodeToString(sum[:16])+localSuffix)
}

// copyOf gives the reduced index that is known here, without asking the cache; nil
// when there is none. The caller holds the lock.
func (c *Cache) copyOf(b backend) *reduced {
	if c.index.reduced != nil || c.index.local {
		return c.index.reduced
	}
	c.index.local = true
	name := c.localFile(b)
	if name == "" {
		return nil
	}
	all, err := readFile(name, 2*maxReduced)
	if err != nil {
		return nil
	}
	r, err := parseReduced(all)
	if err != nil || r.Location != c.where || r.Layout != b.layout().String() {
		return nil // damaged, or of another version: read the index again
	}
	c.index.reduced = r
	return r
}

// readFile reads a file of at most limit bytes.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > limit {
		return nil, errReduced
	}
	all := make([]byte, fi.Size())
	_, err = io.ReadFull(f, all)
	return all, err
}

// keep stores a reduced index for the next process. That it cannot is no failure: the
// index is read again then.
func (c *Cache) keep(b backend, r *reduced) {
	c.index.reduced = r
	name := c.localFile(b)
	if name == "" || os.MkdirAll(filepath.Dir(name), 0o777) != nil {
		return
	}
	temp := name + "." + rand.Text() + ".tmp"
	if os.WriteFile(temp, r.all, 0o666) == nil && os.Rename(temp, name) == nil {
		return
	}
	_ = os.Remove(temp)
}

// IndexUse says whether an index is read to learn what a cache has.
type IndexUse int

const (
	// IndexAuto reads the index where that moves fewer bytes than asking for each
	// package does, and uses the copy of one that did not change in any case.
	IndexAuto IndexUse = iota
	// IndexAlways reads it if there is one.
	IndexAlways
	// IndexNever asks for each package.
	IndexNever
)

// lookupCost is how many bytes of an index are worth one look-up of a package: the
// time of a request, at tens of MB/s and several at once.
const lookupCost = 64 << 10

// currentIndex gives the index as it is now, nil when the cache has none, or none that
// can be used, or reading it is not worth it for so few packages.
func (c *Cache) currentIndex(ctx context.Context, b backend, use IndexUse, packages int) (*reduced, error) {
	c.index.mu.Lock()
	defer c.index.mu.Unlock()
	have := c.copyOf(b)
	if use == IndexNever || use == IndexAuto && have == nil && packages < 2 {
		return nil, nil
	}
	var id indexID
	if have != nil {
		id = have.Source
	}
	in, err := b.openIndex(ctx, id)
	switch {
	case errors.Is(err, transport.ErrNotModified):
		return have, nil
	case isAbsent(err), errors.Is(err, ErrDenied):
		return nil, nil
	case err != nil:
		return nil, err
	}
	defer in.Close()
	if use == IndexAuto && (in.size < 0 || in.size > int64(packages)*lookupCost) {
		return nil, nil
	}
	r, err := reduce(ctx, in, c.where+": index", reducedHeader{Location: c.where, Layout: b.layout().String()})
	switch {
	case isAbsent(err):
		return nil, nil // malformed, or not what its digest says: as good as none
	case err != nil:
		return nil, err
	}
	c.keep(b, r)
	return r, nil
}
