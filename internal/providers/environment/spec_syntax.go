package environment

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// specToken is a kind of pieces that specs consist of.
type specToken struct {
	pattern *regexp.Regexp
	kind    byte // name, @ version, / hash, attribute, ^ dependency
}

// specTokens are the tokens of specs, the first that fits counts (SpecTokens in
// Spack's spec_parser.py). They take a little more than Spack does: whether a
// version or the condition of a dependency makes sense is for Spack to say.
var specTokens = sync.OnceValue(func() []specToken {
	const name, quoted = `[a-zA-Z_0-9][a-zA-Z_0-9.-]*`, `'(?:\\'|[^'])*'|"(?:\\"|[^"])*"`
	const version = `[a-zA-Z_0-9=:./-]+`
	var tokens []specToken
	for _, t := range []struct {
		kind    byte
		pattern string
	}{
		{'^', `(?:\^|%%|%)(?:\[(?:` + quoted + `|[^\]'"])*\])?(?:\s*[a-zA-Z_0-9-]+(?:,[a-zA-Z_0-9-]+)*=)?`},
		{'@', `@\s*` + version + `(?:\s*,\s*` + version + `)*`},
		{'a', `(?:\+\+|~~|--|[+~-])\s*` + name},
		{'a', name + `:?==?(?:` + quoted + `|[a-zA-Z_0-9+*.,:=%^~/\\-]+)`},
		{'/', `/[a-zA-Z_0-9]+`},
		{'n', `(?:` + name + `|\*)`},
	} {
		tokens = append(tokens, specToken{regexp.MustCompile(`^` + t.pattern), t.kind})
	}
	return tokens
})

// checkSpec refuses what is certainly no spec of one package in Spack's syntax.
func checkSpec(spec string) error {
	if isSpecFile(spec) {
		return nil
	}
	r := specReader{rest: spec}
	for {
		r.rest = strings.TrimLeft(r.rest, " \t")
		if r.rest == "" {
			break
		}
		if err := r.token(); err != nil {
			return err
		}
	}
	return r.finish()
}

// isSpecFile reports whether Spack would read the spec from a file.
func isSpecFile(spec string) bool {
	return (strings.HasSuffix(spec, ".json") || strings.HasSuffix(spec, ".yaml")) && strings.ContainsAny(spec, "/") && !strings.ContainsAny(spec, " @%^+~=")
}

// specReader reads a spec from left to right; its fields are about the package
// that is being described.
type specReader struct {
	rest          string
	sigil         string // what it begins with; empty for the first
	name          string
	begun         bool // something was said of it
	version, hash bool
}

func (r *specReader) token() error {
	for _, t := range specTokens() {
		text := t.pattern.FindString(r.rest)
		if text == "" {
			continue
		}
		r.rest = r.rest[len(text):]
		return r.take(t.kind, text)
	}
	return r.problem()
}

func (r *specReader) take(kind byte, text string) error {
	switch kind {
	case '^':
		return r.dependency(text)
	case 'n':
		if strings.HasPrefix(strings.TrimPrefix(r.rest, ":"), "=") {
			return r.noValue(text)
		}
		if r.begun {
			return r.second(text)
		}
		r.name = text
	case '@':
		if r.version {
			return fmt.Errorf("%s is a second version", text)
		}
		r.version = true
	case '/':
		r.hash = true
	}
	r.begun = true
	return nil
}

// noValue says what is wrong with what follows name=.
func (r *specReader) noValue(name string) error {
	if value := strings.TrimLeft(r.rest, ":="); value != "" && strings.ContainsRune(`'"`, rune(value[0])) {
		return fmt.Errorf("a quote is not closed: %s%s", name, r.rest)
	}
	return fmt.Errorf("the value of %s is missing", name)
}

func (r *specReader) second(name string) error {
	if r.name == "" || r.name == "*" {
		return fmt.Errorf("%s stands behind what is said of it: the name comes first", name)
	}
	return fmt.Errorf("%s and %s are two packages: list each by itself, or write ^%[2]s or %%%[2]s if %[1]s is to depend on it", r.name, name)
}

// dependency ends the description of one package and begins another.
func (r *specReader) dependency(sigil string) error {
	if err := r.finish(); err != nil {
		return err
	}
	*r = specReader{rest: r.rest, sigil: sigil}
	if strings.HasPrefix(r.rest, "[") {
		return fmt.Errorf("a bracket or a quote is not closed: %s%s", sigil, r.rest)
	}
	return nil
}

// finish checks that something was said of a package, and who the first one is.
func (r *specReader) finish() error {
	switch {
	case r.sigil != "" && !r.begun:
		return fmt.Errorf("nothing follows %s: a package is missing there", r.sigil)
	case r.sigil == "" && (r.name == "" || r.name == "*") && !r.hash:
		return errors.New("it names no package: the name comes first")
	}
	return nil
}

// problem says what is wrong with what no token begins.
func (r *specReader) problem() error {
	switch c := r.rest[0]; {
	case c == '@':
		return errors.New("a version is missing behind @")
	case strings.IndexByte("+~-", c) >= 0:
		return fmt.Errorf("the name of a variant is missing behind %c", c)
	case c == '\'' || c == '"':
		return fmt.Errorf("a quote is not closed, or stands behind no name=: %s", r.rest)
	case c == '=':
		return errors.New("a name or a value is missing at =")
	}
	return fmt.Errorf("%q is not understood", r.rest)
}
