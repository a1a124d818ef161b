package buildcache

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// object calls member for each member, whose value is next. What is no object is
// passed over.
func (p *indexParser) object(member func(name string) error) error {
	if p.dec.PeekKind() != '{' {
		return p.dec.SkipValue()
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	for p.dec.PeekKind() != '}' {
		raw, err := p.dec.ReadValue()
		if err != nil {
			return err
		}
		if err := member(knownName(raw)); err != nil {
			return err
		}
	}
	_, err := p.dec.ReadToken()
	return err
}

// array calls element for each element, which is next.
func (p *indexParser) array(element func() error) error {
	if p.dec.PeekKind() != '[' {
		return p.dec.SkipValue()
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	for p.dec.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := p.dec.ReadToken()
	return err
}

// string reads a bounded string into a buffer.
func (p *indexParser) string(into []byte) ([]byte, error) {
	if p.dec.PeekKind() != '"' {
		return into[:0], p.dec.SkipValue()
	}
	raw, err := p.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 {
		into = append(into[:0], inner...)
	} else if into, err = jsontext.AppendUnquote(into[:0], raw); err != nil {
		return nil, err
	}
	if len(into) > maxName {
		return nil, fmt.Errorf("%w: a name of %d bytes in the index", ErrInvalid, len(into))
	}
	return into, nil
}

// knownName gives the name of a member without making a string of the usual ones.
func knownName(raw []byte) string {
	inner := raw[1 : len(raw)-1]
	switch string(inner) {
	case "name":
		return "name"
	case "hash":
		return "hash"
	case "parameters":
		return "parameters"
	case "deptypes":
		return "deptypes"
	case "virtuals":
		return "virtuals"
	case "version":
		return "version"
	case "spec":
		return "spec"
	case "arch":
		return "arch"
	case "platform":
		return "platform"
	case "platform_os":
		return "platform_os"
	case "target":
		return "target"
	case "dependencies":
		return "dependencies"
	case "in_buildcache":
		return "in_buildcache"
	case "external":
		return "external"
	case "namespace":
		return "namespace"
	case "package_hash":
		return "package_hash"
	case "annotations":
		return "annotations"
	case "ref_count":
		return "ref_count"
	}
	return string(inner)
}
