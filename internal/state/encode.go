package state

import (
	"fmt"
	"maps"
	"slices"
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
	if !t.Valid() {
		e.fail("the duration %+v is out of range", t)
		return
	}
	e.raw(`{"seconds":`)
	e.float(t.Seconds)
	if t.PeakMemory != 0 {
		e.field("peak_memory")
		e.int(t.PeakMemory)
	}
	if t.Size != 0 {
		e.field("size")
		e.int(t.Size)
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
