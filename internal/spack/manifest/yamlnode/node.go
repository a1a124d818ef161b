// Package yamlnode reads YAML into a tree that remembers where each value
// stands and how it is spelt: 3.10 stays "3.10", and messages name line and
// column. Spack's own override keys ("packages::") are told apart from others.
//
// What is read may come from anywhere: size, nesting, and what aliases expand
// to are bounded.
package yamlnode

import (
	"fmt"
	"strconv"
	"strings"
)

// Kind is the kind of a value.
type Kind uint8

// The kinds, by YAML 1.2's core schema, which is what Spack reads by.
const (
	Null Kind = iota
	Bool
	Integer
	Float
	String
	List
	Map
)

var kindNames = [...]string{"nothing", "true or false", "a whole number", "a number", "text", "a list", "a map"}

func (k Kind) String() string { return kindNames[k] }

// Position is a place in a file; lines and columns count from one, columns in
// characters.
type Position struct{ Line, Column int }

// Node is one value.
type Node struct {
	Position
	Kind Kind
	// Text is a scalar as it is spelt, without its quotes.
	Text    string
	Items   []*Node // of a list
	Entries []Entry // of a map, in the order of the file
	// Flow tells that a list or map was written on the line, as [a, b].
	Flow bool
}

// Entry is one key of a map and its value.
type Entry struct {
	Position
	Key string
	// Override tells that the key was written with two colons: Spack then takes
	// the value instead of what other files say, and does not merge them.
	Override bool
	Value    *Node
}

// Name is the key with its second colon.
func (e Entry) Name() string {
	if e.Override {
		return e.Key + "::"
	}
	return e.Key
}

// Get is the value under a key; nil if there is none, or n is no map.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, e := range n.Entries {
		if e.Key == key {
			return e.Value
		}
	}
	return nil
}

// Has reports whether a map has a key with a value that is not nothing.
func (n *Node) Has(key string) bool { v := n.Get(key); return v != nil && v.Kind != Null }

// IsScalar reports whether n is a single value that is not nothing.
func (n *Node) IsScalar() bool { return n != nil && n.Kind != Null && n.Kind != List && n.Kind != Map }

// True reports whether n is the word true.
func (n *Node) True() bool { return n != nil && n.Kind == Bool && strings.EqualFold(n.Text, "true") }

// Strings is a list of scalars, or a single one, as text. Anything else is an
// error that says where it stands; what names the value in it.
func (n *Node) Strings(file, what string) ([]string, error) {
	switch {
	case n == nil || n.Kind == Null:
		return nil, nil
	case n.IsScalar():
		return []string{n.Text}, nil
	case n.Kind != List:
		return nil, n.wrong(file, what, "text or a list of text")
	}
	list := make([]string, 0, len(n.Items))
	for _, item := range n.Items {
		if !item.IsScalar() {
			return nil, item.wrong(file, "an element of "+what, "text")
		}
		list = append(list, item.Text)
	}
	return list, nil
}

// Expect is an error unless n is of the kind, or nothing.
func (n *Node) Expect(kind Kind, file, what string) error {
	if n == nil || n.Kind == Null || n.Kind == kind || kind == String && n.IsScalar() {
		return nil
	}
	return n.wrong(file, what, kind.String())
}

func (n *Node) wrong(file, what, want string) error {
	return n.Errorf(file, "%s must be %s, and is %s", what, want, n.Kind)
}

// Errorf is an error about the place.
func (p Position) Errorf(file, format string, args ...any) error {
	return &Error{File: file, Position: p, Message: fmt.Sprintf(format, args...)}
}

// Error is what is wrong with a file, and where.
type Error struct {
	File string
	Position
	Message string
}

func (e *Error) Error() string {
	switch {
	case e.Line == 0:
		return e.File + ": " + e.Message
	case e.Column == 0:
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Plain is the value in Go's own types: nil, bool, int64, string, []any and
// map[string]any. Numbers with a fraction become text, so that 3.10 stays what
// it is; override keys keep both colons.
func (n *Node) Plain() any {
	switch {
	case n == nil || n.Kind == Null:
		return nil
	case n.Kind == Bool:
		return n.True()
	case n.Kind == Integer:
		if v, err := strconv.ParseInt(n.Text, 10, 64); err == nil && strconv.FormatInt(v, 10) == n.Text {
			return v
		}
		return n.Text
	case n.Kind == List:
		list := make([]any, len(n.Items))
		for i, item := range n.Items {
			list[i] = item.Plain()
		}
		return list
	case n.Kind == Map:
		m := make(map[string]any, len(n.Entries))
		for _, e := range n.Entries {
			m[e.Name()] = e.Value.Plain()
		}
		return m
	}
	return n.Text
}
