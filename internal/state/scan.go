package state

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds the nesting of arrays and objects, so that a hostile document
// cannot exhaust the stack.
const maxDepth = 64

// scanner reads JSON (RFC 8259) from a string. It exists beside encoding/json
// because a state of 100,000 objects has to be read in well under a second, and
// because a hand-edited one needs what that package does not give: an error for
// a name that stands twice, and the place of every fault. Strings without
// escapes share the memory of the document.
type scanner struct {
	text  string
	pos   int
	depth int
}

// scanError is a fault at a byte offset.
type scanError struct {
	pos       int
	msg       string
	truncated bool
}

func (e *scanError) Error() string { return e.msg }

func (p *scanner) failAt(pos int, format string, args ...any) error {
	return &scanError{pos: pos, msg: fmt.Sprintf(format, args...)}
}

// unexpected is the error for what stands at the current place.
func (p *scanner) unexpected(wanted string) error {
	if rest := p.text[p.pos:]; len(rest) < len("false") && (strings.HasPrefix("true", rest) ||
		strings.HasPrefix("false", rest) || strings.HasPrefix("null", rest)) {
		return &scanError{pos: p.pos, msg: "ends where " + wanted + " should be", truncated: true}
	}
	return p.failAt(p.pos, "found %s where %s should be", p.found(), wanted)
}

func (p *scanner) found() string {
	switch c := p.text[p.pos]; {
	case c == '"':
		return "a string"
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case c == 't' || c == 'f':
		return "a boolean"
	case c == 'n':
		return "null"
	case c == '-' || '0' <= c && c <= '9':
		return "a number"
	case c < 0x20 || c >= 0x7f:
		return fmt.Sprintf("the byte 0x%02x", c)
	default:
		return strconv.QuoteRune(rune(c))
	}
}

func (p *scanner) space() {
	for p.pos < len(p.text) {
		switch p.text[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// take consumes c when it is the next byte.
func (p *scanner) take(c byte) bool {
	if p.pos < len(p.text) && p.text[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

func (p *scanner) enter(open byte, wanted string) error {
	if !p.take(open) {
		return p.unexpected(wanted)
	}
	if p.depth++; p.depth > maxDepth {
		return p.failAt(p.pos-1, "nested more than %d deep", maxDepth)
	}
	p.space()
	return nil
}

// object reads an object and calls member with each name, the value being next.
// A name that stands twice is an error.
func (p *scanner) object(member func(name string) error) error {
	if err := p.enter('{', "an object"); err != nil {
		return err
	}
	defer func() { p.depth-- }()
	if p.take('}') {
		return nil
	}
	var seen nameSet
	for {
		at := p.pos
		name, err := p.str()
		if err != nil {
			return err
		}
		if !seen.add(name) {
			return p.failAt(at, "the name %q stands twice in one object", name)
		}
		p.space()
		if !p.take(':') {
			return p.unexpected(`":"`)
		}
		p.space()
		if err := member(name); err != nil {
			return err
		}
		if done, err := p.separator('}'); done || err != nil {
			return err
		}
	}
}

// array reads an array and calls element for each, the value being next.
func (p *scanner) array(element func() error) error {
	if err := p.enter('[', "an array"); err != nil {
		return err
	}
	defer func() { p.depth-- }()
	if p.take(']') {
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		if done, err := p.separator(']'); done || err != nil {
			return err
		}
	}
}

// separator consumes a comma, or the closing byte and says so.
func (p *scanner) separator(closing byte) (bool, error) {
	p.space()
	if p.take(closing) {
		return true, nil
	}
	if !p.take(',') {
		return false, p.unexpected(`"," or "` + string(closing) + `"`)
	}
	p.space()
	return false, nil
}

func (p *scanner) str() (string, error) {
	if !p.take('"') {
		return "", p.unexpected("a string")
	}
	start, ascii := p.pos, true
	for p.pos < len(p.text) {
		c := p.text[p.pos]
		switch {
		case c == '"':
			s := p.text[start:p.pos]
			if !ascii && !utf8.ValidString(s) {
				return "", p.failAt(start, "a string that is not UTF-8")
			}
			p.pos++
			return s, nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", p.failAt(p.pos, "a control character (0x%02x) in a string", c)
		case c >= utf8.RuneSelf:
			ascii = false
		}
		p.pos++
	}
	return "", p.unexpected(`the closing "\"" of a string`)
}

// escaped finishes a string in which an escape was met. They are rare, so the
// decoding is left to encoding/json.
func (p *scanner) escaped(start int) (string, error) {
	for p.pos < len(p.text) && p.text[p.pos] != '"' {
		if p.text[p.pos] == '\\' {
			p.pos++
		}
		p.pos++
	}
	if p.pos >= len(p.text) {
		p.pos = len(p.text)
		return "", p.unexpected(`the closing "\"" of a string`)
	}
	p.pos++
	raw := p.text[start-1 : p.pos]
	var s string
	if !utf8.ValidString(raw) || json.Unmarshal([]byte(raw), &s) != nil {
		return "", p.failAt(start, "a string with a wrong escape, a control character or bytes that are not UTF-8")
	}
	return s, nil
}

// number reads a number without converting it.
func (p *scanner) number() (json.Number, error) {
	start := p.pos
	p.take('-')
	if !p.take('0') && !p.digits() {
		return "", p.unexpected("a number")
	}
	if p.take('.') && !p.digits() {
		return "", p.unexpected("a digit")
	}
	if p.take('e') || p.take('E') {
		if !p.take('+') {
			p.take('-')
		}
		if !p.digits() {
			return "", p.unexpected("a digit")
		}
	}
	return json.Number(p.text[start:p.pos]), nil
}

func (p *scanner) digits() bool {
	start := p.pos
	for p.pos < len(p.text) && '0' <= p.text[p.pos] && p.text[p.pos] <= '9' {
		p.pos++
	}
	return p.pos > start
}

func (p *scanner) word(word string) bool {
	if len(p.text)-p.pos >= len(word) && p.text[p.pos:p.pos+len(word)] == word {
		p.pos += len(word)
		return true
	}
	return false
}

func (p *scanner) boolean() (bool, error) {
	switch {
	case p.word("true"):
		return true, nil
	case p.word("false"):
		return false, nil
	}
	return false, p.unexpected("true or false")
}

// value reads any value: nil, bool, json.Number, string, []any, map[string]any.
func (p *scanner) value() (any, error) {
	if p.pos >= len(p.text) {
		return nil, p.unexpected("a value")
	}
	switch c := p.text[p.pos]; c {
	case '"':
		return p.str()
	case '{':
		m := map[string]any{}
		return m, p.object(func(name string) (err error) {
			m[name], err = p.value()
			return err
		})
	case '[':
		list := []any{}
		return list, p.array(func() error {
			v, err := p.value()
			list = append(list, v)
			return err
		})
	case 't', 'f':
		return p.boolean()
	case 'n':
		if p.word("null") {
			return nil, nil
		}
		return nil, p.unexpected("null")
	default:
		if c != '-' && (c < '0' || c > '9') {
			return nil, p.unexpected("a value")
		}
		return p.number()
	}
}

// end makes sure that nothing but white space is left.
func (p *scanner) end() error {
	p.space()
	if p.pos < len(p.text) {
		return p.failAt(p.pos, "found %s after the end of the document", p.found())
	}
	return nil
}

// nameSet finds duplicates; it costs no allocation for objects of usual size.
type nameSet struct {
	few  [12]string
	n    int
	many map[string]struct{}
}

func (s *nameSet) add(name string) bool {
	if s.many != nil {
		_, dup := s.many[name]
		s.many[name] = struct{}{}
		return !dup
	}
	for i := range s.n {
		if s.few[i] == name {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	s.many = make(map[string]struct{}, 2*len(s.few))
	for _, have := range s.few {
		s.many[have] = struct{}{}
	}
	s.many[name] = struct{}{}
	return true
}
