package store

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// object calls member for each member, whose value is next. The decoder refuses
// repeated names.
func (p *parser) object(what string, member func(name string) error) error {
	if k := p.dec.PeekKind(); k != '{' {
		return p.wrong(what, "an object")
	}
	if _, err := p.dec.ReadToken(); err != nil {
		return err
	}
	for p.dec.PeekKind() != '}' {
		name, err := p.text("a name")
		if err != nil {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
	}
	_, err := p.dec.ReadToken()
	return err
}

// value reads any value and gives the part of the data that it is.
func (p *parser) value() (jsontext.Value, error) {
	v, err := p.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	end := p.dec.InputOffset()
	return p.data[end-int64(len(v)) : end : end], nil
}

func (p *parser) text(what string) (string, error) {
	if k := p.dec.PeekKind(); k != '"' {
		return "", p.wrong(what, "a string")
	}
	v, err := p.dec.ReadValue()
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(v, '\\') < 0 {
		return string(v[1 : len(v)-1]), nil
	}
	text, err := jsontext.AppendUnquote(nil, v)
	return string(text), err
}

func (p *parser) textOrNull(what string) (string, error) {
	if p.dec.PeekKind() == 'n' {
		return "", p.dec.SkipValue()
	}
	return p.text(what)
}

// boolean reads true or false; null is false.
func (p *parser) boolean(what string) (bool, error) {
	switch p.dec.PeekKind() {
	case 't', 'f', 'n':
		t, err := p.dec.ReadToken()
		return err == nil && t.Kind() == 't', err
	}
	return false, p.wrong(what, "true or false")
}

// number reads a number; null is 0.
func (p *parser) number(what string) (float64, error) {
	switch p.dec.PeekKind() {
	case 'n':
		return 0, p.dec.SkipValue()
	case '0':
		v, err := p.dec.ReadValue()
		if err != nil {
			return 0, err
		}
		return strconv.ParseFloat(string(v), 64)
	}
	return 0, p.wrong(what, "a number")
}

// wrong says what is found instead; for broken syntax, what is wrong with it.
func (p *parser) wrong(what, want string) error {
	if k := p.dec.PeekKind(); k == jsontext.KindInvalid {
		_, err := p.dec.ReadToken()
		if err == nil {
			err = fmt.Errorf("%s is not JSON", what)
		}
		return err
	}
	return fmt.Errorf("%s is not %s", what, want)
}
