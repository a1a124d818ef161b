package environment

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"

	"esd/internal/providers/cache"
)

// trust remembers which distant caches told of packages that they did not have.
// Of others it is believed what their index and what was learnt of their
// entries before say, which saves a request for each package; of these every
// entry is read, until what they say is right again.
type trust struct{ dir string }

func (t trust) mark(s cache.Buildcache) string {
	sum := sha256.Sum256([]byte(s.URL))
	return filepath.Join(t.dir, "indexes", "doubted-"+hex.EncodeToString(sum[:8]))
}

// doubted reports whether every entry is to be read. What is near costs nothing
// to be asked.
func (t trust) doubted(s cache.Buildcache) bool {
	if !s.Remote() {
		return true
	}
	_, err := os.Stat(t.mark(s))
	return err == nil
}

// doubt is called when something was not there that a plan relied on.
func (t trust) doubt(s cache.Buildcache) {
	if s.Remote() && os.MkdirAll(filepath.Dir(t.mark(s)), 0o755) == nil {
		_ = os.WriteFile(t.mark(s), []byte(s.URL+"\n"), 0o644) // without it, the next plan is as this one
	}
}

// believe is called when all that a cache says was found to be right.
func (t trust) believe(s cache.Buildcache) {
	if s.Remote() {
		_ = os.Remove(t.mark(s))
	}
}
