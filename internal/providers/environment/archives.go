package environment

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"esd/internal/spack/buildcache"
)

// learnt is what was found out of archives in build caches, by their digests:
// where the packages in them were built, so that none is looked into twice,
// and which turned out to be of no use when they were needed, so that the next
// plan does not count on them again. It is a help: a file that is damaged or
// gone costs the look again.
type learnt struct {
	dir string

	mu      sync.Mutex
	read    bool
	changed bool
	known   archiveNotes
}

// archiveNotes is the file.
type archiveNotes struct {
	Prefixes map[string]string `json:"prefixes,omitempty"`
	Damaged  map[string]string `json:"damaged,omitempty"` // what was wrong
	// Stuck are those whose packages could not be relocated to the store in which
	// packages are built, whose path is longer: by the store's root.
	Stuck map[string]string `json:"stuck,omitempty"`
}

// maxLearnt bounds the file: beyond, it is begun anew.
const maxLearnt = 200_000

func (l *learnt) path() string { return filepath.Join(l.dir, "indexes", "archives.json") }

// load reads the file, once; the caller holds the lock.
func (l *learnt) load() {
	if l.read {
		return
	}
	l.read = true
	if data, err := os.ReadFile(l.path()); err == nil && len(data) < 64<<20 && json.Unmarshal(data, &l.known) != nil {
		l.known = archiveNotes{}
	}
	for _, m := range []*map[string]string{&l.known.Prefixes, &l.known.Damaged, &l.known.Stuck} {
		if *m == nil || len(*m) > maxLearnt {
			*m = map[string]string{}
		}
	}
}

// prefix is where the package of an entry was built; empty if that is not known.
func (l *learnt) prefix(e buildcache.Entry) string {
	if e.Prefix != "" {
		return e.Prefix
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.load()
	return l.known.Prefixes[e.Archive.SHA256]
}

func (l *learnt) setPrefix(digest, prefix string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.load()
	l.known.Prefixes[digest], l.changed = prefix, true
}

// stuck reports whether the package of an archive was found not to fit the store
// at root.
func (l *learnt) stuck(digest, root string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.load()
	return digest != "" && l.known.Stuck[digest] == root
}

func (l *learnt) setStuck(digest, root string) {
	l.mu.Lock()
	l.load()
	l.known.Stuck[digest], l.changed = root, true
	l.mu.Unlock()
	l.save()
}

// damage says what was wrong with the archive of an entry when it was needed;
// nil if nothing is known against it.
func (l *learnt) damage(e buildcache.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.load()
	if what, damaged := l.known.Damaged[e.Archive.SHA256]; damaged {
		return fmt.Errorf("when it was needed last, %s", what)
	}
	return nil
}

// judge notes an error that is about the content of an archive.
func (l *learnt) judge(digest string, err error) {
	var wrong *buildcache.DigestError
	switch {
	case errors.As(err, &wrong):
		l.setDamaged(digest, "its archive was damaged")
	case errors.Is(err, buildcache.ErrNotFound):
		l.setDamaged(digest, "its archive was gone")
	}
}

func (l *learnt) setDamaged(digest, what string) {
	l.mu.Lock()
	l.load()
	l.known.Damaged[digest], l.changed = what, true
	l.mu.Unlock()
	l.save()
}

// sound forgets what was known against an archive.
func (l *learnt) sound(digest string) {
	l.mu.Lock()
	l.load()
	_, damaged := l.known.Damaged[digest]
	delete(l.known.Damaged, digest)
	l.changed = l.changed || damaged
	l.mu.Unlock()
	l.save()
}

// save writes what was learnt. Where that is not possible, the next plan looks
// again.
func (l *learnt) save() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.changed {
		return
	}
	if data, err := json.Marshal(l.known); err == nil && writeAtomic(l.path(), data) == nil {
		l.changed = false
	}
}

// judged is the content of an archive; what is wrong with it is noted.
type judged struct {
	io.ReadCloser
	digest string
	known  *learnt
}

// Read implements io.Reader.
func (j *judged) Read(b []byte) (int, error) {
	n, err := j.ReadCloser.Read(b)
	if err != nil && err != io.EOF {
		j.known.judge(j.digest, err)
	}
	return n, err
}
