// Package manifest reads and writes spack.yaml, the file in which a Spack
// environment is described, and reads Spack's other configuration files, which
// have the same sections.
//
// Values keep their order, their place and their spelling (package yamlnode):
// a version 3.10 stays "3.10". Nothing is looked up on the machine: `when`
// conditions, which are Python code about the host, are reported and not
// judged.
package manifest

import (
	"slices"
	"strings"

	"esd/internal/spack/manifest/yamlnode"
)

// sections are the sections that Spack knows, in 0.23 or in 1.x
// (lib/spack/spack/schema/merged.py and env.py).
var sections = []string{
	"bootstrap", "cdash", "ci", "compilers", "concretizer", "config", "container", "definitions", "develop", "env_vars",
	"include", "include_concrete", "mirrors", "modules", "packages", "repos", "specs", "toolchains", "upstreams", "view",
}

// KnownSections lists the names of sections that Spack knows.
func KnownSections() []string { return slices.Clone(sections) }

// Manifest is a spack.yaml, or another configuration file of Spack.
type Manifest struct {
	*yamlnode.File
	// Sections are what stands in the file, in its order.
	Sections []yamlnode.Entry
	// Unknown are keys that Spack knows in none of its versions.
	Unknown []yamlnode.Entry
}

// Parse reads a spack.yaml. The name is for messages.
func Parse(src []byte, name string) (*Manifest, error) {
	file, err := yamlnode.Parse(src, name)
	if err != nil {
		return nil, err
	}
	return New(file)
}

// New is Parse for a file that was read already.
func New(file *yamlnode.File) (*Manifest, error) {
	body := file.Root.Get("spack")
	if body == nil {
		body = file.Root.Get("env") // the name until Spack 0.20
	}
	if body == nil {
		return nil, file.Root.Errorf(file.Name, `there is no "spack:" at the top; this is no spack.yaml`)
	}
	return fromMap(file, body)
}

// ParseConfig reads a configuration file of Spack: packages.yaml, or one that
// an environment includes, which may be a spack.yaml too.
func ParseConfig(src []byte, name string) (*Manifest, error) {
	file, err := yamlnode.Parse(src, name)
	if err != nil {
		return nil, err
	}
	if body := file.Root.Get("spack"); body != nil {
		return fromMap(file, body)
	}
	return fromMap(file, file.Root)
}

func fromMap(file *yamlnode.File, body *yamlnode.Node) (*Manifest, error) {
	if err := body.Expect(yamlnode.Map, file.Name, "what an environment consists of"); err != nil {
		return nil, err
	}
	m := &Manifest{File: file}
	for _, e := range body.Entries {
		if err := checkSection(file.Name, e); err != nil {
			return nil, err
		}
		if slices.Contains(sections, e.Key) {
			m.Sections = append(m.Sections, e)
		} else {
			m.Unknown = append(m.Unknown, e)
		}
	}
	return m, nil
}

// checkSection checks what everything else relies upon.
func checkSection(file string, e yamlnode.Entry) error {
	switch e.Key {
	case "specs", "definitions", "include", "include_concrete":
		return e.Value.Expect(yamlnode.List, file, e.Key)
	case "bootstrap", "cdash", "ci", "concretizer", "config", "container", "develop", "env_vars", "mirrors", "modules", "packages", "toolchains", "upstreams":
		return e.Value.Expect(yamlnode.Map, file, e.Key)
	}
	return nil
}

// Section is the value of a section; nil if there is none.
func (m *Manifest) Section(name string) *yamlnode.Node {
	for _, e := range m.Sections {
		if e.Key == name {
			return e.Value
		}
	}
	return nil
}

// Config are the sections that configure Spack, in Go's own types: all but the
// specs, what they are made of, and what names other files.
func (m *Manifest) Config() map[string]any {
	config := map[string]any{}
	for _, e := range m.Sections {
		if !slices.Contains([]string{"specs", "definitions", "include", "include_concrete"}, e.Key) {
			config[e.Name()] = e.Value.Plain()
		}
	}
	return config
}

// Unify is how the specs are concretized: "true" together, "false" each by
// itself, "when_possible". Together is Spack's default.
func (m *Manifest) Unify() string {
	if unify := m.Section("concretizer").Get("unify"); unify.IsScalar() {
		return strings.ToLower(unify.Text)
	}
	return "true"
}
