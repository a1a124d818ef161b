package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxSize is the largest document that is read or written, in bytes: more than
// 300,000 objects.
const MaxSize = 256 << 20

// Decode reads a document. Source names it in errors: a *FormatError, or a
// *NewerFormatError. A document in an older format is migrated.
func Decode(data []byte, source string) (*State, error) {
	return decode(data, source, migrations())
}

func decode(data []byte, source string, table map[int]migration) (*State, error) {
	if len(data) > MaxSize {
		return nil, tooLarge(source, len(data))
	}
	text := string(data)
	header, err := peek(text, source)
	if err != nil {
		return nil, err
	}
	if header.FormatVersion > FormatVersion {
		return nil, &NewerFormatError{Source: source, Format: header.FormatVersion, ESDVersion: header.ESDVersion}
	}
	from := header.FormatVersion
	if from < FormatVersion {
		if text, err = migrate(text, source, from, table); err != nil {
			return nil, err
		}
	}
	d := decoder{scanner: scanner{text: text}}
	s, err := d.state()
	if err != nil {
		return nil, d.explain(err, source)
	}
	s.migrated, s.migratedFrom = from < FormatVersion, from
	return s, nil
}

// DecodeHeader reads the header only, which is cheap when the document begins
// with it as the ones that Encode makes do. The rest may be missing or wrong.
func DecodeHeader(data []byte, source string) (Header, error) {
	return peek(string(data), source)
}

func tooLarge(source string, size int) error {
	return &FormatError{Source: source, Err: ErrTooLarge, Detail: fmt.Sprintf("%d bytes, the limit is %d", size, MaxSize),
		Fix: "divide the configuration, each part with a state of its own"}
}

// errPeeked ends the scan of the document when the header is complete.
var errPeeked = errors.New("header complete")

// peek reads the header. It finds out what a document is that is no state.
func peek(text, source string) (Header, error) {
	d := decoder{scanner: scanner{text: text}}
	h := Header{FormatVersion: -1, Serial: -1}
	names := map[string]any{}
	d.space()
	err := d.object(func(name string) (err error) {
		switch name {
		case "format_version":
			var n int64
			n, err = d.integer(1 << 30)
			h.FormatVersion = int(n)
		case "esd_version":
			h.ESDVersion, err = d.str()
		case "lineage":
			h.Lineage, err = d.str()
		case "serial":
			h.Serial, err = d.integer(maxSerial)
		default:
			names[name], err = d.value()
		}
		if err == nil && h.FormatVersion >= 0 && h.ESDVersion != "" && h.Lineage != "" && h.Serial >= 0 {
			return errPeeked
		}
		return err
	})
	switch {
	case err == nil && h.FormatVersion < 0:
		return h, &FormatError{Source: source, Err: ErrForeign, Detail: foreign(names), Fix: fixForeign}
	case err == nil || errors.Is(err, errPeeked):
		return h, nil
	case h.FormatVersion > FormatVersion:
		// What a newer format holds is not ours to judge.
		return h, nil
	default:
		return h, d.explain(err, source)
	}
}

const (
	fixForeign = "check the path or address of the state; it was left as it is"
	fixEdit    = "correct it, or use a copy from before"
	fixCut     = "use a copy from before"
)

// foreign says what a JSON document without format_version probably is.
func foreign(names map[string]any) string {
	has := func(name string) bool { _, ok := names[name]; return ok }
	switch {
	case has("terraform_version"):
		return "this is a state of Terraform or OpenTofu"
	case has("deployment") || has("checkpoint"):
		return "this is a state of Pulumi"
	case has("_meta") && has("concrete_specs"):
		return "this is a lock file of Spack"
	case has("schemaVersion"):
		return "this is a manifest of a container image"
	case len(names) == 0:
		return "an empty JSON object"
	default:
		return `a JSON document without "format_version"`
	}
}

// explain turns an error of the scanner into one for users.
func (d *decoder) explain(err error, source string) error {
	var scan *scanError
	if !errors.As(err, &scan) {
		return err
	}
	trimmed := strings.TrimSpace(d.text)
	switch {
	case trimmed == "":
		return &FormatError{Source: source, Err: ErrTruncated, Detail: "it is empty", Fix: fixCut}
	case strings.Trim(d.text, "\x00") == "":
		return &FormatError{Source: source, Err: ErrTruncated, Detail: "it holds nothing but zero bytes, as after a crash of the machine", Fix: fixCut}
	case trimmed[0] == '<':
		return &FormatError{Source: source, Err: ErrForeign, Detail: "this is HTML or XML, perhaps a page to log in", Fix: fixForeign}
	case trimmed[0] != '{':
		return &FormatError{Source: source, Err: ErrForeign, Detail: "it is no JSON object", Fix: fixForeign}
	}
	e := &FormatError{Source: source, Err: ErrInvalid, Detail: scan.msg, Fix: fixEdit}
	if d.at != "" {
		e.Detail = d.at + ": " + scan.msg
	}
	if scan.truncated {
		e.Err, e.Fix = ErrTruncated, fixCut
	}
	before := d.text[:min(scan.pos, len(d.text))]
	e.Line = strings.Count(before, "\n") + 1
	e.Column = len(before) - strings.LastIndexByte(before, '\n')
	return e
}

// decoder reads the present format.
type decoder struct {
	scanner
	at string // what is being read, for errors
}

func (d *decoder) state() (*State, error) {
	s := New("", "")
	var seen struct{ version, lineage, serial bool }
	d.space()
	err := d.object(func(name string) (err error) {
		d.at = name
		switch name {
		case "format_version":
			seen.version = true
			_, err = d.integer(FormatVersion)
		case "esd_version":
			s.ESDVersion, err = d.str()
		case "lineage":
			seen.lineage = true
			s.Lineage, err = d.checked(checkLineage)
		case "serial":
			seen.serial = true
			s.Serial, err = d.integer(maxSerial)
		case "objects":
			err = d.objects(s)
		case "caches":
			s.Caches, err = readMap(d, d.cache)
		case "durations":
			s.Durations, err = readMap(d, d.duration)
		case "outputs":
			s.Outputs, err = readMap(d, d.output)
		default:
			err = d.unknown(&s.extra, name)
		}
		return err
	})
	if err == nil {
		d.at = ""
		err = d.end()
	}
	if err == nil && !(seen.version && seen.lineage && seen.serial) {
		err = d.failAt(0, `"format_version", "lineage" or "serial" is missing`)
	}
	return s, err
}

func (d *decoder) objects(s *State) error {
	return d.array(func() error {
		start := d.pos
		d.at = fmt.Sprintf("object %d", len(s.Objects)+1)
		o := &Object{}
		if err := d.objectRecord(o); err != nil {
			if o.Address != "" {
				d.at = "object " + o.Address
			}
			return err
		}
		if s.Objects[o.Address] != nil {
			return d.failAt(start, "the address %s is recorded twice", o.Address)
		}
		s.Objects[o.Address] = o
		return nil
	})
}

func (d *decoder) objectRecord(o *Object) error {
	start := d.pos
	err := d.object(func(name string) (err error) {
		switch name {
		case "address":
			o.Address, err = d.checked(checkAddress)
		case "kind":
			o.Kind, err = d.checked(checkKind)
		case "key":
			o.Key, err = d.checked(checkKey)
		case "attributes":
			var v map[string]any
			v, err = d.mapping()
			o.Attributes = v
		case "inputs":
			o.Inputs, err = readMap(d, d.str)
		case "dependencies":
			o.Dependencies, err = d.addresses()
		case "tainted":
			o.Tainted, err = d.boolean()
		case "prevent_destroy":
			o.PreventDestroy, err = d.boolean()
		case "when":
			o.When, err = d.checked(checkWhen)
		default:
			err = d.unknown(&o.extra, name)
		}
		return err
	})
	if err == nil && (o.Address == "" || o.Kind == "" || o.Key == "") {
		err = d.failAt(start, `an object without "address", "kind" or "key"`)
	}
	return err
}

func (d *decoder) cache() (c CacheSeen, err error) {
	err = d.object(func(name string) (err error) {
		switch name {
		case "location":
			c.Location, err = d.str()
		case "revision":
			c.Revision, err = d.str()
		case "entries":
			c.Entries, err = readMap(d, d.str)
		default:
			_, err = d.value()
		}
		return err
	})
	return c, err
}

func (d *decoder) duration() (t Duration, err error) {
	start := d.pos
	err = d.object(func(name string) (err error) {
		switch name {
		case "seconds":
			var n json.Number
			if n, err = d.number(); err != nil {
				return err
			}
			if t.Seconds, err = strconv.ParseFloat(string(n), 64); err != nil {
				return d.failAt(start, "%s seconds are beyond all bounds", n)
			}
		case "peak_memory":
			t.PeakMemory, err = d.integer(maxSerial)
		case "size":
			t.Size, err = d.integer(maxSerial)
		default:
			_, err = d.value()
		}
		return err
	})
	if err == nil && t.Seconds < 0 {
		err = d.failAt(start, "a duration below zero")
	}
	return t, err
}

func (d *decoder) output() (o Output, err error) {
	start := d.pos
	err = d.object(func(name string) (err error) {
		switch name {
		case "type":
			o.typ, err = d.raw()
		case "value":
			o.value, err = d.raw()
		case "sensitive":
			o.sensitive, err = d.boolean()
		default:
			_, err = d.value()
		}
		return err
	})
	if err == nil && o.sensitive && o.value != nil {
		err = d.failAt(start, "a sensitive output with a value; no esd writes that, take the value out")
	}
	return o, err
}
