package spack

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// maxKnown bounds the strings that a scanner remembers, so that a hostile file
// cannot make the memory that is meant to save memory grow.
const maxKnown = 1 << 14

// scanner walks through JSON without building values: nodes come by the
// hundred thousand, and the order of their members matters.
type scanner struct {
	dec *jsontext.Decoder
	buf bytes.Buffer
	// known shares one copy of strings that come in every node: names of
	// variants, of packages, of platforms.
	known map[string]string
}

func (s *scanner) reset(data []byte) {
	s.buf = *bytes.NewBuffer(data)
	if s.dec == nil {
		s.borrow(jsontext.NewDecoder(&s.buf))
		return
	}
	s.dec.Reset(&s.buf)
}

// borrow lets the scanner walk on where another one of JSON stands.
func (s *scanner) borrow(dec *jsontext.Decoder) {
	s.dec = dec
	if s.known == nil {
		s.known = make(map[string]string, 256)
	}
}

// end checks that nothing follows.
func (s *scanner) end() error {
	if k := s.dec.PeekKind(); k != jsontext.KindInvalid {
		return errors.New("something follows after the end of the JSON value")
	}
	return nil
}

// open reads the token that opens an object or an array; none if there is null.
func (s *scanner) open(want jsontext.Kind, what string) (bool, error) {
	got := s.dec.PeekKind()
	if got != want && got != 'n' && got != jsontext.KindInvalid {
		return false, s.wrong(what)
	}
	_, err := s.dec.ReadToken()
	return err == nil && got == want, err
}

// object calls member for each member, whose value is next; null has none.
func (s *scanner) object(member func(name string) error) error {
	ok, err := s.open('{', "an object")
	for ok && err == nil && s.dec.PeekKind() != '}' {
		var name string
		if name, err = s.text(); err == nil {
			err = member(name)
		}
	}
	if ok && err == nil {
		_, err = s.dec.ReadToken()
	}
	return err
}

// array calls element for each element, which is next; null has none.
func (s *scanner) array(element func() error) error {
	ok, err := s.open('[', "a list")
	for ok && err == nil && s.dec.PeekKind() != ']' {
		err = element()
	}
	if ok && err == nil {
		_, err = s.dec.ReadToken()
	}
	return err
}

// text reads a string.
func (s *scanner) text() (string, error) {
	if k := s.dec.PeekKind(); k != '"' && k != jsontext.KindInvalid {
		return "", s.wrong("a string")
	}
	raw, err := s.dec.ReadValue()
	if err != nil {
		return "", err
	}
	if inner := raw[1 : len(raw)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return s.intern(inner), nil
	}
	plain, err := jsontext.AppendUnquote(nil, raw)
	return string(plain), err
}

// textOrNull reads a string; null is the empty one.
func (s *scanner) textOrNull() (string, error) {
	if s.dec.PeekKind() == 'n' {
		return "", s.dec.SkipValue()
	}
	return s.text()
}

// texts reads a list of strings.
func (s *scanner) texts() (list []string, err error) {
	err = s.array(func() error {
		v, err := s.text()
		list = append(list, v)
		return err
	})
	return list, err
}

// number reads a whole number that is not negative.
func (s *scanner) number() (int, error) {
	if k := s.dec.PeekKind(); k != '0' && k != jsontext.KindInvalid {
		return 0, s.wrong("a number")
	}
	raw, err := s.dec.ReadValue()
	if err != nil {
		return 0, err
	}
	n := 0
	for _, c := range raw {
		if c < '0' || c > '9' || n > 1<<20 {
			return 0, fmt.Errorf("%s is not a version number", clip(string(raw)))
		}
		n = n*10 + int(c-'0')
	}
	return n, nil
}

func (s *scanner) intern(b []byte) string {
	if known, ok := s.known[string(b)]; ok {
		return known
	}
	text := string(b)
	if len(text) <= HashLength && len(s.known) < maxKnown {
		s.known[text] = text
	}
	return text
}

func (s *scanner) wrong(want string) error {
	return fmt.Errorf("%s is expected, and %s found", want, kindName(s.dec.PeekKind()))
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object is"
	case '[':
		return "a list is"
	case '"':
		return "a string is"
	case '0':
		return "a number is"
	case 'n':
		return "null is"
	}
	return "true or false is"
}
