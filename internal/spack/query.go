package spack

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// ErrQuery marks queries that are not understood.
var ErrQuery = errors.New("not a spec that can be looked for")

// The tokens of queries (SpecTokens in Spack's spec_parser.py).
var (
	namePattern     = lazily(`^[a-zA-Z_0-9][a-zA-Z_0-9.-]*`)
	keyPattern      = lazily(`^([a-zA-Z_0-9][a-zA-Z_0-9.-]*)(:?==?)`)
	valuePattern    = lazily(`^(?:'[^']*'|"[^"]*"|[a-zA-Z_0-9+*.,:=%^~/\\-]+)`)
	versionsPattern = lazily(`^@\s*([a-zA-Z_0-9=:./-]+(?:\s*,\s*[a-zA-Z_0-9=:./-]+)*)`)
	hashPattern     = lazily(`^/([a-zA-Z_0-9]+)`)
	switchPattern   = lazily(`^[+~-]\s*([a-zA-Z_0-9][a-zA-Z_0-9.-]*)`)
	virtualsPattern = lazily(`^([a-zA-Z_0-9][a-zA-Z_0-9-]*(?:,[a-zA-Z_0-9][a-zA-Z_0-9-]*)*)=`)
)

// lazily compiles a pattern when it is first used: most runs need none.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// queryParser reads a query from left to right; what is read goes to the
// package that was named last.
type queryParser struct {
	rest    string
	matcher Matcher
	current *constraint // what is being described
	empty   bool        // nothing of it was read yet
	parent  *constraint // what % is about: the root, or the last one with ^
}

func parseQuery(query string) (Matcher, error) {
	p := &queryParser{rest: query, matcher: Matcher{query: query}, empty: true}
	p.current, p.parent = &p.matcher.root, &p.matcher.root
	for {
		p.rest = strings.TrimLeft(p.rest, " \t\n")
		if p.rest == "" {
			break
		}
		if err := p.token(); err != nil {
			return Matcher{}, fmt.Errorf("%w: %q: %w", ErrQuery, query, err)
		}
	}
	if p.empty {
		return Matcher{}, fmt.Errorf("%w: %q is empty or ends with ^ or %%; write for example hdf5@1.14+mpi or /5he7a76", ErrQuery, query)
	}
	return p.matcher, nil
}

func (p *queryParser) token() error {
	switch p.rest[0] {
	case '^', '%':
		return p.dependency()
	case '@':
		return p.readVersions()
	case '/':
		return p.readHash()
	case '+', '~', '-':
		return p.readSwitch()
	}
	if m := keyPattern().FindStringSubmatch(p.rest); m != nil {
		return p.readPair(m[1], m[2])
	}
	return p.readName()
}

// dependency starts the description of another package.
func (p *queryParser) dependency() error {
	sigil := p.rest[0]
	if p.empty && p.current != &p.matcher.root {
		return errors.New("a name is missing behind ^ or %")
	}
	p.rest = strings.TrimLeft(p.rest[1:], " \t\n")
	if p.rest != "" && (p.rest[0] == '[' || p.rest[0] == '%') {
		return fmt.Errorf("%c%c is Spack's syntax, and not supported here", sigil, p.rest[0])
	}
	c := constraint{}
	if m := virtualsPattern().FindStringSubmatch(p.rest); m != nil {
		c.virtuals = strings.Split(m[1], ",")
		p.rest = p.rest[len(m[0]):]
	}
	if sigil == '%' {
		p.parent.direct = append(p.parent.direct, c)
		p.current = &p.parent.direct[len(p.parent.direct)-1]
	} else {
		p.matcher.below = append(p.matcher.below, c)
		p.current = &p.matcher.below[len(p.matcher.below)-1]
		p.parent = p.current
	}
	p.empty = true
	return nil
}

func (p *queryParser) take(pattern *regexp.Regexp) (string, bool) {
	m := pattern.FindStringSubmatch(p.rest)
	if m == nil {
		return "", false
	}
	p.rest, p.empty = p.rest[len(m[0]):], false
	return m[len(m)-1], true
}

func (p *queryParser) readVersions() error {
	text, ok := p.take(versionsPattern())
	if !ok {
		return errors.New("a version is missing behind @")
	}
	if p.current.versions != nil {
		return errors.New("it has two versions")
	}
	list, err := parseVersions(text)
	p.current.versions = list
	return err
}

func (p *queryParser) readHash() error {
	text, ok := p.take(hashPattern())
	if !ok || len(text) > HashLength || !Hash(text+strings.Repeat("a", HashLength-len(text))).Valid() {
		return fmt.Errorf("behind / the beginning of a hash is expected, of at most %d characters of a-z and 2-7", HashLength)
	}
	if p.current.hash != "" {
		return errors.New("it has two hashes")
	}
	p.current.hash = text
	return nil
}

func (p *queryParser) readSwitch() error {
	value := "false"
	if p.rest[0] == '+' {
		value = "true"
	}
	if len(p.rest) > 1 && p.rest[1] == p.rest[0] {
		return fmt.Errorf("%.2s, which also is for dependencies, is not supported here", p.rest)
	}
	sigil := p.rest[:1]
	name, ok := p.take(switchPattern())
	if !ok {
		return fmt.Errorf("the name of a variant is missing behind %s", sigil)
	}
	p.current.parameters = append(p.current.parameters, wanted{name: name, values: []string{value}})
	return nil
}

// readPair reads name=value.
func (p *queryParser) readPair(key, equals string) error {
	if strings.HasSuffix(equals, "==") {
		return fmt.Errorf("%s==, which also is for dependencies, is not supported here", key)
	}
	p.rest = p.rest[len(key)+len(equals):]
	value, ok := p.take(valuePattern())
	if !ok {
		return fmt.Errorf("the value of %s is missing", key)
	}
	if value[0] == '\'' || value[0] == '"' {
		value = value[1 : len(value)-1]
	}
	c := p.current
	switch key {
	case "platform":
		c.platform = value
	case "os", "operating_system":
		c.os = value
	case "target":
		return c.setTarget(value)
	case "arch", "architecture":
		return c.setArch(value)
	case "namespace":
		c.namespace = value
	default:
		c.parameters = append(c.parameters, newWanted(key, value, equals == ":="))
	}
	return nil
}

func newWanted(key, value string, only bool) wanted {
	w := wanted{name: key, only: only}
	switch {
	case value == "*":
		w.any = true
	case slices.Contains(flags[:], key):
		w.values = strings.Fields(value)
	case strings.EqualFold(value, "true") || strings.EqualFold(value, "false"):
		w.values = []string{strings.ToLower(value)}
	default:
		w.values = strings.Split(value, ",")
	}
	return w
}

func (c *constraint) setTarget(value string) error {
	if strings.Contains(value, ":") {
		return fmt.Errorf("target=%s: ranges of targets are not supported here; name one", value)
	}
	c.target = value
	return nil
}

// setArch reads linux-debian12-x86_64_v3.
func (c *constraint) setArch(value string) error {
	parts := strings.Split(value, "-")
	if len(parts) != 3 {
		return fmt.Errorf("arch=%s: platform, operating system and target are expected, as in linux-debian12-x86_64_v3", value)
	}
	c.platform, c.os = noneIsAny(parts[0]), noneIsAny(parts[1])
	return c.setTarget(noneIsAny(parts[2]))
}

func noneIsAny(part string) string {
	if part == "None" {
		return ""
	}
	return part
}

func (p *queryParser) readName() error {
	fresh := p.empty
	name, ok := p.take(namePattern())
	switch {
	case !ok:
		return fmt.Errorf("%q is not understood", p.rest)
	case !fresh || p.current.name != "":
		return fmt.Errorf("%s begins another spec, and one is expected", name)
	}
	if p.current != &p.matcher.root {
		name = compilerPackage(name)
	}
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		p.current.namespace, name = name[:i], name[i+1:]
	}
	p.current.name = name
	return nil
}
