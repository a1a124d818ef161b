package spack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// attribute is the value of a field for s, empty if there is none.
func (s *Spec) attribute(p piece, all Specs) (string, error) {
	switch p.attribute[0] {
	case "name":
		return s.Name, nil
	case "namespace":
		return s.Namespace, nil
	case "hash":
		if p.length > 0 {
			return string(s.Hash[:min(p.length, len(s.Hash))]), nil
		}
		return string(s.Hash), nil
	case "version":
		return versionAttribute(s.Version, p.attribute[1:]), nil
	case "versions":
		return "=" + s.Version, nil
	case "platform", "os", "target":
		return s.Arch.attribute(p.attribute[0]), nil
	case "architecture":
		return s.Arch.attribute(p.attribute[len(p.attribute)-1]), nil
	case "compiler":
		return s.compilerAttribute(p.attribute[1:], all), nil
	case "compilers":
		return s.compilersText(all), nil
	case "compiler_flags":
		return s.flagsText(), nil
	case "variants":
		return s.variantAttribute(p.attribute[1:], p.syntax)
	}
	return "", nil // those that only abstract specs have
}

func (a Arch) attribute(name string) string {
	switch name {
	case "platform":
		return a.Platform
	case "os":
		return a.OS
	case "target":
		return a.Target
	}
	return a.String()
}

// String is the triplet by which Spack calls an architecture.
func (a Arch) String() string { return a.Platform + "-" + a.OS + "-" + a.Target }

func versionAttribute(version string, of []string) string {
	if len(of) == 0 {
		return version
	}
	separator := strings.NewReplacer
	switch of[0] {
	case "dotted":
		return separator("-", ".", "_", ".").Replace(version)
	case "dashed":
		return separator(".", "-", "_", "-").Replace(version)
	case "underscored":
		return separator(".", "_", "-", "_").Replace(version)
	case "joined":
		return separator(".", "", "-", "", "_", "").Replace(version)
	}
	return versionUpTo(version, int(of[0][len(of[0])-1]-'0'))
}

// versionUpTo is a version cut down to so many components. Numbers lose their
// leading zeros on the way, as in Spack.
func versionUpTo(version string, n int) string {
	var b strings.Builder
	separator := ""
	release := len(cutVersion(version).release) // what is before alpha, beta and rc
	for i, s := range segmentsOf(version) {
		if i == min(n, release) {
			break
		}
		text := s.text
		if c := newComponent(text); c.number != "" {
			text = c.number
		}
		b.WriteString(separator + text)
		separator = s.separator
	}
	return b.String()
}

// segment is a part of a version, a number or a word, and what stands behind it.
type segment struct{ text, separator string }

// segmentsOf are the parts of a version that are compared one by one
// (SEGMENT_REGEX in Spack's version/version_types.py). What is no letter, no
// digit and no separator belongs to none.
func segmentsOf(version string) []segment {
	const numerals, letters = "0123456789", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	var list []segment
	for version != "" {
		rest := strings.TrimLeft(version, numerals)
		if len(rest) == len(version) {
			rest = strings.TrimLeft(version, letters)
		}
		if len(rest) == len(version) {
			version = version[1:]
			continue
		}
		s := segment{text: version[:len(version)-len(rest)]}
		version = strings.TrimLeft(rest, "_.-")
		s.separator = rest[:len(rest)-len(version)]
		list = append(list, s)
	}
	return list
}

// languages are what makes a dependency a compiler, the one that counts first
// (DeprecatedCompilerSpec in Spack's spec.py).
var languages = [...]string{"c", "cxx", "fortran"}

// compiler is what the fields of a compiler are taken from: a dependency since
// specfile 5, and nil for packages that none was used for.
func (s *Spec) compiler(all Specs) *Compiler {
	if s.SpecfileVersion < 5 {
		return s.Compiler
	}
	if e := s.compilerEdge(all); e != nil {
		return &Compiler{Name: e.Name, Version: all[e.Hash].Version}
	}
	return nil
}

// compilerEdge leads to the compiler.
func (s *Spec) compilerEdge(all Specs) *Edge {
	for _, language := range languages {
		for i, e := range s.Dependencies {
			if all[e.Hash] != nil && slices.Contains(e.Virtuals, language) {
				return &s.Dependencies[i]
			}
		}
	}
	return nil
}

func (s *Spec) compilerAttribute(of []string, all Specs) string {
	c := s.compiler(all)
	switch {
	case len(of) == 0 && s.SpecfileVersion >= 5:
		return c.Name + "@" + c.Version + "/" + string(s.compilerEdge(all).Hash)
	case len(of) == 0:
		return c.Name + "@=" + c.Version
	case of[0] == "name":
		return c.Name
	case of[0] == "versions":
		return "=" + c.Version
	}
	return c.Version
}

// compilersText lists the compilers that were used, each with its languages.
func (s *Spec) compilersText(all Specs) string {
	if s.SpecfileVersion < 5 {
		if s.Compiler == nil {
			return " %none"
		}
		return " %" + s.compilerAttribute(nil, all)
	}
	var list []string
	for _, e := range s.Dependencies {
		to := all[e.Hash]
		isLanguage := func(l string) bool { return slices.Contains(e.Virtuals, l) }
		if to != nil && slices.ContainsFunc(languages[:], isLanguage) {
			list = append(list, "%"+strings.Join(e.Virtuals, ",")+"="+to.Name+"@"+to.Version)
		}
	}
	if len(list) == 0 {
		return ""
	}
	return " " + strings.Join(list, " ")
}

func (s *Spec) variantAttribute(of []string, syntax Syntax) (string, error) {
	if len(of) == 0 {
		return s.variantsText(syntax), nil
	}
	i := slices.IndexFunc(s.Parameters, func(p Parameter) bool { return p.Name == of[0] && !p.IsFlags() })
	switch {
	case i < 0:
		return "", fmt.Errorf("%s has no variant %s", s.Name, of[0])
	case len(of) == 1:
		return s.Parameters[i].text(syntax), nil
	case of[1] == "name":
		return s.Parameters[i].Name, nil
	}
	return strings.Join(s.Parameters[i].Values, ","), nil
}

// flags are the parameters that are no variants (_valid_compiler_flags in
// Spack's spec.py).
var flags = [...]string{"cflags", "cppflags", "cxxflags", "fflags", "ldflags", "ldlibs"}

// IsFlags reports whether p holds flags for the compiler, not a variant.
func (p Parameter) IsFlags() bool { return slices.Contains(flags[:], p.Name) }

// variantsText is "+shared~mpi build_system=cmake": switches first, each in
// the order of names.
func (s *Spec) variantsText(syntax Syntax) string {
	var switches, others strings.Builder
	for _, p := range s.sortedVariants() {
		if p.Bool {
			switches.WriteString(p.text(syntax))
		} else {
			others.WriteByte(' ')
			others.WriteString(p.text(syntax))
		}
	}
	return switches.String() + others.String()
}

// sortedVariants are the variants in the order in which they are shown.
func (s *Spec) sortedVariants() []Parameter {
	variants := make([]Parameter, 0, len(s.Parameters))
	for _, p := range s.Parameters {
		if !p.IsFlags() {
			variants = append(variants, p)
		}
	}
	slices.SortStableFunc(variants, func(a, b Parameter) int { return strings.Compare(a.Name, b.Name) })
	return variants
}

// text is a variant in Spack's syntax: "+shared", "~mpi", "libs=static",
// "languages:='c,c++'".
func (p Parameter) text(syntax Syntax) string {
	if p.Bool {
		if p.Values[0] == "true" {
			return "+" + p.Name
		}
		return "~" + p.Name
	}
	values := p.Values
	if p.Name == "patches" {
		values = slices.Clone(values)
		for i, v := range values {
			values[i] = v[:min(7, len(v))]
		}
	}
	equals := "="
	if p.List && syntax == Syntax1 {
		equals = ":="
	}
	text := strings.Join(values, ",")
	if len(values) == 0 && syntax == Syntax1 {
		text = "*"
	}
	return p.Name + equals + quote(text)
}

// String is a variant or flags in Spack's newest syntax.
func (p Parameter) String() string {
	if p.IsFlags() {
		return p.Name + "=" + quote(strings.Join(p.Values, " "))
	}
	return p.text(Syntax1)
}

// plain reports whether a value needs no quotes (NO_QUOTES_NEEDED in Spack's
// spec_parser.py).
func plain(value string) bool {
	return value != "" && strings.IndexFunc(value, func(c rune) bool {
		return !isWord(c) && !strings.ContainsRune(",/.-[]", c)
	}) < 0
}

// quote quotes a value as Spack does, if it needs it.
func quote(value string) string {
	if plain(value) {
		return value
	}
	if !strings.Contains(value, "'") {
		return "'" + value + "'"
	}
	quoted, _ := json.Marshal(value) // a string always can be
	return string(quoted)
}

// flagsText is ` cflags='-O2 -g' `, with a space at both ends, as in Spack.
func (s *Spec) flagsText() string {
	var b strings.Builder
	for _, name := range flags {
		for _, p := range s.Parameters {
			if p.Name == name && len(p.Values) > 0 {
				b.WriteString(" " + name + "=" + quote(strings.Join(p.Values, " ")))
			}
		}
	}
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	return b.String()
}
