package manifest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"esd/internal/spack/manifest/yamlnode"
)

// Bounds for included files.
const (
	maxIncludes     = 200
	maxIncludeDepth = 20
)

// Included is a configuration file that a manifest includes, by whatever way.
type Included struct {
	// Path is where the file lies: absolute, or relative as the manifest's
	// directory was.
	Path     string
	Manifest *Manifest
	// By is the input that led to it.
	By Input
}

// Followed is what a manifest includes and refers to, with what its includes
// include.
type Followed struct {
	// Files are the included configuration files, what has precedence first.
	Files []Included
	// Inputs are all other inputs of the manifest and of the files; Local is
	// relative to the manifest's directory.
	Inputs []Input
	// Missing are inputs with a path on this machine at which nothing is.
	Missing []Input
}

// Follow reads what a manifest in dir includes from this machine.
func (m *Manifest) Follow(dir string) (*Followed, error) {
	f := &follower{found: &Followed{}, root: dir}
	if err := f.manifest(m, dir, 0); err != nil {
		return nil, err
	}
	return f.found, nil
}

type follower struct {
	found *Followed
	root  string
	open  []string // files being followed, against circles
	count int
}

func (f *follower) manifest(m *Manifest, dir string, depth int) error {
	inputs, err := m.Inputs()
	if err != nil {
		return err
	}
	for _, in := range inputs {
		place := filepath.FromSlash(in.Local)
		if in.Local != "" && !filepath.IsAbs(place) {
			place = filepath.Join(dir, place)
			if rel, err := filepath.Rel(f.root, place); err == nil {
				in.Local = filepath.ToSlash(rel)
			}
		}
		info, err := stat(in.Local, place)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", m.Name, err)
		case info == nil && in.Local != "":
			f.found.Missing = append(f.found.Missing, in)
		case info == nil || in.Kind != InputConfig || in.When != "":
			f.found.Inputs = append(f.found.Inputs, in)
		default:
			if err := f.config(in, place, info.IsDir(), depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// stat is nil where nothing is.
func stat(local, place string) (fs.FileInfo, error) {
	if local == "" {
		return nil, nil
	}
	info, err := os.Stat(place)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, err
}

// config reads an included file, or the files of an included directory: a
// configuration scope.
func (f *follower) config(in Input, place string, isDir bool, depth int) error {
	if !isDir {
		return f.file(in, place, depth)
	}
	names := []string{"spack.yaml"}
	for _, section := range sections {
		names = append(names, section+".yaml")
	}
	for _, name := range names {
		info, err := os.Stat(filepath.Join(place, name))
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if err := f.file(in, filepath.Join(place, name), depth); err != nil {
			return err
		}
	}
	return nil
}

func (f *follower) file(in Input, place string, depth int) error {
	f.count++
	switch {
	case f.count > maxIncludes || depth > maxIncludeDepth:
		return fmt.Errorf("%s is one of more than %d included files, or included more than %d deep", place, maxIncludes, maxIncludeDepth)
	case slices.Contains(f.open, place):
		return fmt.Errorf("%s includes itself: %s", place, strings.Join(append(f.open, place), " > "))
	}
	m, err := ReadConfigFile(place)
	if err != nil {
		return err
	}
	f.found.Files = append(f.found.Files, Included{place, m, in})
	f.open = append(f.open, place)
	err = f.manifest(m, filepath.Dir(place), depth+1)
	f.open = f.open[:len(f.open)-1]
	return err
}

// ReadFile reads a spack.yaml from disk.
func ReadFile(name string) (*Manifest, error) {
	src, err := readBounded(name)
	if err != nil {
		return nil, err
	}
	return Parse(src, name)
}

// ReadConfigFile reads any configuration file of Spack from disk.
func ReadConfigFile(name string) (*Manifest, error) {
	src, err := readBounded(name)
	if err != nil {
		return nil, err
	}
	return ParseConfig(src, name)
}

// readBounded reads one byte more than is accepted, so that a file too large
// is seen without being read to its end.
func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is no file", name))
	}
	return io.ReadAll(io.LimitReader(f, yamlnode.MaxSize+1))
}
