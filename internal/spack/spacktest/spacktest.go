// Package spacktest makes build caches for tests, of packages that nobody
// built: small trees with what matters about an install prefix (scripts, links,
// text and files that name prefixes), so that tests of what is done with build
// caches need no Spack.
package spacktest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"esd/internal/spack"
	"esd/internal/spack/binary"
	"esd/internal/spack/buildcache"
)

// Builder makes packages as if they had been installed below Root.
type Builder struct {
	// Root is the install tree that the packages refer to; nothing is there.
	Root       string
	Projection spack.Projection // empty: Spack's
	Specs      spack.Specs
	// Payload is how many bytes that do not compress each package has besides.
	Payload int
	// Dir is for temporary files.
	Dir string
}

// Prefix is where a package is, as far as its files know.
func (b *Builder) Prefix(h spack.Hash) (string, bool) {
	s := b.Specs[h]
	if s == nil {
		return "", false
	}
	if s.External != nil {
		return s.External.Path, true
	}
	projection := b.Projection
	if projection == "" {
		projection = spack.DefaultProjection
	}
	rel, err := projection.Path(s, b.Specs)
	return filepath.Join(b.Root, rel), err == nil
}

// Push makes packages and stores them in a build cache.
func (b *Builder) Push(ctx context.Context, c *buildcache.Cache, specs ...*spack.Spec) error {
	for _, s := range specs {
		if err := b.push(ctx, c, s); err != nil {
			return fmt.Errorf("%s: %w", s.ID(), err)
		}
	}
	return nil
}

func (b *Builder) push(ctx context.Context, c *buildcache.Cache, s *spack.Spec) error {
	dir, err := os.MkdirTemp(b.Dir, s.Name+"-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	prefix, ok := b.Prefix(s.Hash)
	if !ok {
		return fmt.Errorf("no place below %s", b.Root)
	}
	if err := b.tree(dir, prefix, s); err != nil {
		return err
	}
	var blob bytes.Buffer
	packed, err := binary.Pack(ctx, &blob, binary.PackRequest{
		Prefix: prefix, Dir: dir, Spec: s, Specs: b.Specs, Locate: b.Prefix, StoreRoot: b.Root,
	})
	if err != nil {
		return err
	}
	_, err = c.Push(ctx, buildcache.PushRequest{Spec: s, Specs: b.Specs, Prefix: prefix, Archive: buildcache.Archive{
		Open:   func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(blob.Bytes())), nil },
		SHA256: packed.SHA256.Encoded(), Size: packed.Size, DiffID: packed.DiffID.Encoded(), TarSize: packed.TarSize,
	}})
	return err
}

// tree fills the prefix of a package.
func (b *Builder) tree(dir, prefix string, s *spack.Spec) error {
	files := map[string]string{
		"bin/" + s.Name:               "#!/bin/sh\n# " + prefix + "/share\necho " + s.Name + " " + s.Version + "\n",
		"lib/pkgconfig/" + s.Name:     "prefix=" + prefix + "\nName: " + s.Name + "\n",
		"share/" + s.Name + "/needs":  b.needs(s),
		"share/" + s.Name + "/random": noise(string(s.Hash), b.Payload),
		".spack/spec.json":            string(s.Raw),
	}
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		mode := os.FileMode(0o644)
		if filepath.Dir(name) == "bin" {
			mode = 0o755
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			return err
		}
	}
	return os.Symlink(prefix+"/bin/"+s.Name, filepath.Join(dir, "bin", s.Name+"-link"))
}

// needs names the prefixes of what a package depends on.
func (b *Builder) needs(s *spack.Spec) string {
	text := ""
	for _, e := range s.Dependencies {
		if prefix, ok := b.Prefix(e.Hash); ok && e.Types&spack.LinkRun != 0 {
			text += e.Name + " " + prefix + "/lib\n"
		}
	}
	return text
}

// noise is n bytes that do not compress, always the same for a seed.
func noise(seed string, n int) string {
	out := make([]byte, n)
	state := uint64(14695981039346656037)
	for _, c := range []byte(seed) {
		state = (state ^ uint64(c)) * 1099511628211
	}
	for i := range out {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		out[i] = byte(state >> 32)
	}
	return string(out)
}
