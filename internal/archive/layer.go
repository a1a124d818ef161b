package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"
)

// Names of whiteouts, OCI image specification 1.1, "Whiteouts" and "Opaque Whiteout".
const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
	whiteoutMeta   = ".wh..wh." // bookkeeping of the AUFS that the format comes from
)

// LayerOptions say onto which tree a layer is unpacked.
type LayerOptions struct {
	Dest   string        // root directory with the layers below; created when missing, but not its parent
	Limits Limits        // zero: [DefaultLimits]
	Expect digest.Digest // of the layer as stored; "" to accept any
}

// UnpackLayer applies one layer of an image to the tree of the layers below it, as an
// ordinary user can: owners are not restored, devices and pipes are left out (and
// counted in Skipped), the user may read and write everything. Whiteouts remove what
// layers below brought, never what this one did.
//
// Links are what a process inside the tree would take them for: an absolute one begins
// at Dest, none leads out of it. Otherwise as hostile-safe as [Unpack].
func UnpackLayer(ctx context.Context, r io.Reader, opts LayerOptions) (Summary, error) {
	x, err := newExtractor(ctx, UnpackOptions{Dest: opts.Dest, Limits: opts.Limits, Links: LinksAnywhere})
	if err != nil {
		return Summary{}, fmt.Errorf("unpacking a layer to %s: %w", opts.Dest, err)
	}
	defer x.close()
	x.layer = &layerState{brought: map[string]bool{}}
	s, err := x.run(r, opts.Expect)
	if err != nil {
		return Summary{}, fmt.Errorf("unpacking a layer to %s: %w", opts.Dest, err)
	}
	return s, nil
}

// layerState is what an extractor knows in addition when it applies a layer.
type layerState struct {
	brought  map[string]bool // physical paths that this layer brought
	parent   string          // the last directory that was resolved,
	physical string          // and what it was resolved to; valid if cached
	cached   bool
}

// addToLayer writes name, a path below the root that may lead over links.
func (x *extractor) addToLayer(name string, m member) error {
	dir, err := x.resolveParent(parentOf(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	switch {
	case base == whiteoutOpaque:
		return x.removeBelow(dir)
	case strings.HasPrefix(base, whiteoutMeta):
		return nil
	case strings.HasPrefix(base, whiteoutPrefix):
		hidden := strings.TrimPrefix(base, whiteoutPrefix)
		if hidden == "" || hidden == "." || hidden == ".." {
			return unsafe(name, "it is a whiteout of no file")
		}
		return x.removeLower(path.Join(dir, hidden))
	case m.kind == kindDevice:
		x.skipped++
		return nil
	}
	physical := path.Join(dir, base)
	if err := x.makeRoom(physical, m.kind); err != nil {
		return err
	}
	if m.kind == kindHardLink {
		if m.link, err = x.resolveHardLink(m.link); err != nil {
			return err
		}
	}
	x.layer.brought[physical] = true
	return x.write(physical, m)
}

// resolveParent resolves a directory's path; consecutive members mostly share it.
func (x *extractor) resolveParent(dir string) (string, error) {
	l := x.layer
	if l.cached && l.parent == dir {
		return l.physical, nil
	}
	physical, err := resolve(x.root, dir, escapeStopsAtRoot)
	if err != nil {
		return "", err
	}
	l.parent, l.physical, l.cached = dir, physical, true
	return physical, nil
}

// makeRoom removes what is in the way of a member. A directory joins a directory.
func (x *extractor) makeRoom(physical string, k kind) error {
	info, err := x.root.Lstat(physical)
	if k == kindSymlink {
		x.layer.cached = false // what was resolved may from now on lead elsewhere
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case k == kindDir && info.IsDir():
		return nil
	}
	return x.remove(physical)
}

func (x *extractor) remove(physical string) error {
	x.forget()
	x.layer.cached = false
	return x.root.RemoveAll(physical)
}

// removeLower removes what layers below brought at physical, but nothing of this one.
func (x *extractor) removeLower(physical string) error {
	info, err := x.root.Lstat(physical)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !x.layer.brought[physical] {
		if !info.IsDir() || !x.broughtBelow(physical) {
			return x.remove(physical)
		}
	}
	if info.IsDir() {
		return x.removeBelow(physical)
	}
	return nil
}

// broughtBelow tells whether this layer put anything below a directory that it did
// not mention itself.
func (x *extractor) broughtBelow(physical string) bool {
	for name := range x.layer.brought {
		if strings.HasPrefix(name, physical+"/") {
			return true
		}
	}
	return false
}

func (x *extractor) removeBelow(physical string) error {
	name := physical
	if name == "" {
		name = "."
	}
	dir, err := x.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	dir.Close()
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := x.removeLower(path.Join(physical, n)); err != nil {
			return err
		}
	}
	return nil
}

// resolveHardLink gives the physical path of a hard link's target.
func (x *extractor) resolveHardLink(target string) (string, error) {
	clean, err := cleanMember(strings.TrimLeft(target, "/"))
	if err != nil {
		return "", err
	}
	dir, err := resolve(x.root, parentOf(clean), escapeStopsAtRoot)
	return path.Join(dir, path.Base(clean)), err
}

// layerMode is the mode of a file in an unpacked image: as recorded, but its owner may
// read and write it, and it changes nobody's identity.
func layerMode(m fs.FileMode) os.FileMode { return m.Perm() | 0o600 }
