package lockfile

import (
	"fmt"
	"slices"
	"strings"

	"esd/internal/spack"
)

// compare tells what is different about a package.
func compare(from, to *spack.Spec) Change {
	c := Change{From: from, To: to}
	c.own(from.Version, to.Version)
	c.parameters()
	if from.FileVersion == to.FileVersion {
		c.own(compilerText(from), compilerText(to))
	}
	if from.Arch != to.Arch {
		c.own("arch="+from.Arch.String(), "arch="+to.Arch.String())
	}
	c.own(from.Namespace, to.Namespace)
	c.own(externalText(from), externalText(to))
	if !slices.Equal(from.Patches, to.Patches) {
		c.Own = append(c.Own, "patches changed")
	}
	if from.PackageHash != to.PackageHash {
		c.Own = append(c.Own, "recipe changed")
	}
	c.buildSpec()
	c.dependencies()
	return c
}

// own notes a change of something that can be shown.
func (c *Change) own(from, to string) {
	switch {
	case from == to:
	case from == "":
		c.Own = append(c.Own, to+" new")
	case to == "":
		c.Own = append(c.Own, from+" gone")
	default:
		c.Own = append(c.Own, from+" → "+to)
	}
}

// compilerText is empty from specfile 5 on: there it is a dependency.
func compilerText(s *spack.Spec) string {
	if s.Compiler == nil {
		return ""
	}
	return "%" + s.Compiler.Name + "@" + s.Compiler.Version
}

func externalText(s *spack.Spec) string {
	switch {
	case s.External == nil:
		return "built"
	case s.External.Path != "":
		return "external at " + s.External.Path
	}
	return "external of module " + strings.Join(s.External.Modules, " ")
}

// parameters compares variants and flags; all but the patches, which are told
// by themselves.
func (c *Change) parameters() {
	for _, p := range c.From.Parameters {
		switch i := parameter(c.To, p.Name); {
		case i < 0 && len(p.Values) > 0 && p.Name != "patches":
			c.own(p.String(), "")
		case i >= 0 && p.Name != "patches":
			c.own(p.String(), c.To.Parameters[i].String())
		}
	}
	for _, p := range c.To.Parameters {
		if parameter(c.From, p.Name) < 0 && len(p.Values) > 0 && p.Name != "patches" {
			c.own("", p.String())
		}
	}
}

func parameter(s *spack.Spec, name string) int {
	return slices.IndexFunc(s.Parameters, func(p spack.Parameter) bool { return p.Name == name })
}

func (c *Change) buildSpec() {
	was, is := c.From.BuildSpec, c.To.BuildSpec
	switch {
	case was == nil && is != nil:
		c.Own = append(c.Own, "spliced now")
	case was != nil && is == nil:
		c.Own = append(c.Own, "spliced no more")
	case was != nil && was.Hash != is.Hash:
		c.Own = append(c.Own, "spliced from another build")
	}
}

// dependencies compares edges by the names of packages, of which there may be
// two with one name.
func (c *Change) dependencies() {
	was, is := edgesByName(c.From), edgesByName(c.To)
	for _, name := range sortedNames(was, is) {
		a, b := was[name], is[name]
		switch {
		case len(a) == 0:
			c.Own = append(c.Own, "needs "+name+" now")
		case len(b) == 0:
			c.Own = append(c.Own, "needs "+name+" no more")
		case use(a) != use(b):
			c.Own = append(c.Own, fmt.Sprintf("needs %s for %s → %s", name, use(a), use(b)))
		}
		if len(a) > 0 && len(b) > 0 && hashes(a) != hashes(b) {
			c.Dependencies = append(c.Dependencies, name)
		}
	}
}

func edgesByName(s *spack.Spec) map[string][]spack.Edge {
	m := make(map[string][]spack.Edge, len(s.Dependencies))
	for _, e := range s.Edges(spack.Build | spack.LinkRun | spack.Test) {
		m[e.Name] = append(m[e.Name], e)
	}
	return m
}

func sortedNames(maps ...map[string][]spack.Edge) []string {
	var names []string
	for _, m := range maps {
		for name := range m {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// use is what dependencies are for: types, and what they provide.
func use(edges []spack.Edge) string {
	texts := make([]string, len(edges))
	for i, e := range edges {
		texts[i] = e.Types.String()
		if len(e.Virtuals) > 0 {
			texts[i] += " as " + strings.Join(e.Virtuals, ",")
		}
	}
	return strings.Join(texts, " and ")
}

func hashes(edges []spack.Edge) string {
	texts := make([]string, len(edges))
	for i, e := range edges {
		texts[i] = string(e.Hash)
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}

// maxNamed is how many dependencies are named in one line.
const maxNamed = 3

// String tells the change in one line: "neuron 8.2.4 → 8.2.6", "nest +mpi →
// ~mpi", "curl (hash only: dependency zlib-ng changed)".
func (c Change) String() string {
	switch {
	case len(c.Own) > 0:
		return c.From.Name + " " + strings.Join(c.Own, ", ")
	case len(c.Dependencies) == 0:
		return c.From.Name + " (hash only)"
	}
	named, word := c.Dependencies, "dependencies"
	if len(named) == 1 {
		word = "dependency"
	}
	more := ""
	if len(named) > maxNamed+1 {
		more = fmt.Sprintf(" and %d more", len(named)-maxNamed)
		named = named[:maxNamed]
	}
	return fmt.Sprintf("%s (hash only: %s %s%s changed)", c.From.Name, word, strings.Join(named, ", "), more)
}
