package spack

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrTemplate marks templates that cannot be understood, or have no value for
// a spec.
var ErrTemplate = errors.New("bad template")

// Template is a format string of Spack: text with fields in braces, such as
// "{name}{@version}{variants}{ target=architecture.target}{/hash:7}". Spack's
// spec.py describes them at Spec.format.
type Template struct {
	source string
	pieces []piece
	syntax Syntax
}

// Syntax is how a generation of Spack spells specs.
type Syntax uint8

// The generations: since 1.0 a variant with several values is
// "languages:=c,c++" when it is concrete.
const (
	Syntax1 Syntax = iota
	Syntax023
)

// In is the template for another generation than the newest.
func (t Template) In(syntax Syntax) Template {
	t.syntax = syntax
	return t
}

// piece is text, or a field if attribute is not empty.
type piece struct {
	text       string
	sigil      string // "@", "%", "/" or "key=", each perhaps after a space
	dependency string // of ^dependency.attribute
	attribute  []string
	length     int // of a hash; 0 is the whole one
	syntax     Syntax
}

// ParseTemplate reads a template, and checks that its fields exist.
func ParseTemplate(source string) (Template, error) {
	t := Template{source: source}
	var text strings.Builder
	for i := 0; i < len(source); i++ {
		switch c := source[i]; {
		case c == '\\' && i+1 < len(source):
			i++
			text.WriteByte(source[i])
		case c == '}':
			return t, fmt.Errorf("%w %q: a closing brace has no opening one; write \\} for a brace itself", ErrTemplate, source)
		case c == '{':
			end := strings.IndexByte(source[i:], '}')
			if end < 0 {
				return t, fmt.Errorf("%w %q: a brace is not closed; write \\{ for a brace itself", ErrTemplate, source)
			}
			field, err := parseField(source[i+1 : i+end])
			if err != nil {
				return t, fmt.Errorf("%w %q: %w", ErrTemplate, source, err)
			}
			t.pieces = append(t.pieces, piece{text: text.String()}, field)
			text.Reset()
			i += end
		default:
			text.WriteByte(c)
		}
	}
	t.pieces = append(t.pieces, piece{text: text.String()})
	return t, nil
}

func (t Template) String() string { return t.source }

// parseField reads what stands between braces.
func parseField(field string) (piece, error) {
	p, rest := splitSigil(field)
	if dependency, ok := strings.CutPrefix(rest, "^"); ok {
		p.dependency, rest, ok = strings.Cut(dependency, ".")
		if !ok || p.dependency == "" {
			return p, fmt.Errorf("{%s} names no attribute of a dependency, as {^mpi.name} does", field)
		}
	}
	rest = strings.ToLower(rest)
	if hash, length, ok := strings.Cut(rest, ":"); ok && hash == "hash" {
		n, err := strconv.Atoi(length)
		if err != nil || n < 1 || n > HashLength {
			return p, fmt.Errorf("{%s}: the length of a hash is 1 to %d", field, HashLength)
		}
		p.length, rest = n, hash
	}
	p.attribute = strings.Split(rest, ".")
	if p.attribute[0] == "arch" {
		p.attribute[0] = "architecture"
	}
	if !knownField(p.attribute) {
		return p, fmt.Errorf("{%s} is no field that is known; there are name, version, hash, namespace, architecture, platform, os, target, compiler, compiler_flags and variants, and attributes of them as in {architecture.target}", field)
	}
	return p, p.checkSigil(field)
}

// splitSigil takes "@", "%", "/" or "key=" off, with a space before it or not.
func splitSigil(field string) (piece, string) {
	bare := strings.TrimPrefix(field, " ")
	space := field[:len(field)-len(bare)]
	if bare != "" && strings.IndexByte("@%/", bare[0]) >= 0 {
		return piece{sigil: space + bare[:1]}, bare[1:]
	}
	if key, rest, ok := strings.Cut(field, "="); ok {
		return piece{sigil: key + "="}, rest
	}
	return piece{}, field
}

func (p piece) checkSigil(field string) error {
	last, wrong := p.attribute[len(p.attribute)-1], false
	switch strings.TrimSpace(p.sigil) {
	case "@":
		wrong = last != "version" && last != "versions"
	case "%":
		wrong = p.attribute[0] != "compiler" || len(p.attribute) > 1 && last != "name"
	case "/":
		wrong = last != "hash" && last != "abstract_hash"
	}
	if wrong {
		return fmt.Errorf("{%s}: %q does not go with %s", field, p.sigil, strings.Join(p.attribute, "."))
	}
	return nil
}

// fields are the attributes that exist, with their own attributes; variants
// has one for each variant.
var fields = map[string][]string{
	"name": nil, "hash": nil, "namespace": nil, "platform": nil, "os": nil, "target": nil,
	"architecture": {"platform", "os", "target"},
	"version":      {"up_to_1", "up_to_2", "up_to_3", "dotted", "dashed", "underscored", "joined"},
	"versions":     nil,
	"compiler":     {"name", "version", "versions"},
	"compilers":    nil, "compiler_flags": nil, "variants": nil,
	"namespace_if_anonymous": nil, "abstract_hash": nil,
}

func knownField(path []string) bool {
	below, ok := fields[path[0]]
	switch {
	case !ok:
		return false
	case path[0] == "variants":
		return len(path) < 3 || len(path) == 3 && (path[2] == "name" || path[2] == "value")
	case len(path) == 1:
		return true
	case len(path) > 2:
		return false
	}
	for _, b := range below {
		if b == path[1] {
			return true
		}
	}
	return false
}

// Format fills a template for a spec. The other specs are needed for compilers
// of specfile 5 and for attributes of dependencies; without them these are
// "none", as for packages that have none, or an error.
func (t Template) Format(s *Spec, all Specs) (string, error) {
	var b strings.Builder
	for _, p := range t.pieces {
		p.syntax = t.syntax
		if err := p.write(&b, s, all); err != nil {
			return "", fmt.Errorf("%w %q: %w", ErrTemplate, t.source, err)
		}
	}
	return strings.TrimSpace(b.String()), nil
}

func (p piece) write(b *strings.Builder, s *Spec, all Specs) error {
	if p.attribute == nil {
		b.WriteString(p.text)
		return nil
	}
	if p.dependency != "" {
		d := all.find(s, p.dependency)
		if d == nil {
			return fmt.Errorf("%s has no dependency %s", s.Name, p.dependency)
		}
		s = d
	}
	if p.attribute[0] == "compiler" && s.compiler(all) == nil {
		b.WriteString("none") // also without the sigil, as in Spack
		return nil
	}
	value, err := s.attribute(p, all)
	if err == nil && value != "" {
		b.WriteString(p.sigil)
		b.WriteString(value)
	}
	return err
}

// find looks up a dependency by its name or by what it provides: direct build
// dependencies first, then all that is needed at run time, what is nearer
// first (__getitem__ in Spack's spec.py).
func (all Specs) find(s *Spec, name string) *Spec {
	for _, e := range s.Dependencies {
		if e.Types&(Build|Test) != 0 && e.provides(name) {
			return all[e.Hash]
		}
	}
	if s.Name == name {
		return s // Spack begins with the package itself
	}
	queue, seen := []*Spec{s}, map[Hash]bool{}
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		for _, e := range next.Dependencies {
			if e.Types&LinkRun == 0 {
				continue
			}
			if e.provides(name) {
				return all[e.Hash]
			}
			if to := all[e.Hash]; to != nil && !seen[e.Hash] {
				seen[e.Hash] = true
				queue = append(queue, to)
			}
		}
	}
	return nil
}

func (e Edge) provides(name string) bool {
	if e.Name == name {
		return true
	}
	for _, v := range e.Virtuals {
		if v == name {
			return true
		}
	}
	return false
}
