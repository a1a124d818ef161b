package environment

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"esd/internal/providers"
	"esd/internal/spack"
	"esd/internal/spack/manifest"
)

// existing is an environment of Spack that is taken as it is.
type existing struct {
	manifest []byte
	// files are what it includes from beside it, by path relative to it.
	files  map[string][]byte
	digest string   // over all of that
	repos  string   // where it names a package repository, if it does
	names  []string // of the packages that it asks for, as far as its specs have names
}

// readExisting reads a spack.yaml and what it includes.
func readExisting(path string) (*existing, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	m, err := manifest.Parse(data, path)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	followed, err := m.Follow(dir)
	if err != nil {
		return nil, err
	}
	for _, missing := range followed.Missing {
		if !missing.Optional {
			return nil, fmt.Errorf("%s:%d: %s %s is not there", path, missing.Line, missing.Kind, missing.Path)
		}
	}
	x := &existing{manifest: data, files: map[string][]byte{}}
	all := strings.Builder{}
	fmt.Fprintf(&all, "%d:%s", len(data), data)
	for _, f := range followed.Files {
		content, err := os.ReadFile(f.Path)
		if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(dir, f.Path)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(f.Path) // which section a file of a directory is
		switch {
		case filepath.IsLocal(rel):
			name, x.files[rel] = rel, content
		case !filepath.IsAbs(f.By.Path):
			return nil, fmt.Errorf("%s:%d: %s is not below the directory of the spack.yaml, where Spack will not find it when it concretizes: "+
				"move it there, or name it by an absolute path", path, f.By.Line, f.By.Path)
		}
		// How another place is named stands in the text that includes it; how one gets
		// there from here is not the same on each machine.
		fmt.Fprintf(&all, "%d:%s%d:%s", len(name), name, len(content), content)
	}
	for _, in := range followed.Inputs {
		if in.Kind != manifest.InputRepo {
			continue
		}
		x.repos = fmt.Sprintf("%s:%d", path, in.Line)
		if in.Local != "" && !filepath.IsAbs(in.Path) {
			return nil, fmt.Errorf("%s: the package repository %s is relative to the spack.yaml, where Spack will not find it when it concretizes: "+
				"write a package_repository into a spack block in its place", x.repos, in.Path)
		}
	}
	x.digest = providers.ShortDigest(all.String())
	list, err := m.SpecList()
	if err != nil {
		return nil, err
	}
	for _, s := range list.Specs {
		x.names = append(x.names, nameOf(s.Text)...)
	}
	return x, nil
}

// nameOf is the name of the package that a spec asks for, if it has one.
func nameOf(spec string) []string {
	if m, err := spack.Match(spec); err == nil && m.Name() != "" {
		return []string{m.Name()}
	}
	end := strings.IndexFunc(spec, func(r rune) bool { return strings.ContainsRune("@%+~^ =/[", r) })
	if end < 0 {
		end = len(spec)
	}
	if end == 0 {
		return nil
	}
	return []string{spec[:end]}
}
