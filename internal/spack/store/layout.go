package store

import (
	"fmt"
	"path/filepath"
	"strings"

	"esd/internal/spack"
)

// placeholder is the component with which Spack pads roots
// (SPACK_PATH_PADDING_CHARS in util/path.py).
const placeholder = "__spack_path_placeholder__"

// Pad lengthens root to length bytes by components of a fixed name, the last
// one cut, as add_padding in Spack's util/path.py does. A root that is already
// as long stays as it is.
func Pad(root string, length int) string {
	missing := length - len(root) - 1 // one is the separator
	if missing < 0 {
		return root
	}
	unit := len(placeholder) + 1
	padding := strings.Repeat(placeholder+"/", missing/unit) + placeholder[:missing%unit]
	if strings.HasSuffix(padding, "/") { // a separator at the end would get lost
		padding = padding[:len(padding)-1] + "_"
	}
	return filepath.Join(root, padding)
}

// Prefix is the directory of a package: for one that the system provides, where
// it says; for others, what the projection makes of it below the root.
func (s *Store) Prefix(spec *spack.Spec) (string, error) { return s.prefixAmong(spec, nil) }

// prefixAmong is Prefix for projections that name the compiler, which since
// Spack 1.0 is a dependency and has to be looked up in all.
func (s *Store) prefixAmong(spec *spack.Spec, all spack.Specs) (string, error) {
	return s.prefixIn(s.projection, spec, all)
}

func (s *Store) prefixIn(projection spack.Projection, spec *spack.Spec, all spack.Specs) (string, error) {
	if spec.External != nil {
		return spec.External.Path, nil
	}
	if !spec.Hash.Valid() {
		return "", fmt.Errorf("%s has no valid hash, but %q", spec.Name, spec.Hash)
	}
	relative, err := projection.Path(spec, all)
	if err != nil {
		return "", err
	}
	switch first, _, below := strings.Cut(relative, "/"); {
	case first == databaseDir, first == "bin" && !below:
		return "", fmt.Errorf("the projection %q puts %s into %s, which is the store's own; choose another one", projection, label(spec), first)
	}
	return filepath.Join(s.root, filepath.FromSlash(relative)), nil
}

// inside gives a prefix relative to the root. It is an error for prefixes that
// are not below it: nothing else may be removed or overwritten.
func (s *Store) inside(prefix string) (string, error) {
	relative, err := filepath.Rel(s.root, prefix)
	if err != nil || !filepath.IsLocal(relative) || relative == "." || strings.HasPrefix(relative, databaseDir) {
		return "", fmt.Errorf("%q: %w %s", prefix, ErrOutside, s.root)
	}
	return relative, nil
}
