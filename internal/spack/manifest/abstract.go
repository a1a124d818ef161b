package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// abstract is an abstract spec, taken apart as far as combining specs and
// comparing them needs it.
type abstract struct {
	node
	direct []dependency // %: of the node itself
	others []dependency // ^: anywhere below the root
}

// node is one package of a spec, without what it depends on.
type node struct {
	name, version string // the version without its @
	attributes    []attribute
	hash          string
}

// attribute is a variant, a compiler flag or a part of the architecture.
type attribute struct {
	key      string
	operator string // "+", "~", "++", "~~" for switches; "=", "==", ":=", ":==" for others
	value    string // without quotes; empty for switches
}

// dependency is a node behind % or ^.
type dependency struct {
	sigil      string // "%", "%%" or "^"
	properties string // what stands in [ ], with them
	virtuals   string // "c,cxx" of %c,cxx=gcc
	abstract
}

// The grammar is that of lib/spack/spack/spec_parser.py in Spack 1.x, class
// SpecTokens.
var (
	namePattern     = lazily(`^(?:\*|[A-Za-z0-9_][A-Za-z0-9_\-.]*)`)
	versionPattern  = lazily(`^@\s*(git\.[A-Za-z0-9_./\-]+(?:=[A-Za-z0-9_.\-]+)?|[A-Za-z0-9_.:\-=]+(?:\s*,\s*[A-Za-z0-9_.:\-=]+)*)`)
	switchPattern   = lazily(`^(\+\+|~~|--|[+~\-])\s*([A-Za-z0-9_][A-Za-z0-9_\-.]*)`)
	pairPattern     = lazily(`^([A-Za-z0-9_][A-Za-z0-9_\-.]*)(:?==?)('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[A-Za-z0-9_\-+*.,:=%^~/\\]+)`)
	hashPattern     = lazily(`^/([A-Za-z0-9_]+)`)
	virtualsPattern = lazily(`^\s*([A-Za-z0-9_][A-Za-z0-9_\-]*(?:,[A-Za-z0-9_][A-Za-z0-9_\-]*)*)=([A-Za-z0-9_])`)
	bare            = lazily(`^[A-Za-z0-9,/_.\-]+$`)
)

// lazily compiles a pattern when it is first used: most runs need none.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// parseAbstract takes a spec apart.
func parseAbstract(text string) (abstract, error) {
	p := specReader{text: text, rest: strings.TrimSpace(text)}
	var a abstract
	var err error
	if a.node, err = p.node(); err != nil {
		return a, err
	}
	current := &a
	for p.rest != "" {
		dep, err := p.dependency()
		if err != nil {
			return a, err
		}
		if dep.sigil == "^" {
			a.others = append(a.others, dep)
			current = &a.others[len(a.others)-1].abstract
			continue
		}
		current.direct = append(current.direct, dep)
	}
	return a, nil
}

type specReader struct{ text, rest string }

func (p *specReader) failf(format string, args ...any) error {
	return fmt.Errorf("%q is not understood as a spec: %s", p.text, fmt.Sprintf(format, args...))
}

// take matches a pattern where the reader stands.
func (p *specReader) take(pattern *regexp.Regexp) []string {
	m := pattern.FindStringSubmatch(p.rest)
	if m != nil {
		p.rest = p.rest[len(m[0]):]
	}
	return m
}

func (p *specReader) node() (node, error) {
	var n node
	for first := true; p.rest != "" && p.rest[0] != '^' && p.rest[0] != '%'; first = false {
		if m := p.take(versionPattern()); m != nil {
			if n.version != "" {
				return n, p.failf("it has two versions")
			}
			n.version = strings.Join(strings.Fields(m[1]), "")
		} else if m := p.take(switchPattern()); m != nil {
			n.attributes = append(n.attributes, attribute{key: m[2], operator: strings.ReplaceAll(m[1], "-", "~")})
		} else if m := p.take(pairPattern()); m != nil {
			n.attributes = append(n.attributes, attribute{m[1], m[2], unquote(m[3])})
		} else if m := p.take(hashPattern()); m != nil {
			n.hash = m[1]
		} else if m := p.take(namePattern()); m != nil && first {
			n.name = strings.TrimPrefix(m[0], "*")
		} else if m != nil {
			return n, p.failf("%s is a second name", m[0])
		} else {
			return n, p.failf("at %q", p.rest)
		}
		p.rest = strings.TrimLeft(p.rest, " \t\n")
	}
	return n, nil
}

func (p *specReader) dependency() (dependency, error) {
	var d dependency
	for _, sigil := range []string{"%%", "%", "^"} {
		if rest, ok := strings.CutPrefix(p.rest, sigil); ok {
			d.sigil, p.rest = sigil, rest
			break
		}
	}
	if strings.HasPrefix(p.rest, "[") {
		end := closing(p.rest)
		if end < 0 {
			return d, p.failf("a [ is not closed")
		}
		d.properties, p.rest = p.rest[:end+1], strings.TrimLeft(p.rest[end+1:], " \t\n")
	}
	if m := virtualsPattern().FindStringSubmatch(p.rest); m != nil {
		d.virtuals = m[1]
		p.rest = p.rest[len(m[0])-len(m[2]):]
	}
	p.rest = strings.TrimLeft(p.rest, " \t\n")
	var err error
	d.node, err = p.node()
	if err == nil && d.name == "" && len(d.attributes) == 0 && d.version == "" && d.hash == "" {
		err = p.failf("nothing stands behind %s", d.sigil)
	}
	return d, err
}

// closing finds the ] for the [ that s begins with.
func closing(s string) int {
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
		case c == '\'' || c == '"':
			quote = c
		case c == ']':
			return i
		}
	}
	return -1
}

func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '\'' || s[0] == '"') {
		quote := s[:1]
		return strings.ReplaceAll(s[1:len(s)-1], `\`+quote, quote)
	}
	return s
}

// String is the spec in Spack's syntax.
func (a abstract) String() string {
	parts := []string{a.node.String()}
	for _, d := range slices.Concat(a.direct, a.others) {
		parts = append(parts, d.String())
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

func (d dependency) String() string {
	text := d.abstract.String()
	if d.virtuals != "" {
		text = d.virtuals + "=" + text
	}
	if d.properties != "" {
		return d.sigil + d.properties + " " + text
	}
	return d.sigil + text
}

func (n node) String() string {
	var b strings.Builder
	b.WriteString(n.name)
	if n.version != "" {
		b.WriteString("@" + n.version)
	}
	for _, a := range n.attributes {
		if a.value == "" && !strings.Contains(a.operator, "=") {
			b.WriteString(a.operator + a.key)
		}
	}
	for _, a := range n.attributes {
		if strings.Contains(a.operator, "=") {
			b.WriteString(" " + a.key + a.operator + quoted(a.value))
		}
	}
	if n.hash != "" {
		b.WriteString("/" + n.hash)
	}
	return strings.TrimSpace(b.String())
}

func quoted(value string) string {
	switch {
	case bare().MatchString(value):
		return value
	case !strings.Contains(value, "'"):
		return "'" + value + "'"
	}
	return `"` + strings.ReplaceAll(value, `"`, `\"`) + `"`
}
