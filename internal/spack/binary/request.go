package binary

import (
	"fmt"
	"path"
	"strings"

	"esd/internal/archive"
	"esd/internal/spack"
	"esd/internal/spack/relocate"
)

// Request says which package is wanted from an archive, and where.
type Request struct {
	Spec  *spack.Spec
	Specs spack.Specs // with the link and run dependencies of Spec
	// Prefix is where the package will be used: what its files refer to.
	Prefix string
	// Dest is the directory that is made; "" for Prefix. Another one is right
	// where the tree is moved, or mounted at its prefix, before it is used.
	Dest string
	// Root is the root of the install tree without padding, where bin/sbang is.
	Root string
	// StoreRoot replaces the store root that the archive was made in; "" for Root.
	StoreRoot string
	// Locate gives the prefixes of other packages. What it does not know is
	// taken to be in StoreRoot.
	Locate func(spack.Hash) (prefix string, ok bool)
	Limits archive.Limits // zero: those of [archive.DefaultLimits], and 1,000,000 files
	// NoSync leaves it to the operating system when the files get to the disk:
	// right for trees that are thrown away after a crash.
	NoSync bool
	// TempDir is for what [Layer] cannot keep in memory; "" for [os.TempDir].
	//
	// [os.TempDir]: https://pkg.go.dev/os#TempDir
	TempDir string
}

func (r *Request) storeRoot() string {
	if r.StoreRoot == "" {
		return r.Root
	}
	return r.StoreRoot
}

func (r *Request) dest() string {
	if r.Dest == "" {
		return r.Prefix
	}
	return r.Dest
}

// check finds what is wrong with a request by itself.
func (r *Request) check() error {
	switch {
	case r.Spec == nil || !r.Spec.Hash.Valid():
		return fmt.Errorf("binary: the request names no concrete package")
	case r.Spec.IsExternal():
		return fmt.Errorf("binary: %s is an external package, which has no archive", r.Spec.ID())
	case r.Spec.BuildSpec != nil:
		return fmt.Errorf("%w: %s is spliced", ErrNotSupported, r.Spec.ID())
	}
	for _, p := range []string{r.Prefix, r.Root, r.storeRoot()} {
		if !path.IsAbs(p) || path.Clean(p) != p || strings.IndexByte(p, 0) >= 0 {
			return &relocate.PrefixError{Prefix: p, Why: "it is not a clean absolute path"}
		}
	}
	return nil
}

// RelocationSpecs lists the packages that an install may refer to: itself, its
// transitive link dependencies, what is nearer first, and its direct run
// dependencies; no externals. (specs_to_relocate in binary_distribution.py.)
func RelocationSpecs(spec *spack.Spec, all spack.Specs) []*spack.Spec {
	with := all
	if all[spec.Hash] == nil {
		with = spack.Specs{spec.Hash: spec}
		for h, s := range all {
			with[h] = s
		}
	}
	seen := map[spack.Hash]bool{}
	var list []*spack.Spec
	add := func(s *spack.Spec) {
		if s != nil && !seen[s.Hash] && !s.IsExternal() {
			seen[s.Hash] = true
			list = append(list, s)
		}
	}
	for _, s := range with.Closure(spack.Link, spec.Hash) {
		add(s)
	}
	for _, e := range spec.Dependencies {
		if e.Types&spack.Run != 0 {
			add(with[e.Hash])
		}
	}
	return list
}

// relocation gives what is replaced by what, in the order of relocate_package:
// sbang, single packages, and the store for all that remains.
func relocation(m *Metadata, r *Request) (*relocate.Map, error) {
	var list []relocate.Replacement
	if m.SbangPath != "" {
		list = append(list, relocate.Replacement{Old: m.SbangPath, New: relocate.SbangPath(r.Root)})
	}
	old := make(map[spack.Hash]string, len(m.Prefixes))
	for _, p := range m.Prefixes {
		old[p.Hash] = p.Prefix
	}
	for _, s := range RelocationSpecs(r.Spec, r.Specs) {
		from, known := old[s.Hash]
		to, located := r.Prefix, true
		if s.Hash != r.Spec.Hash {
			if r.Locate == nil {
				continue
			}
			to, located = r.Locate(s.Hash)
		}
		if known && located {
			list = append(list, relocate.Replacement{Old: from, New: to})
		}
	}
	list = append(list, relocate.Replacement{Old: m.StoreRoot, New: r.storeRoot()})
	rm, err := relocate.New(list)
	if err != nil {
		return nil, badMetadata("%w", err)
	}
	return rm, nil
}

// verify finds what speaks against an archive, given its prefix ("" when that
// is not known) and its metadata.
func (r *Request) verify(m *Metadata, prefix string) error {
	own := m.Prefix(r.Spec.Hash)
	if prefix == "" {
		prefix = own
	}
	switch {
	case own == "" || own != prefix:
		return &OtherPackageError{Wanted: r.Spec.Hash, Prefix: prefix}
	case r.Spec.Arch.Platform == "darwin" && len(m.Binaries) > 0:
		return fmt.Errorf("%w: %s has Mach-O files", ErrNotSupported, r.Spec.ID())
	case m.RelativeRpaths:
		return fmt.Errorf("%w: it was made with relative RPATHs, by Spack before 0.20", ErrNotSupported)
	}
	return nil
}
