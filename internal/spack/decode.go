package spack

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The versions of the format of one spec that are understood
// (SPECFILE_FORMAT_VERSION and the SpecfileV* readers in Spack's spec.py):
// 3 is of Spack 0.18 and 0.19, 4 of 0.20 to 0.23, 5 of 1.0 and later. In
// version 2 and older specs had another hash, which names nothing any more.
const (
	OldestSpecfile = 3
	NewestSpecfile = 5
)

// ErrSpecfileVersion marks specs in a format that is too old or too new.
var ErrSpecfileVersion = errors.New("format of concrete specs is not supported")

// CheckSpecfileVersion says whether specs of a version can be decoded.
func CheckSpecfileVersion(version int) error {
	switch {
	case version < OldestSpecfile:
		return fmt.Errorf("version %d of the %w: it is older than Spack 0.18; concretize again with Spack 0.23 or 1.x", version, ErrSpecfileVersion)
	case version > NewestSpecfile:
		return fmt.Errorf("version %d of the %w: a newer Spack wrote it, and versions %d to %d are known; update this program, or use the older Spack",
			version, ErrSpecfileVersion, OldestSpecfile, NewestSpecfile)
	}
	return nil
}

// DecodeError tells which spec cannot be decoded, and why.
type DecodeError struct {
	Package string // empty where it was not reached
	Where   string // JSON pointer inside of the spec
	Err     error
}

func (e *DecodeError) Error() string {
	what := "a concrete spec"
	if e.Package != "" {
		what = "the concrete spec of " + clip(e.Package)
	}
	if e.Where != "" {
		what += ", at " + clip(e.Where)
	}
	return fmt.Sprintf("%s: %v", what, e.Err)
}

// clip keeps what a hostile file says of itself from filling the screen.
func clip(text string) string {
	const most = 100
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func (e *DecodeError) Unwrap() error { return e.Err }

// DecodeSpec reads one node of a lock file, of a spec document, of an index or
// of an install database. Raw of the result is part of raw if that is compact.
func DecodeSpec(raw []byte, specfileVersion int) (*Spec, error) {
	return new(Decoder).Decode(raw, specfileVersion)
}

// Decoder decodes many specs, and lets them share what they have in common.
// The zero value is ready; one goroutine may use it at a time.
type Decoder struct {
	s       scanner
	version int
}

// Decode is [DecodeSpec].
func (d *Decoder) Decode(raw []byte, specfileVersion int) (*Spec, error) {
	if err := CheckSpecfileVersion(specfileVersion); err != nil {
		return nil, err
	}
	raw = compact(raw)
	spec := &Spec{Raw: raw, SpecfileVersion: specfileVersion, FileVersion: specfileVersion}
	d.version = specfileVersion
	d.s.reset(raw)
	err := d.node(spec)
	where := string(d.s.dec.StackPointer())
	if err == nil {
		where, err = "", d.s.end()
	}
	if err == nil {
		err = spec.check()
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		where, err = string(syntax.JSONPointer), syntax.Err
	}
	if err != nil {
		return nil, &DecodeError{Package: spec.Name, Where: where, Err: err}
	}
	return spec, nil
}

// DecodeNext decodes the value that comes next in dec, which reads all of data
// and nothing else: in one pass over a large document. Errors of syntax are
// those of dec.
func (d *Decoder) DecodeNext(dec *jsontext.Decoder, data []byte, specfileVersion int) (*Spec, error) {
	if err := CheckSpecfileVersion(specfileVersion); err != nil {
		return nil, err
	}
	own := d.s.dec
	d.s.borrow(dec)
	defer func() { d.s.dec = own }()
	spec := &Spec{SpecfileVersion: specfileVersion, FileVersion: specfileVersion}
	d.version = specfileVersion
	before, depth := dec.InputOffset(), dec.StackDepth()
	err := d.node(spec)
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return nil, err
	}
	where := ""
	if err != nil {
		where = below(string(dec.StackPointer()), depth)
	} else {
		err = spec.check()
	}
	if err != nil {
		return nil, &DecodeError{Package: spec.Name, Where: where, Err: err}
	}
	// Nothing but a colon and white space can stand before the object.
	after := dec.InputOffset()
	begin := before + int64(bytes.IndexByte(data[before:after], '{'))
	spec.Raw = compact(data[begin:after:after])
	return spec, nil
}

// below is what a JSON pointer has after so many names.
func below(pointer string, names int) string {
	parts := strings.SplitN(pointer, "/", names+2)
	if len(parts) < names+2 {
		return ""
	}
	return "/" + parts[names+1]
}

// compact removes white space between tokens; Spack writes none.
func compact(raw []byte) []byte {
	if bytes.IndexByte(raw, ' ') < 0 && bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\t') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return raw
	}
	quoted := false
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case ' ', '\n', '\t', '\r':
			if !quoted {
				v := jsontext.Value(bytes.Clone(raw))
				if v.Compact() != nil {
					return raw // and decoding says what is wrong
				}
				return v
			}
		}
	}
	return raw
}

// check looks at what would do harm outside: names become parts of paths.
func (s *Spec) check() error {
	switch {
	case !validName(s.Name):
		return fmt.Errorf("its name is %q, which is no name of a package", clip(s.Name))
	case s.Version == "":
		return errors.New("it has no version; only concrete specs are accepted")
	case !validVersion(s.Version):
		return fmt.Errorf("its version is %q, which is no version", clip(s.Version))
	case !s.Hash.Valid():
		return fmt.Errorf("its hash is %q; %d characters of a-z and 2-7 are expected", s.Hash, HashLength)
	case s.SpecfileVersion < 1 || s.SpecfileVersion > s.FileVersion:
		return fmt.Errorf("it says that version %d is its original one, and the file is of version %d", s.SpecfileVersion, s.FileVersion)
	case s.Arch.Platform == "" || s.Arch.OS == "" || s.Arch.Target == "":
		return errors.New("it has no complete architecture; only concrete specs are accepted")
	}
	return nil
}

// validName follows Spack's identifiers, to which older package repositories
// added dots.
func validName(s string) bool {
	return s != "" && s[0] != '.' && s[0] != '-' && strings.IndexFunc(s, func(c rune) bool {
		return !isWord(c) && c != '-' && c != '.'
	}) < 0
}

// validVersion follows VALID_VERSION in version/version_types.py; versions
// that are git references may have slashes too.
func validVersion(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool {
		return !isWord(c) && !strings.ContainsRune(".-=+/", c)
	}) < 0
}

func isWord(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}
