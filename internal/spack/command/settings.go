package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Settings are the configuration of an [Instance]. All paths are absolute.
type Settings struct {
	// Dir is where the instance keeps its configuration and, between runs, what
	// Spack learns from recipes (most of a minute of CPU time). Several processes
	// may use the same.
	Dir string
	// Store is where packages are installed.
	Store Store
	// Stage is where packages are built, by default Dir/stage. Debug information
	// and some packages record it.
	Stage string
	// SourceCache is where Spack keeps what it fetches, by default Dir/sources.
	SourceCache string
	// Repositories are the package repositories, the preferred one first. Without
	// any, Spack uses what it comes with, which is to fetch them itself in 1.x.
	Repositories []Repository
	// Mirrors are all the mirrors there are: none of Spack's own is used.
	Mirrors []Mirror
	// Config are further sections of configuration ("packages", "compilers",
	// "bootstrap", …) as JSON can show them, without the name of the section at
	// the top. What this package sets itself wins.
	Config map[string]any
	// Files are further files of the configuration scope by their names
	// ("packages.yaml", "linux/compilers.yaml"), taken as they are.
	Files map[string][]byte
	// Env are variables NAME=VALUE for Spack beside the few that it always gets;
	// the place for secrets, which mirrors name by variable.
	Env []string
	// Python runs Spack; empty: Spack looks for one.
	Python string
	// Run runs the commands; nil means [Exec].
	Run Runner
}

// Store is an install tree.
type Store struct {
	Root string
	// PaddedLength is the length to which Spack extends Root, 0 for none.
	PaddedLength int
	// Projections are the names of prefixes below Root by spec, "all" for the rest;
	// empty means those of Spack.
	Projections map[string]string
}

// Repository is a package repository.
type Repository struct {
	Namespace string
	Path      string // the directory with repo.yaml
}

// Mirror is a mirror of sources, of packages, or of both.
type Mirror struct {
	Name, URL        string
	Source, Binary   bool
	Signed           bool   // packages of it must be signed
	IDVariable       string // environment variable with the user, "" for none
	PasswordVariable string
}

// member and object write JSON in a given order: the order of repositories
// matters to Spack.
type member struct {
	key   string
	value any
}
type object []member

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// marshal is JSON that is YAML too, without the escapes that are for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// given are the files of the scope that the caller decides about.
func (s *Settings) given() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, text := range s.Files {
		if !filepath.IsLocal(name) || !strings.HasSuffix(name, ".yaml") {
			return nil, fmt.Errorf("%q is no file of a configuration scope: give a relative path that ends in .yaml", name)
		}
		files[filepath.Clean(name)] = text
	}
	for _, section := range slices.Sorted(maps.Keys(s.Config)) {
		name := section + ".yaml"
		if files[name] != nil {
			return nil, fmt.Errorf("the configuration section %q is given twice, as data and as a file", section)
		}
		text, err := marshal(object{{section, s.Config[section]}})
		if err != nil {
			return nil, fmt.Errorf("configuration section %q: %w", section, err)
		}
		files[name] = text
	}
	return files, nil
}

// own are the files of the scope that comes before all others, the
// environment's included.
func (s *Settings) own(spack *Spack, hasInstallers bool) (map[string][]byte, error) {
	sections := []member{{"config", s.config(hasInstallers)}, {"mirrors:", s.mirrors()}, {"concretizer", object{{"reuse", false}}}}
	if len(s.Repositories) > 0 {
		sections = append(sections, member{"repos:", s.repositories(spack.Version)})
	}
	files := map[string][]byte{}
	for _, section := range sections {
		text, err := marshal(object{section})
		if err != nil {
			return nil, err
		}
		files[strings.TrimSuffix(section.key, ":")+".yaml"] = text
	}
	return files, nil
}

// config is the section "config" (spack/schema/config.py).
func (s *Settings) config(hasInstallers bool) object {
	tree := object{{"root", s.Store.Root}, {"padded_length", s.Store.PaddedLength}}
	if len(s.Store.Projections) > 0 {
		tree = append(tree, member{"projections", s.Store.Projections}) // maps are written sorted
	}
	c := object{
		{"install_tree:", tree},
		{"build_stage:", []string{s.Stage}},
		{"source_cache", s.SourceCache},
		{"test_stage", filepath.Join(s.Stage, "test")},
		{"locks", true},
		{"db_lock_timeout", 600},
		{"checksum", true},
		{"dirty", false},
		{"ccache", false},
	}
	if hasInstallers {
		// The new one takes the whole store for itself, and needs a terminal or a pipe for input.
		c = append(c, member{"installer", "old"})
	}
	return c
}

// mirrors is the section "mirrors". Its name ends in a colon where it is
// written, which makes Spack forget all others, its default one included.
func (s *Settings) mirrors() object {
	all := object{}
	for _, m := range s.Mirrors {
		entry := object{{"url", m.URL}, {"source", m.Source}, {"binary", m.Binary}, {"signed", m.Signed}}
		if m.IDVariable != "" && m.PasswordVariable != "" {
			entry = append(entry, member{"access_pair", object{{"id_variable", m.IDVariable}, {"secret_variable", m.PasswordVariable}}})
		}
		all = append(all, member{m.Name, entry})
	}
	return all
}

// repositories is the section "repos": a mapping since 1.0, a list before.
func (s *Settings) repositories(v Version) any {
	if !v.HasPackageRepositories() {
		var paths []string
		for _, r := range s.Repositories {
			paths = append(paths, r.Path)
		}
		return paths
	}
	byName := object{}
	for _, r := range s.Repositories {
		byName = append(byName, member{r.Namespace, r.Path})
	}
	return byName
}
