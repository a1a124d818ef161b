package testrepo

import (
	"fmt"
	"path"
	"strings"
)

// toy is one package.
type toy struct {
	name, version string
	doc           string
	sources       []source // the first is the package's own, unless git
	git           bool     // the source is a git repository
	bundle        bool     // no source at all
	makefile      bool     // built by make, with phases of its own; else by install.sh
	c             bool     // needs a C compiler
	variant       string   // a switch that is off
	deps          []dep
	patchURL      string            // file name of a source that is a patch
	patchFile     string            // name of a patch beside the recipe
	resource      string            // file name of a source that is unpacked into "extra"
	beside        map[string]string // files beside the recipe
}

// dep is a dependency; what it is for, and the variable in which install.sh
// finds its prefix.
type dep struct {
	name     string
	types    string // as Python writes a tuple: `"build", "link"`
	variable string
}

// recipe is the package.py.
func (t toy) recipe(r *Repo, opts Options) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	base := t.baseClass()
	if opts.API == V2 {
		p("from spack_repo.builtin.build_systems.%s import %s", module(base), base)
	}
	p("from spack.package import *\n\n\nclass %s(%s):", className(t.name), base)
	p("    \"\"\"%s\"\"\"\n\n    homepage = \"https://toys.example.org/%s\"", t.doc, t.name)
	t.directives(p, r, opts)
	if !t.bundle {
		t.methods(p)
	}
	return b.String()
}

// module is the Python module of a build system in repositories of API 2.
func module(base string) string {
	if base == "Package" {
		return "generic"
	}
	return strings.ToLower(strings.TrimSuffix(base, "Package"))
}

func (t toy) baseClass() string {
	switch {
	case t.bundle:
		return "BundlePackage"
	case t.makefile:
		return "MakefilePackage"
	}
	return "Package"
}

func (t toy) directives(p func(string, ...any), r *Repo, opts Options) {
	switch {
	case t.bundle:
		p("    version(%q)", t.version)
	case t.git:
		p("    git = \"file://%s/toy-git.git\"", r.Sources)
		p("    version(%q, commit=%q)", t.version, r.GitCommit)
	default:
		own := t.sources[0].file
		p("    url = %q", opts.BaseURL+"/"+own)
		p("    version(%q, sha256=%q)", t.version, r.SHA256[own])
	}
	if t.variant != "" {
		p("    variant(%q, default=False, description=\"A switch\")", t.variant)
	}
	if t.c {
		p("    depends_on(\"c\", type=\"build\")")
	}
	for _, d := range t.deps {
		p("    depends_on(%q, type=(%s,))", d.name, d.types)
	}
	if t.patchFile != "" {
		p("    patch(%q)", t.patchFile)
	}
	if t.patchURL != "" {
		p("    patch(%q, sha256=%q)", opts.BaseURL+"/"+t.patchURL, r.SHA256[t.patchURL])
	}
	if t.resource != "" {
		p("    resource(name=%q, url=%q, sha256=%q, placement=\"extra\")", strings.TrimSuffix(path.Base(t.resource), ".tar.gz"),
			opts.BaseURL+"/"+t.resource, r.SHA256[t.resource])
	}
}

// methods run make or install.sh with NAME=prefix for each dependency that has
// a variable.
func (t toy) methods(p func(string, ...any)) {
	p("\n    def settings(self):\n        found = [\"PREFIX=\" + self.prefix]")
	if t.c {
		p("        found.append(\"CC=\" + spack_cc)")
	}
	for _, d := range t.deps {
		if d.variable != "" {
			p("        found.append(\"%s=\" + self.spec[%q].prefix)", d.variable, d.name)
		}
	}
	p("        return found")
	if t.makefile {
		p("\n    def build(self, spec, prefix):\n        make(*self.settings())")
		p("\n    def install(self, spec, prefix):\n        make(\"install\", *self.settings())")
		return
	}
	p("\n    def install(self, spec, prefix):\n        which(\"env\")(*self.settings(), \"sh\", \"./install.sh\")")
}

// className is how Spack calls the class of a package: toy-leaf1 is ToyLeaf1.
func className(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "-") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}
