package importer

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"esd/internal/spack/manifest"
	"esd/internal/spack/manifest/yamlnode"
)

// What Spack itself writes above a new environment is not worth keeping.
var spackHeader = []string{"This is a Spack Environment file.", "", "It describes a set of packages to be installed, along with", "configuration settings."}

// importSpack makes a configuration of a spack.yaml.
func importSpack(path string, opts Options) (*configuration, error) {
	if exists(path, "spack.yaml") {
		path = filepath.Join(path, "spack.yaml")
	}
	m, err := readManifest(path)
	if err != nil {
		return nil, err
	}
	name := label(opts.Name)
	if opts.Name == "" {
		name = nameOf(path)
	}
	c := &configuration{name: name, source: path, example: true}
	if opts.Keep {
		c.environments = []*environmentBlock{{name: name, from: pathFor(opts.Dir, path)}}
		if opts.SpackRef != "" {
			c.useSpack(opts.SpackRef, nil)
		}
		return c, nil
	}
	i := &spackImport{configuration: c, m: m, path: path, opts: opts, converter: newConverter(m.File), env: &environmentBlock{name: name}}
	c.environments = append(c.environments, i.env)
	if err := i.all(); err != nil {
		return nil, err
	}
	return c, nil
}

func readManifest(path string) (*manifest.Manifest, error) {
	src, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return manifest.Parse(src, path)
}

// nameOf makes a name of a path: that of the directory for a spack.yaml, else
// that of the file.
func nameOf(path string) string {
	base := filepath.Base(path)
	if base != "spack.yaml" {
		return label(strings.TrimSuffix(base, filepath.Ext(base)))
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "main"
	}
	return label(filepath.Base(filepath.Dir(abs)))
}

// pathFor is a path to be written in a configuration: relative to its
// directory.
func pathFor(dir, path string) string {
	if filepath.IsAbs(path) && !filepath.IsAbs(dir) {
		if abs, err := filepath.Abs(dir); err == nil {
			dir = abs
		}
	}
	return relative(dir, path)
}

// spackImport is one environment being imported.
type spackImport struct {
	*configuration
	m         *manifest.Manifest
	path      string
	opts      Options
	converter *converter
	env       *environmentBlock
	// placeholders are values that the tool around Spack would have replaced.
	placeholders map[string]string
}

// all carries over the sections, then what they include.
func (i *spackImport) all() error {
	i.header()
	if err := i.specs(); err != nil {
		return err
	}
	for _, e := range i.m.Sections {
		if err := i.section(e); err != nil {
			return err
		}
	}
	for _, e := range i.m.Unknown {
		i.lose(e.Position, e.Name(), "Spack has no such section, and neither has esd")
	}
	if err := i.included(); err != nil {
		return err
	}
	if i.opts.SpackRef != "" && i.env.spack == "" {
		i.useSpack(i.opts.SpackRef, nil)
	}
	return nil
}

func (i *spackImport) lose(at yamlnode.Position, what, why string, args ...any) {
	i.env.notes = append(i.env.notes, lost(i.m.Name, at, what, why, args...))
}

func (i *spackImport) note(at yamlnode.Position, what, why string, args ...any) {
	i.env.notes = append(i.env.notes, changed(i.m.Name, at, what, why, args...))
}

// header takes the comments at the top of the file.
func (i *spackImport) header() {
	if len(i.m.Root.Entries) == 0 {
		return
	}
	for _, line := range i.m.Above(i.m.Root.Entries[0].Line) {
		if !slices.Contains(spackHeader, line) {
			i.head = append(i.head, line)
		}
	}
}

func (i *spackImport) specs() error {
	list, err := i.m.SpecList()
	if err != nil {
		return err
	}
	lines := map[int]int{} // how many specs come of a line
	for _, s := range list.Specs {
		lines[s.Line]++
	}
	seen := map[string]bool{}
	for _, s := range list.Specs {
		m := member{value: text(s.Text)}
		if !i.converter.used[s.Line] {
			i.converter.used[s.Line] = true
			m.above = i.m.Above(s.Line)
			if beside := i.m.Beside(s.Line); lines[s.Line] == 1 {
				m.beside = beside
			} else if beside != "" {
				m.above = append(m.above, beside)
			}
		}
		if seen[s.Text] {
			i.note(s.Position, s.Text, "it is listed twice, and written once")
			continue
		}
		seen[s.Text] = true
		i.env.specs = append(i.env.specs, m)
		i.env.below = i.m.Below(s.Line)
	}
	i.aboutSpecs(list)
	return nil
}

func (i *spackImport) aboutSpecs(list *manifest.SpecList) {
	if list.Expanded {
		i.note(sectionPosition(i.m, "specs"), "specs", "definitions and matrices are written out: %d specs", len(i.env.specs))
	}
	for _, c := range list.Conditions {
		i.lose(c.Position, c.What, "it holds only `when: %s`, which is Python about the host; where it is so, add its specs", c.When)
	}
	for _, g := range list.Groups {
		if len(g.Needs)+len(g.Settings) > 0 {
			i.lose(g.Position, "group "+g.Name, "its specs are listed, but %s; settings of their own need an environment of their own", listing(append(prefixed("needs: ", g.Needs), g.Settings...)))
		}
	}
	if len(i.env.specs) == 0 {
		i.note(sectionPosition(i.m, "specs"), "specs", "there are none; an environment needs at least one")
	}
}

func prefixed(prefix string, list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return []string{prefix + strings.Join(list, ", ")}
}

// listing says what of a list is left out.
func listing(list []string) string { return strings.Join(list, ", ") + " is left out" }

func sectionPosition(m *manifest.Manifest, name string) yamlnode.Position {
	for _, e := range m.Sections {
		if e.Key == name {
			return e.Position
		}
	}
	return yamlnode.Position{Line: 1}
}

// useSpack names the Spack to use; the first call decides.
func (c *configuration) useSpack(ref string, above []string) *spackBlock {
	if len(c.spacks) > 0 {
		return c.spacks[0]
	}
	s := &spackBlock{name: spackName(ref), repository: "https://github.com/spack/spack.git", ref: ref, above: above}
	if packages := packagesRef(ref); packages != "" {
		s.packages = append(s.packages, packageRepository{name: "builtin", repository: "https://github.com/spack/spack-packages.git", ref: packages})
	}
	c.spacks = append(c.spacks, s)
	for _, e := range c.environments {
		e.spack = s.name
	}
	return s
}

// spackName makes the name of the block: v1 of v1.0.2 and releases/v1.0.
func spackName(ref string) string {
	base := ref[strings.LastIndexByte(ref, '/')+1:]
	var major int
	if n, err := fmt.Sscanf(base, "v%d.", &major); n == 1 && err == nil {
		return fmt.Sprintf("v%d", major)
	}
	return "spack"
}

// packagesRef is the release of the package repository that came out with a
// release of Spack; until 0.23 the two were one.
func packagesRef(ref string) string {
	base := ref[strings.LastIndexByte(ref, '/')+1:]
	for _, known := range []struct{ prefix, ref string }{{"v0.", ""}, {"v1.0", "v2025.07.0"}, {"v1.1", "v2025.11.0"}} {
		if strings.HasPrefix(base, known.prefix) {
			return known.ref
		}
	}
	return "develop"
}
