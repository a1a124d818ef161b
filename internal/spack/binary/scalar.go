package binary

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"
)

// flowWriter writes scalars the way Spack's YAML library (ruamel.yaml as Spack
// carries it, emitter.py and resolver.py) does, on one line of any width. The
// bytes of an archive depend on it.
type flowWriter struct {
	b   *bytes.Buffer
	err error
}

func (w *flowWriter) list(items []string) {
	w.b.WriteByte('[')
	for i, s := range items {
		if i > 0 {
			w.b.WriteString(", ")
		}
		w.scalar(s)
	}
	w.b.WriteByte(']')
}

func (w *flowWriter) scalar(s string) {
	if !utf8.ValidString(s) {
		w.err = fmt.Errorf("the name %q is not UTF-8, and Spack can have no other in an archive", short(s))
		return
	}
	style := styleOf(s)
	switch {
	case style == stylePlain:
		w.b.WriteString(s)
	case style == styleSingle && !strings.ContainsAny(s, "'\n"):
		w.b.WriteString("'" + s + "'")
	default:
		w.doubleQuoted(s)
	}
}

type scalarStyle int

const (
	stylePlain scalarStyle = iota
	styleSingle
	styleDouble
)

const (
	leadingIndicators = "#,[]{}&*!|>'\"%@`"
	yamlSpace         = "\x00 \t\r\n\u0085\u2028\u2029"
	yamlBreaks        = "\n\u0085\u2028\u2029"
)

// styleOf tells how a scalar has to be written inside a flow collection.
func styleOf(s string) scalarStyle {
	if s == "" {
		return styleSingle
	}
	style := stylePlain
	need := func(least scalarStyle) { style = max(style, least) }
	if strings.HasPrefix(s, "---") || strings.HasPrefix(s, "...") || looksTyped(s) {
		need(styleSingle)
	}
	runes := []rune(s)
	spaceAt := func(i int) bool { return i < 0 || i >= len(runes) || strings.ContainsRune(yamlSpace, runes[i]) }
	for i, c := range runes {
		first, last := i == 0, i == len(runes)-1
		switch {
		case first && strings.ContainsRune(leadingIndicators, c),
			first && last && (c == '?' || c == ':'),
			first && c == '-' && spaceAt(1),
			!first && strings.ContainsRune(",[]{}", c),
			!first && c == ':' && spaceAt(i+1),
			!first && c == '#' && spaceAt(i-1),
			c == ' ' && (first || last),
			strings.ContainsRune(yamlBreaks, c):
			need(styleSingle)
		}
		switch {
		case c == '\n', ' ' <= c && c <= '~', c == '\u0085':
		case 0xA0 <= c && c != '\uFEFF' && c != 0xFFFE && c != 0xFFFF:
		default:
			need(styleDouble)
		}
		if i > 0 && (c == ' ' && isBreak(runes[i-1]) || isBreak(c) && runes[i-1] == ' ') {
			need(styleDouble)
		}
	}
	return style
}

func isBreak(c rune) bool { return strings.ContainsRune(yamlBreaks, c) }

// typed are plain scalars that YAML 1.2, as the library reads it, takes for
// something else than text.
var typed = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:` + strings.Join([]string{
		`true|True|TRUE|false|False|FALSE|~|null|Null|NULL|<<|=`,
		`[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?`,
		`[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+`,
		`[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?`,
		`[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)`,
		`[-+]?0b[0-1_]+|[-+]?0o?[0-7_]+|[-+]?0x[0-9a-fA-F_]+`,
		`[-+]?[0-9_]+`,
		`[0-9]{4}-[0-9]{2}-[0-9]{2}`,
		`[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?`,
	}, "|") + `)$`)
})

// looksTyped tells whether s, unquoted, would not be read as text. The library
// looks at the first byte before it tries a pattern: "_1" is text to it.
func looksTyped(s string) bool {
	return strings.IndexByte("tTfF-+0123456789.<~nN=", s[0]) >= 0 && len(s) < 64 && typed().MatchString(s)
}

// shortEscapes are the characters that have an escape of one letter.
var shortEscapes = map[rune]string{
	0: "0", '\a': "a", '\b': "b", '\t': "t", '\n': "n", '\v': "v", '\f': "f", '\r': "r", 0x1b: "e",
	'"': `"`, '\\': `\`, 0x85: "N", 0xa0: "_", 0x2028: "L", 0x2029: "P",
}

func (w *flowWriter) doubleQuoted(s string) {
	w.b.WriteByte('"')
	for _, c := range s {
		short, ok := shortEscapes[c]
		switch {
		case ' ' <= c && c <= '~' && c != '"' && c != '\\',
			c >= 0xa0 && c <= 0xfffd && c != 0x2028 && c != 0x2029 && c != 0xfeff:
			w.b.WriteRune(c)
		case ok:
			w.b.WriteString(`\` + short)
		case c <= 0xff:
			fmt.Fprintf(w.b, `\x%02X`, c)
		case c <= 0xffff:
			fmt.Fprintf(w.b, `\u%04X`, c)
		default:
			fmt.Fprintf(w.b, `\U%08X`, c)
		}
	}
	w.b.WriteByte('"')
}
