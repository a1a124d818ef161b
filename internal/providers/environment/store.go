package environment

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"esd/internal/providers"
	instance "esd/internal/providers/spack"
	"esd/internal/spack"
	"esd/internal/spack/lockfile"
	"esd/internal/spack/store"
)

// storeRef is the store in which packages are built.
type storeRef struct {
	Root         string           `json:"root"`
	PaddedLength int              `json:"padded_length,omitempty"`
	Projection   spack.Projection `json:"projection"`
}

// spackDir is where one Spack works: its configuration, what it learns from
// recipes (which takes it a minute), and its stores.
func (p *shared) spackDir(i instance.Instance) string {
	return filepath.Join(p.opts.WorkDir, "spack", providers.ShortDigest(i.Identity() + "\x00" + i.Path)[:8])
}

// instanceDir is where what is Spack's own is, but for stores.
func instanceDir(spackDir string) string { return filepath.Join(spackDir, "instance") }

// storeOf is the store in which packages of an environment are built: one for
// all environments whose packages have the same paths in it and are built by
// the same Spack.
func (p *shared) storeOf(e *env) storeRef {
	id := providers.ShortDigest(fmt.Sprintf("%s\x00%d", e.projection, e.paddedLength))
	return storeRef{filepath.Join(p.spackDir(e.instance), "store-"+id[:4]), e.paddedLength, e.projection}
}

// spackDir is the directory of the Spack whose store it is.
func (s storeRef) spackDir() string { return filepath.Dir(s.Root) }

// open opens the store, as the Spack that wrote the lock would.
func (s storeRef) open(lock *lockfile.Lock) (*store.Store, error) {
	o := store.Options{Projection: s.Projection, PaddedLength: s.PaddedLength, DatabaseVersion: store.Version8}
	if lock.SpecfileVersion < 5 {
		o.DatabaseVersion = store.Version7
	}
	return store.Open(s.Root, o)
}

// longestStore is how long the path of a store may be for Spack: the first line
// of a script must have room for bin/sbang in it (spack/hooks/sbang.py,
// system_shebang_limit).
const longestStore = 127 - len("/bin/sbang")

// check says what is wrong with the place of the store before anything is built
// in it, which may take hours.
func (s storeRef) check() error {
	if len(s.Root) > longestStore {
		return fmt.Errorf("packages would be built in %s, whose path is %d characters long; Spack can build in paths of up to %d: "+
			"put the configuration into a directory with a shorter path", s.Root, len(s.Root), longestStore)
	}
	if strings.ContainsAny(s.Root, " \t\n:\"'\\$") {
		return fmt.Errorf("packages would be built in %s, which has a character in it with which build systems do not work: "+
			"put the configuration into a directory without spaces, colons, quotes, $ and \\ in its path", s.Root)
	}
	return nil
}

// standing lists what stands in the store of an environment. A store that cannot
// be read is one in which nothing stands, as far as planning goes: applying
// will say what is wrong with it.
func (p *shared) standing(ctx context.Context, e *env) map[spack.Hash]bool {
	out := map[spack.Hash]bool{}
	s, err := p.storeOf(e).open(e.lock)
	if err != nil {
		return out
	}
	defer s.Close()
	records, err := s.Installed(ctx)
	if err != nil {
		return out
	}
	for hash := range records {
		out[hash] = true
	}
	return out
}
