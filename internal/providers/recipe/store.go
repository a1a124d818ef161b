package recipe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"esd/internal/archive"
	"esd/internal/providers"
	"esd/internal/sandbox"
)

// store is where packages stand unpacked on this machine, for builds to find
// them. In a sandbox with namespaces it is a directory of the working data,
// whose packages are shown to a build at their prefixes; without, it is a real
// directory whose path is as long as the root of the prefixes, and packages
// are relocated to it.
type store struct {
	workDir string

	mu   sync.Mutex
	real map[string]*sandbox.Root // by the root of prefixes; claimed until the process ends
}

// choose picks how builds are encapsulated on this machine, and says why.
// Probing happens once in a process.
func choose(ctx context.Context, want string) (box sandbox.Sandbox, why string, err error) {
	box, why, err = sandbox.Choose(sandbox.Probe(ctx), want)
	return box, why, err
}

// place is where packages with one root stand.
type place struct {
	root string // as packages know it: /opt/esd
	dir  string // on this machine
	// real tells that builds happen in dir itself, so that packages in it are
	// relocated.
	real bool
}

// metaDir holds what is known of the packages of a place; no package has a
// name that begins with a dot.
const metaDir = ".esd"

func (s *store) place(box sandbox.Sandbox, root string) (place, error) {
	if box.Name() != sandbox.None {
		return place{root: root, dir: filepath.Join(s.workDir, "store", strings.ReplaceAll(root[1:], "/", "-"))}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.real[root]
	if r == nil {
		var err error
		if r, err = box.Root(root, ""); err != nil {
			return place{}, err
		}
		if s.real == nil {
			s.real = map[string]*sandbox.Root{}
		}
		s.real[root] = r
	}
	return place{root: root, dir: r.Dir, real: true}, nil
}

func (p place) path(base string) string { return filepath.Join(p.dir, base) }
func (p place) meta(base string) string { return filepath.Join(p.dir, metaDir, base+".json") }

// in is the relocation of what comes into the place, out of what leaves it.
func (p place) in() *archive.Relocation {
	if !p.real {
		return nil
	}
	return &archive.Relocation{From: p.root, To: p.dir}
}

func (p place) out() *archive.Relocation {
	if !p.real {
		return nil
	}
	return &archive.Relocation{From: p.dir, To: p.root}
}

// installed is what is known of a package that stands in a place. It is
// written last: a package without it is not complete.
type installed struct {
	Key   string `json:"key"`
	Needs []need `json:"needs,omitempty"`
}

// read finds what is known of a package; false if it does not stand there.
func (p place) read(base string) (installed, bool) {
	var i installed
	data, err := os.ReadFile(p.meta(base))
	if err != nil || json.Unmarshal(data, &i) != nil {
		return installed{}, false
	}
	if _, err := os.Stat(p.path(base)); err != nil {
		return installed{}, false
	}
	return i, true
}

// complete marks a package as standing.
func (p place) complete(base string, i installed) error {
	data, err := json.Marshal(i)
	if err != nil {
		return err
	}
	tmp := p.meta(base) + ".tmp"
	if err := os.WriteFile(tmp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, p.meta(base))
}

// remove takes a package away, its mark first.
func (p place) remove(base string) error {
	if err := os.Remove(p.meta(base)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return removeAll(p.path(base))
}

// closure lists the packages that must be there for the needs to work: the
// needs, in their order, then what those need to run, and so on. It fails if
// one is not there.
func (p place) closure(needs []need) ([]string, error) {
	var bases []string
	seen := map[string]bool{}
	queue := slices.Clone(needs)
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		if seen[n.Base] {
			continue
		}
		seen[n.Base] = true
		i, ok := p.read(n.Base)
		if !ok || i.Key != n.Key {
			return nil, fmt.Errorf("the needed package %s is not installed in %s, although it was planned: run the same command again", n.Base, p.dir)
		}
		bases = append(bases, n.Base)
		for _, dep := range i.Needs {
			if !dep.BuildOnly {
				queue = append(queue, dep)
			}
		}
	}
	return bases, nil
}

// list tells which of the packages stand on this machine, by base. It makes
// nothing, so it does not know what stands in a real root, which must be
// claimed before it can be looked into.
func (s *store) list(ctx context.Context, want string, objects []*providers.Object) (map[string]bool, error) {
	out := map[string]bool{}
	box, _, err := choose(ctx, want)
	if err != nil || box.Name() == sandbox.None {
		return out, err
	}
	places := map[string]place{}
	for _, o := range objects {
		r := o.Spec.(*spec)
		p, known := places[r.root]
		if !known {
			if p, err = s.place(box, r.root); err != nil {
				return nil, err
			}
			places[r.root] = p
		}
		if i, ok := p.read(r.base); ok && i.Key == o.Key {
			out[r.base] = true
		}
	}
	return out, nil
}
