package spack

import (
	"slices"
	"strings"
)

// Matcher tells which concrete specs a query asks for.
type Matcher struct {
	query string
	root  constraint
	// below are the dependencies that the query asks for with ^.
	below  []constraint
	syntax Syntax
}

// constraint is what a query says of one package.
type constraint struct {
	name, namespace string
	hash            string // a prefix
	versions        versions
	parameters      []wanted
	platform, os    string
	target          string
	// direct are the dependencies that it asks for with %.
	direct []constraint
	// virtuals are what it must provide to the package that it is a dependency of.
	virtuals []string
}

// wanted is what a query says of a variant or of flags.
type wanted struct {
	name   string
	values []string
	any    bool // name=*
	only   bool // name:=values, no others
}

// Match reads a query in Spack's syntax: hdf5, hdf5@1.12:1.14, hdf5@=1.14.6,
// hdf5+mpi~shared, build_type=Release, %gcc@12, ^openmpi@5, target=zen3,
// /5he7a76. Not all that Spack knows is: no propagation, no conditions, no
// ranges of targets, no virtual packages as names.
func Match(query string) (Matcher, error) { return parseQuery(query) }

// In is the matcher of another generation than the newest: before 1.0 a query
// with ^ is also about what only builds of dependencies need.
func (m Matcher) In(syntax Syntax) Matcher {
	m.syntax = syntax
	return m
}

func (m Matcher) String() string { return m.query }

// Name is the package that is asked for, empty if the query names none.
func (m Matcher) Name() string { return m.root.name }

// HashPrefix is the beginning of the hash that is asked for, empty if the query
// has none.
func (m Matcher) HashPrefix() string { return m.root.hash }

// Matches reports whether s is what is asked for. The other specs are needed
// for queries that say something of dependencies.
func (m Matcher) Matches(s *Spec, all Specs) bool {
	if !m.root.matches(s, all) {
		return false
	}
	for _, c := range m.below {
		if !c.below(s, all, m.syntax) {
			return false
		}
	}
	return true
}

func (c constraint) matches(s *Spec, all Specs) bool {
	switch {
	case c.name != "" && c.name != s.Name,
		c.namespace != "" && c.namespace != s.Namespace,
		!strings.HasPrefix(string(s.Hash), c.hash),
		!c.versions.contain(s.Version),
		!accepts(c.platform, s.Arch.Platform), !accepts(c.os, s.Arch.OS), !accepts(c.target, s.Arch.Target):
		return false
	}
	for _, w := range c.parameters {
		if !w.matches(s) {
			return false
		}
	}
	for _, d := range c.direct {
		if !d.isDirect(s, all) {
			return false
		}
	}
	return true
}

func accepts(want, got string) bool {
	return want == "" || want == "*" || slices.Contains(strings.Split(want, ","), got)
}

func (w wanted) matches(s *Spec) bool {
	i := slices.IndexFunc(s.Parameters, func(p Parameter) bool { return p.Name == w.name })
	if i < 0 {
		return false
	}
	got := s.Parameters[i].Values
	for _, v := range w.values {
		if !slices.ContainsFunc(got, func(g string) bool { return g == v || w.name == "patches" && strings.HasPrefix(g, v) }) {
			return false
		}
	}
	return w.any || !w.only || len(got) == len(w.values)
}

// isDirect reports whether s has a direct dependency as wanted. Before
// specfile 5 the compiler is the only one that such a query can be about.
func (c constraint) isDirect(s *Spec, all Specs) bool {
	if s.SpecfileVersion < 5 {
		return s.Compiler != nil && c.compiler(s.Compiler)
	}
	return slices.ContainsFunc(s.Dependencies, func(e Edge) bool {
		to := all[e.Hash]
		return to != nil && (len(c.virtuals) == 0 || slices.ContainsFunc(c.virtuals, e.provides)) && c.matches(to, all)
	})
}

func (c constraint) compiler(is *Compiler) bool {
	return (c.name == "" || c.name == compilerPackage(is.Name)) && c.hash == "" && len(c.parameters) == 0 &&
		c.versions.contain(is.Version)
}

func (e Edge) has(virtuals []string) bool {
	return !slices.ContainsFunc(virtuals, func(v string) bool { return !slices.Contains(e.Virtuals, v) })
}

// below reports whether s needs such a package: directly for building, or
// anywhere at run time.
func (c constraint) below(s *Spec, all Specs, syntax Syntax) bool {
	transitive := LinkRun
	if syntax == Syntax023 {
		transitive = Build | LinkRun | Test
	}
	fits := func(e Edge) bool {
		to := all[e.Hash]
		if to == nil || !e.has(c.virtuals) {
			return false
		}
		named := c
		if slices.Contains(e.Virtuals, c.name) {
			named.name = "" // ^mpi is any that provides it
		}
		return named.matches(to, all)
	}
	for _, e := range s.Dependencies {
		if e.Types&Build != 0 && fits(e) {
			return true
		}
	}
	for _, from := range all.Closure(transitive, s.Hash) {
		for _, e := range from.Dependencies {
			if e.Types&transitive != 0 && fits(e) {
				return true
			}
		}
	}
	return false
}

// compilerPackage is the package that a compiler of before Spack 1.0 comes
// from (LEGACY_COMPILER_TO_BUILTIN in Spack's aliases.py).
func compilerPackage(name string) string {
	switch name {
	case "clang":
		return "llvm"
	case "oneapi":
		return "intel-oneapi-compilers"
	case "rocmcc":
		return "llvm-amdgpu"
	case "intel":
		return "intel-oneapi-compilers-classic"
	case "arm":
		return "acfl"
	}
	return name
}
