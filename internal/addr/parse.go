package addr

import (
	"strconv"
	"strings"
)

// kinded names the block types whose first label is a kind.
var kinded = map[string]bool{"cache": true, "target": true, "state": true}

// Kinded reports whether blocks of this type carry a kind before their name,
// as `target "image" "lab"` does.
func Kinded(blockType string) bool { return kinded[blockType] }

// Parse reads the written form of an address.
func Parse(s string) (Address, error) {
	a, module, err := parse(s)
	if err != nil {
		return Address{}, err
	}
	if a.IsZero() || module {
		return Address{}, &SyntaxError{s, "it names a module, and a block in a module is needed"}
	}
	return a, nil
}

// Target is what a command line may name: a block, an instance, or a whole
// module instance.
type Target struct {
	// Module is set when the target is a whole module; Address is then zero.
	Module  string
	Address Address
}

// ParseTarget reads an address or the path of a module.
func ParseTarget(s string) (Target, error) {
	a, module, err := parse(s)
	if err != nil {
		return Target{}, err
	}
	if module {
		return Target{Module: a.Module}, nil
	}
	return Target{Address: a}, nil
}

// Matches reports whether a is named by the target.
func (t Target) Matches(a Address) bool {
	if t.Module != "" {
		return a.InModule(t.Module)
	}
	return a.Within(t.Address)
}

// String is the written form.
func (t Target) String() string {
	if t.Module != "" {
		return t.Module
	}
	return t.Address.String()
}

type scanner struct {
	whole, rest string
}

func (s *scanner) fail(problem string) error { return &SyntaxError{s.whole, problem} }

// name takes an identifier as HCL has it: letters, digits, - and _.
func (s *scanner) name() (string, error) {
	i := 0
	for i < len(s.rest) && isIdent(s.rest[i]) {
		i++
	}
	if i == 0 {
		if s.rest == "" {
			return "", s.fail("it ends too early")
		}
		return "", s.fail("a name is expected at " + strconv.Quote(s.rest))
	}
	name := s.rest[:i]
	s.rest = s.rest[i:]
	return name, nil
}

func isIdent(c byte) bool {
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// key takes an instance key where there is one.
func (s *scanner) key() (key string, keyed bool, err error) {
	if !strings.HasPrefix(s.rest, "[") {
		return "", false, nil
	}
	quoted, err := strconv.QuotedPrefix(s.rest[1:])
	if err != nil || quoted[0] != '"' {
		return "", false, s.fail("an instance key is written in double quotes, as in [\"zen3\"]")
	}
	if key, err = strconv.Unquote(quoted); err != nil {
		return "", false, s.fail("the instance key is not a valid string")
	}
	s.rest = s.rest[1+len(quoted):]
	if !strings.HasPrefix(s.rest, "]") {
		return "", false, s.fail("the instance key is not closed by ]")
	}
	s.rest = s.rest[1:]
	return key, true, nil
}

func (s *scanner) dot() error {
	if !strings.HasPrefix(s.rest, ".") {
		if s.rest == "" {
			return s.fail("it ends too early")
		}
		return s.fail("a dot is expected at " + strconv.Quote(s.rest))
	}
	s.rest = s.rest[1:]
	return nil
}

// parse reads an address; module tells that only a module path was written.
func parse(whole string) (a Address, module bool, err error) {
	s := &scanner{whole: whole, rest: whole}
	for {
		blockType, err := s.name()
		if err != nil {
			return Address{}, false, err
		}
		if err := s.dot(); err != nil {
			return Address{}, false, err
		}
		name, err := s.name()
		if err != nil {
			return Address{}, false, err
		}
		if blockType != "module" {
			return s.block(a.Module, blockType, name)
		}
		key, keyed, err := s.key()
		if err != nil {
			return Address{}, false, err
		}
		a.Module = Child(a.Module, name, key, keyed)
		if s.rest == "" {
			return a, true, nil
		}
		if err := s.dot(); err != nil {
			return Address{}, false, err
		}
	}
}

func (s *scanner) block(module, blockType, name string) (Address, bool, error) {
	a := Address{Module: module, Kind: blockType, Name: name}
	if Kinded(blockType) {
		if err := s.dot(); err != nil {
			return Address{}, false, err
		}
		label, err := s.name()
		if err != nil {
			return Address{}, false, err
		}
		a.Kind, a.Name = blockType+"."+name, label
	}
	var err error
	if a.Key, a.Keyed, err = s.key(); err != nil {
		return Address{}, false, err
	}
	if blockType == "environment" && strings.HasPrefix(s.rest, "/") {
		if a.Package, err = s.pkg(); err != nil {
			return Address{}, false, err
		}
	}
	if s.rest != "" {
		return Address{}, false, s.fail("nothing is expected after the name, but there is " + strconv.Quote(s.rest))
	}
	return a, false, nil
}

// pkg takes the package of an environment: /name@version/hash, of which the
// latter two may be missing where a part is enough.
func (s *scanner) pkg() (string, error) {
	written := s.rest[1:]
	name, rest, _ := strings.Cut(written, "@")
	_, hash, hashed := strings.Cut(rest, "/")
	if name == "" || strings.Contains(hash, "/") || hashed && hash == "" || strings.ContainsFunc(written, notInPackage) {
		return "", s.fail("a package is written name@version/hash, as in environment.sim/zlib-ng@2.2.1/abcdefg")
	}
	s.rest = ""
	return written, nil
}

func notInPackage(r rune) bool {
	return !isIdent(byte(min(r, 0x7f))) && !strings.ContainsRune("@/.=:+~", r)
}
