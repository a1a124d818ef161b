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

// bytesPerObject is a guess that saves the encoder from growing its buffer.
const bytesPerObject = 768

// Encode writes the document: the header first, then every object, cache,
// duration and output on a line of its own, all of them sorted, so that the
// same state is the same bytes. A state that Decode would refuse is an error.
func Encode(s *State) ([]byte, error) {
	if fault := checkLineage(s.Lineage); fault != "" {
		return nil, fmt.Errorf("encode state: %s", fault)
	}
	if s.Serial < 0 || s.Serial > maxSerial {
		return nil, fmt.Errorf("encode state: serial %d is out of range", s.Serial)
	}
	var e encoder
	e.buf = make([]byte, 0, len(s.Objects)*bytesPerObject+1024)
	e.raw("{\n\"format_version\": ")
	e.int(FormatVersion)
	e.raw(",\n\"esd_version\": ")
	e.str(s.ESDVersion)
	e.raw(",\n\"lineage\": ")
	e.str(s.Lineage)
	e.raw(",\n\"serial\": ")
	e.int(s.Serial)
	e.body(s)
	e.raw("\n}\n")
	if e.err != nil {
		return nil, fmt.Errorf("encode state: %w", e.err)
	}
	if len(e.buf) > MaxSize {
		return nil, tooLarge("encode state", len(e.buf))
	}
	return e.buf, nil
}

// encodeBody encodes all but the header.
func encodeBody(s *State) ([]byte, error) {
	var e encoder
	e.body(s)
	return e.buf, e.err
}

// MarshalJSON encodes the object as it stands in the document.
func (o *Object) MarshalJSON() ([]byte, error) {
	var e encoder
	e.object(o)
	return e.buf, e.err
}

// UnmarshalJSON reads an object as it stands in the document, with the same
// checks.
func (o *Object) UnmarshalJSON(data []byte) error {
	d := decoder{scanner: scanner{text: string(data)}}
	d.space()
	var read Object
	if err := d.objectRecord(&read); err != nil {
		return err
	}
	*o = read
	return d.end()
}

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

func (e *encoder) body(s *State) {
	e.raw(",\n\"objects\": [")
	for i, address := range s.Addresses() {
		e.line(i)
		o := s.Objects[address]
		if o == nil || o.Address != address {
			e.fail("the object at %s has another address", address)
			return
		}
		e.object(o)
	}
	e.raw("\n]")
	section(e, "caches", s.Caches, e.cache)
	section(e, "durations", s.Durations, e.duration)
	section(e, "outputs", s.Outputs, e.output)
	for _, name := range slices.Sorted(maps.Keys(s.extra)) {
		e.raw(",\n")
		e.str(name)
		e.raw(": ")
		e.any(s.extra[name])
	}
}

// line begins element i of a section.
func (e *encoder) line(i int) {
	if i > 0 {
		e.raw(",")
	}
	e.raw("\n")
}

// section encodes a map with one entry a line.
func section[V any](e *encoder, name string, m map[string]V, encode func(V)) {
	e.raw(",\n")
	e.str(name)
	e.raw(": {")
	for i, key := range slices.Sorted(maps.Keys(m)) {
		e.line(i)
		e.str(key)
		e.raw(":")
		encode(m[key])
	}
	if len(m) > 0 {
		e.raw("\n")
	}
	e.raw("}")
}

func (e *encoder) object(o *Object) {
	if fault := o.check(); fault != "" {
		e.fail("object %s: %s", o.Address, fault)
		return
	}
	e.raw(`{"address":`)
	e.str(o.Address)
	e.field("kind")
	e.str(o.Kind)
	e.field("key")
	e.str(o.Key)
	if len(o.Attributes) > 0 {
		e.field("attributes")
		e.mapping(o.Attributes)
	}
	if len(o.Inputs) > 0 {
		e.field("inputs")
		e.strings(o.Inputs)
	}
	if len(o.Dependencies) > 0 {
		e.field("dependencies")
		e.list(sortedSet(o.Dependencies))
	}
	if o.Tainted {
		e.raw(`,"tainted":true`)
	}
	if o.PreventDestroy {
		e.raw(`,"prevent_destroy":true`)
	}
	if o.When != "" {
		e.field("when")
		e.str(o.When)
	}
	for _, name := range slices.Sorted(maps.Keys(o.extra)) {
		e.raw(",")
		e.str(name)
		e.raw(":")
		e.any(o.extra[name])
	}
	e.raw("}")
}

func (e *encoder) cache(c CacheSeen) {
	e.raw(`{"location":`)
	e.str(c.Location)
	if c.Revision != "" {
		e.field("revision")
		e.str(c.Revision)
	}
	if len(c.Entries) > 0 {
		e.field("entries")
		e.strings(c.Entries)
	}
	e.raw("}")
}

func (e *encoder) duration(t Duration) {
	e.raw(`{"seconds":`)
	if t.Seconds < 0 {
		e.fail("a duration below zero")
	}
	e.float(t.Seconds)
	for _, f := range []struct {
		name string
		n    int64
	}{{"peak_memory", t.PeakMemory}, {"size", t.Size}} {
		if f.n < 0 || f.n > maxSerial {
			e.fail("%s %d is out of range", f.name, f.n)
		}
		if f.n != 0 {
			e.field(f.name)
			e.int(f.n)
		}
	}
	e.raw("}")
}

func (e *encoder) output(o Output) {
	e.raw("{")
	if o.sensitive {
		e.raw(`"sensitive":true`)
	} else {
		e.raw(`"value":`)
		e.json(o.value)
	}
	if len(o.typ) > 0 {
		e.field("type")
		e.json(o.typ)
	}
	e.raw("}")
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
