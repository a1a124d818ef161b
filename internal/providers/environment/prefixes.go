package environment

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"

	"esd/internal/spack/buildcache"
)

// prefixes remembers where the packages in archives were built, by the digest of
// the archive, so that no archive is looked into twice. It is a help: a file that
// is damaged or gone costs the look again.
type prefixes struct {
	dir string

	mu      sync.Mutex
	read    bool
	changed bool
	by      map[string]string
}

// maxPrefixes bounds the file: beyond, it is begun anew.
const maxPrefixes = 200_000

func (p *prefixes) path() string { return filepath.Join(p.dir, "indexes", "prefixes.json") }

func (p *prefixes) load() {
	if p.read {
		return
	}
	p.read, p.by = true, map[string]string{}
	if data, err := os.ReadFile(p.path()); err == nil && len(data) < 64<<20 {
		_ = json.Unmarshal(data, &p.by)
	}
	if p.by == nil || len(p.by) > maxPrefixes {
		p.by = map[string]string{}
	}
}

// of is where the package of an entry was built; empty if that is not known.
func (p *prefixes) of(e buildcache.Entry) string {
	if e.Prefix != "" {
		return e.Prefix
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.load()
	return p.by[e.Archive.SHA256]
}

func (p *prefixes) set(digest, prefix string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.load()
	p.by[digest], p.changed = prefix, true
}

// save writes what was learnt. Where that is not possible, the next plan looks
// again.
func (p *prefixes) save() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.changed {
		return
	}
	data, err := json.Marshal(p.by)
	if err != nil {
		return
	}
	_ = os.MkdirAll(filepath.Dir(p.path()), 0o755)
	tmp, err := os.CreateTemp(filepath.Dir(p.path()), ".prefixes-*")
	if err != nil {
		return
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if cerr := tmp.Close(); err == nil && cerr == nil && os.Rename(tmp.Name(), p.path()) == nil {
		p.changed = false
	}
}
