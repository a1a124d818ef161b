package spack

import (
	"fmt"
	"path"
	"strings"
)

// Projection is the template of the path of a package below the root of an
// install tree.
type Projection string

// The projections that an install tree has if its configuration names none
// (default_projections in Spack's directory_layout.py).
const (
	DefaultProjection    Projection = "{architecture.platform}-{architecture.target}/{name}-{version}-{hash}"
	DefaultProjection023 Projection = "{architecture}/{compiler.name}-{compiler.version}/{name}-{version}-{hash}"
)

// Check tells what is wrong with a projection, whatever the package.
func (p Projection) Check() error {
	_, err := p.components()
	return err
}

// components are the directories of the path. Spack turns all of a projection
// to lower case.
func (p Projection) components() ([]Template, error) {
	if strings.HasPrefix(string(p), "/") {
		return nil, fmt.Errorf("%w %q: it is an absolute path, and must be one below the root of an install tree", ErrTemplate, string(p))
	}
	if strings.Contains(string(p), "$") {
		return nil, fmt.Errorf("%w %q: variables of Spack's configuration cannot be used here", ErrTemplate, string(p))
	}
	var list []Template
	for part := range strings.SplitSeq(strings.ToLower(string(p)), "/") {
		if part == "" || part == "." {
			continue
		}
		t, err := ParseTemplate(part)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: a projection must not be empty; the default is %q", ErrTemplate, string(DefaultProjection))
	}
	return list, nil
}

// Path is where the package goes, relative to the root of the install tree;
// it never leaves it. The other specs are needed for what a projection says of
// compilers (of specfile 5) and dependencies.
func (p Projection) Path(s *Spec, all Specs) (string, error) {
	components, err := p.components()
	if err != nil {
		return "", err
	}
	names := make([]string, len(components))
	for i, t := range components {
		name, err := t.Format(s, all)
		if err != nil {
			return "", err
		}
		names[i] = polite(name)
		if names[i] == "" || names[i] == "." || names[i] == ".." {
			return "", fmt.Errorf("%w %q: for %s a part of the path would be %q", ErrTemplate, string(p), s.Name, names[i])
		}
	}
	return path.Join(names...), nil
}

// polite replaces what makes trouble in names of files (polite_filename in
// Spack's util/filesystem.py).
func polite(name string) string {
	return strings.Map(func(c rune) rune { // which copies only where it must
		if isWord(c) || c == '+' || c == '.' || c == '-' {
			return c
		}
		return '_'
	}, name)
}
