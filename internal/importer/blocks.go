package importer

import (
	"fmt"
	"path/filepath"
	"strings"

	"esd/internal/spack/manifest/yamlnode"
)

// configuration is what is to be written.
type configuration struct {
	name         string
	source       string   // the file that was named
	head         []string // comments at the top
	notes        []Note   // about the whole
	spacks       []*spackBlock
	caches       []*cacheBlock
	cacheNames   map[string]int // how often a name was asked for
	environments []*environmentBlock
	targets      []*targetBlock
	// example asks for a deployment to be sketched in a comment.
	example bool
}

// spackBlock is a block `spack`.
type spackBlock struct {
	name, repository, ref string
	above                 []string
	packages              []packageRepository
}

type packageRepository struct {
	name, repository, ref, directory, path string
}

// cacheBlock is a block `cache`.
type cacheBlock struct {
	kind, name string // "buildcache" or "sources"
	above      []string
	attributes []member
}

func (c *cacheBlock) address() string { return "cache." + c.kind + "." + c.name }

// environmentBlock is a block `environment`.
type environmentBlock struct {
	name, spack string
	above       []string
	from        string
	specs       []member
	below       []string // comments behind the last spec
	config      value
	caches      []string
	attributes  []member // besides
	cpus        string
	notes       []Note
}

// targetBlock is a block `target`.
type targetBlock struct {
	kind, name string
	above      []string
	attributes []member
	notes      []Note
}

func lost(file string, at yamlnode.Position, what, why string, args ...any) Note {
	return Note{Position: at, File: file, Lost: true, What: what, Why: fmt.Sprintf(why, args...)}
}

func changed(file string, at yamlnode.Position, what, why string, args ...any) Note {
	return Note{Position: at, File: file, What: what, Why: fmt.Sprintf(why, args...)}
}

func (c *configuration) render() string {
	w := &writer{}
	w.verbatim(c.head)
	w.notes(c.notes)
	for _, s := range c.spacks {
		w.blank()
		s.render(w)
	}
	for _, b := range c.caches {
		w.blank()
		w.verbatim(b.above)
		w.open(fmt.Sprintf("cache %q %q", b.kind, b.name))
		w.members(b.attributes)
		w.close()
	}
	for _, e := range c.environments {
		w.blank()
		e.render(w)
	}
	for _, t := range c.targets {
		w.blank()
		w.verbatim(t.above)
		w.open(fmt.Sprintf("target %q %q", t.kind, t.name))
		w.members(t.attributes)
		w.notes(t.notes)
		w.close()
	}
	if c.example {
		w.blank()
		c.sketch(w)
	}
	return w.b.String()
}

// notes writes what was not carried over as comments.
func (w *writer) notes(notes []Note) {
	first := true
	for _, n := range notes {
		if !n.Lost {
			continue
		}
		if first {
			w.blank()
			first = false
		}
		w.comment(fmt.Sprintf("not carried over: %s (%s): %s", n.What, placeInComment(n), n.Why))
	}
}

func placeInComment(n Note) string {
	name := filepath.Base(n.File)
	if n.Line == 0 {
		return name
	}
	return fmt.Sprintf("%s:%d", name, n.Line)
}

func (w *writer) members(list []member) {
	for _, m := range list {
		w.assign(m.key, m, "")
	}
}

func (s *spackBlock) render(w *writer) {
	w.verbatim(s.above)
	w.open(fmt.Sprintf("spack %q", s.name))
	w.attribute("repository", text(s.repository))
	w.attribute("ref", text(s.ref))
	for _, p := range s.packages {
		w.blank()
		w.open(fmt.Sprintf("package_repository %q", p.name))
		for _, m := range []member{{key: "path", value: text(p.path)}, {key: "repository", value: text(p.repository)},
			{key: "ref", value: text(p.ref)}, {key: "directory", value: text(p.directory)}} {
			if m.value.text != "" {
				w.assign(m.key, m, "")
			}
		}
		w.close()
	}
	w.close()
}

func (e *environmentBlock) render(w *writer) {
	w.verbatim(e.above)
	w.open(fmt.Sprintf("environment %q", e.name))
	if e.spack != "" {
		w.attribute("spack", expression("spack."+e.spack))
	}
	if e.from != "" {
		w.attribute("from", text(e.from))
	} else {
		w.assign("specs", member{value: value{kind: yamlnode.List, members: e.specs, below: e.below}}, "")
	}
	if !e.config.isEmpty() {
		w.attribute("config", e.config)
	}
	if len(e.caches) > 0 {
		w.attribute("caches", expressions(e.caches))
	}
	w.members(e.attributes)
	if e.cpus != "" {
		w.blank()
		w.open("resources")
		w.attribute("cpus", number(e.cpus))
		w.close()
	}
	w.notes(e.notes)
	w.close()
}

// sketch shows in a comment what an environment is good for.
func (c *configuration) sketch(w *writer) {
	var names []string
	for _, e := range c.environments {
		names = append(names, "environment."+e.name)
	}
	w.verbatim([]string{
		"A deployment of it, for example:",
		"",
		fmt.Sprintf("target \"image\" %q {", c.name),
		"  packages = [" + strings.Join(names, ", ") + "]",
		`  base     = "debian:12-slim"`,
		fmt.Sprintf("  publish  = [%q]", "oci:dist/"+strings.ToLower(c.name)+":latest"),
		"}",
	})
}

// relative is a path as seen from a directory, with slashes; as it is where
// that cannot be told.
func relative(dir, path string) string {
	from, err1 := filepath.Abs(dir)
	to, err2 := filepath.Abs(path)
	if err1 != nil || err2 != nil {
		return filepath.ToSlash(path)
	}
	rel, err := filepath.Rel(from, to)
	if err != nil {
		return filepath.ToSlash(path)
	}
	return filepath.ToSlash(rel)
}
