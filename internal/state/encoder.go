package state

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// encoder appends canonical JSON and remembers the first error.
type encoder struct {
	buf   []byte
	err   error
	names []string // reused for sorting
}

func (e *encoder) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf(format, args...)
	}
}

func (e *encoder) raw(s string) { e.buf = append(e.buf, s...) }
func (e *encoder) int(n int64)  { e.buf = strconv.AppendInt(e.buf, n, 10) }
func (e *encoder) field(name string) {
	e.buf = append(append(append(e.buf, `,"`...), name...), `":`...)
}

func (e *encoder) strings(m map[string]string) {
	e.raw("{")
	for i, name := range e.sorted(m) {
		if i > 0 {
			e.raw(",")
		}
		e.str(name)
		e.raw(":")
		e.str(m[name])
	}
	e.raw("}")
}

// sorted returns the names of a flat map in a buffer that the next call reuses.
func (e *encoder) sorted(m map[string]string) []string {
	e.names = e.names[:0]
	for name := range m {
		e.names = append(e.names, name)
	}
	slices.Sort(e.names)
	return e.names
}

func (e *encoder) list(list []string) {
	e.raw("[")
	for i, s := range list {
		if i > 0 {
			e.raw(",")
		}
		e.str(s)
	}
	e.raw("]")
}

func (e *encoder) mapping(m map[string]any) {
	e.raw("{")
	for i, name := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			e.raw(",")
		}
		e.str(name)
		e.raw(":")
		e.any(m[name])
	}
	e.raw("}")
}

// any encodes a JSON value in Go's usual types; others go through
// encoding/json first.
func (e *encoder) any(v any) {
	switch v := v.(type) {
	case nil:
		e.raw("null")
	case bool:
		e.buf = strconv.AppendBool(e.buf, v)
	case string:
		e.str(v)
	case json.Number:
		e.number(v)
	case int:
		e.int(int64(v))
	case int64:
		e.int(v)
	case float64:
		e.float(v)
	case []string:
		e.list(v)
	case []any:
		e.raw("[")
		for i, element := range v {
			if i > 0 {
				e.raw(",")
			}
			e.any(element)
		}
		e.raw("]")
	case map[string]any:
		e.mapping(v)
	default:
		data, err := json.Marshal(v)
		if err != nil {
			e.fail("a value of type %T: %w", v, err)
			return
		}
		e.json(data)
	}
}

// json encodes a document that is JSON already, in canonical form.
func (e *encoder) json(data []byte) {
	p := scanner{text: string(data)}
	p.space()
	v, err := p.value()
	if err == nil {
		err = p.end()
	}
	if err != nil {
		e.fail("%q is not JSON: %w", data, err)
		return
	}
	e.any(v)
}

func (e *encoder) number(n json.Number) {
	p := scanner{text: string(n)}
	if _, err := p.number(); err != nil || p.pos < len(p.text) {
		e.fail("%q is no number", string(n))
	}
	e.raw(string(n))
}

func (e *encoder) float(f float64) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		e.fail("the number %v cannot be recorded", f)
		return
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	e.buf = strconv.AppendFloat(e.buf, f, format, -1, 64)
}

func (e *encoder) str(s string) {
	e.buf = append(e.buf, '"')
	start, ascii := 0, true
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			ascii = false
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		e.buf = append(e.buf, s[start:i]...)
		start = i + 1
		e.escape(c)
	}
	if !ascii && !utf8.ValidString(s) {
		e.fail("the string %q is not UTF-8", s)
	}
	e.buf = append(append(e.buf, s[start:]...), '"')
}

func (e *encoder) escape(c byte) {
	switch c {
	case '"', '\\':
		e.buf = append(e.buf, '\\', c)
	case '\n':
		e.raw(`\n`)
	case '\t':
		e.raw(`\t`)
	default:
		e.buf = fmt.Appendf(e.buf, `\u%04x`, c)
	}
}
