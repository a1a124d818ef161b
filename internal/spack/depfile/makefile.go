package depfile

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"esd/internal/spack"
)

// ErrMakefile marks what cannot be said in a Makefile.
var ErrMakefile = errors.New("no Makefile can be written")

// MakeOptions say how the Makefile is to look. The names of targets and
// variables are those of Spack's own, on which Makefiles build that include it.
type MakeOptions struct {
	// Environment is the directory of the Spack environment, absolute.
	Environment string
	// Prefix goes before all targets and before SPACK_PACKAGE_IDS. If it is nil,
	// targets are in .spack-env/makedeps of the environment, and have short
	// names as well.
	Prefix *string
	// NoJobserver keeps make's jobserver from Spack.
	NoJobserver bool
	// Spack is the program; "spack" if empty.
	Spack string
	// Syntax is that of the Spack that is to be called, in which comments show
	// the packages.
	Syntax spack.Syntax
}

// The human-readable specs, of Spack 0.23 and of 1.x (MakefileModel in
// Spack's environment/depfile.py).
const (
	specFormat023 = "{name}{@version}{%compiler}{variants}{arch=architecture}"
	specFormat    = "{name}{@version}{variants}{ platform=architecture.platform}{ os=architecture.os}{ target=architecture.target}"
)

// Makefile is the graph for GNU make. It means the same as Spack's own: each
// package is one call of `spack install`, after those it depends on, and
// remembered by an empty file.
func (g *Graph) Makefile(o MakeOptions) ([]byte, error) {
	m, err := newMakefile(g, o)
	if err != nil {
		return nil, err
	}
	m.text = make([]byte, 0, m.size())
	m.head()
	m.rules()
	if err := m.variables(); err != nil {
		return nil, err
	}
	m.edges()
	m.clean()
	return m.text, nil
}

type makefile struct {
	text   []byte
	graph  *Graph
	o      MakeOptions
	prefix string
	ids    map[*spack.Spec]string
	// The targets of a package, by which it is named most often.
	installs, installsDeps map[*spack.Spec]string
}

func newMakefile(g *Graph, o MakeOptions) (*makefile, error) {
	names := func() map[*spack.Spec]string { return make(map[*spack.Spec]string, len(g.Nodes)) }
	m := &makefile{graph: g, o: o, ids: names(), installs: names(), installsDeps: names()}
	if o.Prefix != nil {
		m.prefix = *o.Prefix
	} else {
		m.prefix = path.Join(o.Environment, ".spack-env", "makedeps")
	}
	if i := strings.IndexAny(m.prefix, " \t\n\r:;#%$=|*?[]\\'\"`&<>(){}~!"); i >= 0 {
		return nil, fmt.Errorf("%w: make cannot have %q in the names of targets, and it is in %q; choose others with --make-prefix",
			ErrMakefile, m.prefix[i], m.prefix)
	}
	if strings.ContainsAny(o.Environment+o.Spack, "\n\r\x00") {
		return nil, fmt.Errorf("%w: there is a line break in a path", ErrMakefile)
	}
	if m.o.Spack == "" {
		m.o.Spack = "spack"
	}
	for _, n := range g.Nodes {
		id := ID(n.Spec)
		m.ids[n.Spec], m.installs[n.Spec], m.installsDeps[n.Spec] = id, m.target("install/"+id), m.target("install-deps/"+id)
	}
	return m, nil
}

// target is a name with the prefix before it. The names that people type have
// none if it is an absolute path.
func (m *makefile) target(name string) string {
	if (name == "all" || name == "clean") && path.IsAbs(m.prefix) {
		return name
	}
	if m.prefix == "" || strings.HasSuffix(m.prefix, "/") {
		return m.prefix + name
	}
	return m.prefix + "/" + name
}

func (m *makefile) install(s *spack.Spec) string { return m.installs[s] }

func (m *makefile) installDeps(s *spack.Spec) string { return m.installsDeps[s] }

// size is about how long the Makefile gets: growing it step by step would cost
// as much as writing it.
func (m *makefile) size() int {
	const id, perName, perNode = 64, 16, 700
	n := 4096
	for _, node := range m.graph.Nodes {
		n += perNode + (10+len(node.Prerequisites))*(len(m.prefix)+id+perName)
	}
	return n
}

func (m *makefile) print(words ...string) {
	for _, word := range words {
		m.text = append(m.text, word...)
	}
}

func (m *makefile) head() {
	ids := "SPACK_PACKAGE_IDS"
	if m.o.Prefix != nil {
		ids = m.target(ids)
	}
	m.print("# The packages of a Spack environment, in the order of their dependencies.\n",
		"# Use it by itself, or include it and hook on to ", ids, ".\n",
		"SPACK ?= ", escape(shellWord(m.o.Spack)), " -c config:install_status:false\n",
		"SPACK_INSTALL_FLAGS ?=\n\n", ids, " :=")
	for _, n := range m.graph.Nodes {
		m.print(" ", m.ids[n.Spec])
	}
	m.print("\n\n.PHONY: ", m.target("all"), " ", m.target("clean"), "\n\n")
}

func (m *makefile) rules() {
	m.print(m.target("all"), ": ", m.target("env"), "\n\n", m.target("env"), ":")
	for _, root := range m.graph.Roots {
		m.print(" ", m.install(root))
	}
	dirs := m.target("dirs")
	m.print(" | ", dirs, "\n\t@touch $@\n\n",
		dirs, ":\n\t@mkdir -p ", m.target("install"), " ", m.target("install-deps"), "\n\n")
	if m.o.Prefix == nil && len(m.graph.Nodes) > 0 {
		m.print(".PHONY:")
		for _, n := range m.graph.Nodes {
			m.print(" install/", m.ids[n.Spec], " install-deps/", m.ids[n.Spec])
		}
		m.print("\n\n")
	}
	jobserver := "+"
	if m.o.NoJobserver {
		jobserver = ""
	}
	m.print("# One package, without its dependencies: these are targets themselves.\n",
		m.target("install/%"), ": | ", dirs, "\n\t", jobserver, "$(SPACK) -e ", recipe(quoted(m.o.Environment)),
		" install $(SPACK_BUILDCACHE_FLAG) $(SPACK_INSTALL_FLAGS) --only-concrete --only=package /$(HASH) # $(SPEC)\n\t@touch $@\n\n",
		m.target("install-deps/%"), ": | ", dirs, "\n\t@touch $@\n\n")
}

// variables gives each target what its recipe needs.
func (m *makefile) variables() error {
	format := specFormat
	if m.o.Syntax == spack.Syntax023 {
		format = specFormat023
	}
	t, err := spack.ParseTemplate(format)
	if err != nil {
		return err
	}
	t = t.In(m.o.Syntax)
	for _, n := range m.graph.Nodes {
		text, err := t.Format(n.Spec, nil)
		if err != nil {
			return err
		}
		target := m.target("%/" + m.ids[n.Spec])
		m.print(target, ": HASH = ", string(n.Spec.Hash), "\n",
			target, ": SPEC = ", escape(oneLine(text)), "\n",
			target, ": SPACK_BUILDCACHE_FLAG = ", n.Mode.Flag(), "\n")
	}
	m.print("\n")
	return nil
}

func (m *makefile) edges() {
	for _, n := range m.graph.Nodes {
		m.print(m.install(n.Spec), ": ", m.installDeps(n.Spec), "\n", m.installDeps(n.Spec), ":")
		for _, p := range n.Prerequisites {
			m.print(" ", m.install(p))
		}
		m.print("\n")
		if m.o.Prefix == nil {
			m.print("install/", m.ids[n.Spec], ": ", m.install(n.Spec), "\n",
				"install-deps/", m.ids[n.Spec], ": ", m.installDeps(n.Spec), "\n")
		}
	}
}

func (m *makefile) clean() {
	m.print("\n", m.target("clean"), ":\n\trm -rf ", m.target("env"))
	for _, n := range m.graph.Nodes {
		m.print(" ", m.install(n.Spec), " ", m.installDeps(n.Spec))
	}
	m.print("\n")
}

// escape takes from the value of a variable what make would read as its own.
func escape(text string) string { return strings.ReplaceAll(recipe(text), "#", `\#`) }

// recipe does so for a line that the shell runs.
func recipe(text string) string { return strings.ReplaceAll(text, "$", "$$") }

// oneLine takes out what would end a line: a spec comes from a file that
// anybody may have written, and stands before a shell.
func oneLine(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == '\\' {
			return ' '
		}
		return c
	}, text)
}

// quoted is one word for the shell, in quotes.
func quoted(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// shellWord is quoted where it must be.
func shellWord(word string) string {
	for _, c := range word {
		if !strings.ContainsRune("/._-+@%,:", c) && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return quoted(word)
		}
	}
	return word
}
