package manifest

import (
	"net/url"
	"path"
	"strings"

	"esd/internal/spack/manifest/yamlnode"
)

// InputKind is what kind of thing a manifest refers to.
type InputKind string

// The kinds of inputs.
const (
	// InputConfig is a configuration file, or a directory of them.
	InputConfig InputKind = "configuration"
	// InputRepo is a package repository: a directory.
	InputRepo InputKind = "package repository"
	// InputEnvironment is another environment, whose lock is used.
	InputEnvironment InputKind = "environment"
	// InputSource is the source of a package that is developed in place.
	InputSource InputKind = "source"
)

// Input is a file or directory outside the manifest that decides what comes of
// it: its content belongs to the content key of the environment.
type Input struct {
	yamlnode.Position
	Kind InputKind
	Name string // of a repository or a package, where it has one
	// Path is what stands in the file.
	Path string
	// Local is a path with slashes on this machine, relative to the manifest's
	// directory or absolute. It is empty for what is not here (URL or Git say
	// where) and for what only Spack can resolve (Why says so).
	Local string
	URL   string // http(s), ftp …
	Git   *Git
	Why   string
	// Optional tells that a missing file is no error.
	Optional bool
	When     string // Python code; empty for always
	SHA256   string // of a remote file, if it is pinned
}

// Git is a place in a repository.
type Git struct {
	URL, Branch, Commit, Tag string
	Paths                    []string // files or directories in it; empty for Spack's own choice
}

// Pinned reports whether the place always has the same content.
func (g Git) Pinned() bool { return len(g.Commit) == 40 }

// Inputs lists what the manifest refers to, in the order of the file. An
// included file may refer to more: see Follow.
func (m *Manifest) Inputs() ([]Input, error) {
	var list []Input
	for _, e := range m.Sections {
		var inputs []Input
		var err error
		switch e.Key {
		case "include":
			inputs, err = m.includes(e.Value)
		case "include_concrete":
			inputs, err = m.environments(e.Value)
		case "repos":
			inputs, err = m.repos(e.Value)
		case "develop":
			inputs, err = m.develop(e.Value)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, inputs...)
	}
	return list, nil
}

func (m *Manifest) includes(section *yamlnode.Node) ([]Input, error) {
	var list []Input
	for _, item := range section.Items {
		in := Input{Kind: InputConfig, Position: item.Position}
		switch {
		case item.IsScalar():
			in.place(item.Text)
		case item.Kind == yamlnode.Map:
			if err := m.include(&in, item); err != nil {
				return nil, err
			}
		default:
			return nil, item.Errorf(m.Name, "an include must be a path or a map, and is %s", item.Kind)
		}
		list = append(list, in)
	}
	return list, nil
}

// include reads the long form (lib/spack/spack/schema/include.py).
func (m *Manifest) include(in *Input, item *yamlnode.Node) error {
	text := func(key string) string {
		if v := item.Get(key); v.IsScalar() {
			return v.Text
		}
		return ""
	}
	in.Optional, in.When, in.SHA256 = item.Get("optional").True(), text("when"), text("sha256")
	if text("git") == "" && text("path") == "" {
		return item.Errorf(m.Name, "an include has a path or a git repository, and this one has none")
	}
	if p := text("path"); p != "" {
		in.place(p)
		return nil
	}
	paths, err := item.Get("paths").Strings(m.Name, "paths")
	if err != nil {
		return err
	}
	in.Path = text("git")
	in.Git = &Git{URL: text("git"), Branch: text("branch"), Commit: text("commit"), Tag: text("tag"), Paths: paths}
	return nil
}

func (m *Manifest) environments(section *yamlnode.Node) ([]Input, error) {
	paths, err := section.Strings(m.Name, "include_concrete")
	if err != nil {
		return nil, err
	}
	list := make([]Input, len(paths))
	for i, p := range paths {
		list[i] = Input{Kind: InputEnvironment, Position: section.Items[i].Position}
		list[i].place(p)
	}
	return list, nil
}

// repos reads both forms: a list of paths (0.23), and a map by namespace (1.x)
// (lib/spack/spack/schema/repos.py).
func (m *Manifest) repos(section *yamlnode.Node) ([]Input, error) {
	var list []Input
	add := func(at yamlnode.Position, name, p string) {
		in := Input{Kind: InputRepo, Position: at, Name: name}
		in.place(p)
		list = append(list, in)
	}
	switch section.Kind {
	case yamlnode.Null:
	case yamlnode.List:
		paths, err := section.Strings(m.Name, "repos")
		if err != nil {
			return nil, err
		}
		for i, p := range paths {
			add(section.Items[i].Position, "", p)
		}
	case yamlnode.Map:
		for _, e := range section.Entries {
			switch {
			case e.Value.IsScalar():
				add(e.Position, e.Key, e.Value.Text)
			case e.Value.Kind == yamlnode.Map && e.Value.Has("git"):
				in := Input{Kind: InputRepo, Position: e.Position, Name: e.Key}
				if err := m.include(&in, e.Value); err != nil {
					return nil, err
				}
				list = append(list, in)
			case e.Value.Kind != yamlnode.Null && e.Value.Kind != yamlnode.Map:
				return nil, e.Value.Errorf(m.Name, "the repository %s must be a path or a map, and is %s", e.Key, e.Value.Kind)
			}
		}
	default:
		return nil, section.Errorf(m.Name, "repos must be a list or a map, and is %s", section.Kind)
	}
	return list, nil
}

func (m *Manifest) develop(section *yamlnode.Node) ([]Input, error) {
	var list []Input
	for _, e := range section.Entries {
		if err := e.Value.Expect(yamlnode.Map, m.Name, "develop "+e.Key); err != nil {
			return nil, err
		}
		in := Input{Kind: InputSource, Position: e.Position, Name: e.Key}
		p := e.Key // the default is a directory of the package's name
		if v := e.Value.Get("path"); v.IsScalar() {
			p = v.Text
		}
		in.place(p)
		list = append(list, in)
	}
	return list, nil
}

// place finds out where a path leads (lib/spack/spack/util/path.py): Spack puts
// in variables of its own, those of the shell, and home directories.
func (in *Input) place(p string) {
	in.Path = p
	scheme, rest, isURL := strings.Cut(p, "://")
	switch {
	case isURL && scheme == "file":
		if u, err := url.Parse(p); err == nil && u.Path != "" {
			rest = u.Path
		}
		in.Local = path.Clean(rest)
		return
	case isURL:
		in.URL = p
		return
	case strings.HasPrefix(p, "~"):
		in.Why = "it lies in a home directory"
		return
	}
	// $env and ${env} are the directory of the manifest.
	local := p
	for _, prefix := range []string{"$env/", "${env}/"} {
		if after, ok := strings.CutPrefix(local, prefix); ok {
			local = "./" + after
		}
	}
	switch {
	case strings.HasPrefix(local, "$spack/"), strings.HasPrefix(local, "${spack}/"):
		in.Why = "it is part of Spack itself"
	case strings.Contains(local, "$"):
		in.Why = "it has a variable that only Spack or a shell can replace"
	case local == "" || strings.ContainsRune(local, 0):
		in.Why = "it is no path"
	default:
		in.Local = path.Clean(local)
	}
}
