package backend

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"esd/internal/schema"
)

// Kind describes a kind of backend: what a state block of the kind may say,
// and how the backend is opened. The language reference is made from it.
type Kind struct {
	// Name is the label of the block: state "http".
	Name string
	// Summary says in one line where the state is then kept.
	Summary string
	// Doc says in Markdown what its users have to know besides.
	Doc string
	// Example is a piece of HCL for the reference manual.
	Example string
	// Attributes are what the block may say.
	Attributes []Attribute
	// Open returns the backend. It asks nobody and touches nothing: a wrong
	// address shows when the state is first read.
	Open func(Settings, Env) (Backend, error)
}

// Attribute is an attribute of a state block.
type Attribute struct {
	schema.Attribute
	// Variables are environment variables that give the value where the block
	// does not say it. The first that is set and not empty counts.
	Variables []string
	// Secret values are never shown, recorded or passed on. They are best
	// given by a variable.
	Secret bool
	// Public is what of a secret value may be remembered, as it is no secret: a
	// connection string without its password. "" is nothing. It may be nil.
	Public func(text string) string
}

// Env is what a backend may know of its surroundings.
type Env struct {
	// Dir is the directory of the configuration; relative paths begin there.
	Dir string
	// WorkDir is the directory of working data, and Name the name of the
	// configuration: where the state is when nothing else is said.
	WorkDir, Name string
	// Getenv looks up an environment variable.
	Getenv func(string) (string, bool)
	// UserAgent is what servers are told.
	UserAgent string
}

// Settings are the values of a state block and of the variables that stand in
// for it. An attribute that was not given has no entry.
type Settings map[string]cty.Value

// String is a text, "" where none was given.
func (s Settings) String(name string) string {
	if v, ok := s[name]; ok {
		return v.AsString()
	}
	return ""
}

// Bool is a truth value, otherwise where none was given.
func (s Settings) Bool(name string, otherwise bool) bool {
	if v, ok := s[name]; ok {
		return v.True()
	}
	return otherwise
}

// Int is a whole number, otherwise where none was given.
func (s Settings) Int(name string, otherwise int64) int64 {
	if v, ok := s[name]; ok {
		n, _ := v.AsBigFloat().Int64()
		return n
	}
	return otherwise
}

// Map is a map of texts, nil where none was given.
func (s Settings) Map(name string) map[string]string {
	v, ok := s[name]
	if !ok {
		return nil
	}
	m := map[string]string{}
	for key, element := range v.AsValueMap() {
		if !element.IsNull() {
			m[key] = element.AsString()
		}
	}
	return m
}

// Decode checks what a state block says and completes it from the environment.
func (k *Kind) Decode(block cty.Value, getenv func(string) (string, bool)) (Settings, error) {
	s := Settings{}
	said := map[string]cty.Value{}
	if block != cty.NilVal && !block.IsNull() {
		said = block.AsValueMap()
	}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if !slices.ContainsFunc(k.Attributes, func(a Attribute) bool { return a.Name == name }) {
			return nil, fmt.Errorf("state %q has no attribute %q; it has %s", k.Name, name, strings.Join(k.names(), ", "))
		}
	}
	for _, a := range k.Attributes {
		v, source := said[a.Name], a.Name
		if v == cty.NilVal || v.IsNull() {
			v, source = a.fromEnvironment(getenv)
		}
		if v == cty.NilVal {
			if a.Required {
				return nil, fmt.Errorf("state %q needs %s%s", k.Name, a.Name, a.orVariables())
			}
			continue
		}
		v, err := convert.Convert(v, a.Type)
		if err == nil && !v.IsWhollyKnown() {
			err = fmt.Errorf("it must be known before anything is evaluated")
		}
		if err == nil {
			err = a.Accept(v)
		}
		if err != nil {
			return nil, fmt.Errorf("%s of state %q: %w", source, k.Name, err)
		}
		s[a.Name] = v
	}
	return s, nil
}

func (k *Kind) names() []string {
	names := make([]string, len(k.Attributes))
	for i, a := range k.Attributes {
		names[i] = a.Name
	}
	return names
}

// fromEnvironment is the value of the first variable that is set, and which
// one that is. The value never stands in a message.
func (a *Attribute) fromEnvironment(getenv func(string) (string, bool)) (cty.Value, string) {
	for _, name := range a.Variables {
		if text, ok := getenv(name); ok && text != "" {
			return cty.StringVal(text), name
		}
	}
	return cty.NilVal, ""
}

func (a *Attribute) orVariables() string {
	if len(a.Variables) == 0 {
		return ""
	}
	return " (or " + strings.Join(a.Variables, " or ") + " in the environment)"
}
