// Package addr holds the addresses by which everything in a configuration, a
// plan and a state is named: blocks, their instances, and the modules that
// they stand in.
//
// The written form is Terraform's, with the kind of a cache or target as part
// of the type:
//
//	recipe.greet
//	target.image.lab["zen3"]
//	module.stack["a"].recipe.libgreet
//	environment.sim/zlib-ng@2.2.1/abcdefg
//
// The last names one concrete package of an environment: name, version, and
// its hash or as much of that as tells it from others.
//
// An Address is a small comparable value, so it serves as a map key, and its
// written form parses back to the same value.
package addr

import (
	"fmt"
	"strconv"
	"strings"
)

// Address names one block ([Address.Keyed] false) or one instance of a block
// with for_each or matrix (Keyed true).
type Address struct {
	// Module is the path of the module instance that the block stands in, in
	// its written form (`module.stack["a"]`); empty for the root module.
	Module string
	// Kind is the type of the block and, where the type has kinds, the kind:
	// "recipe", "environment", "target.image", "cache.artifact".
	Kind string
	// Name is the last label of the block.
	Name string
	// Key is the key of the instance; meaningless unless Keyed.
	Key string
	// Keyed tells an instance of a repeated block from a block.
	Keyed bool
	// Package names a concrete package within an environment, as
	// name@version/hash; empty for the block itself.
	Package string
}

// String is the written form; Parse reads it back.
func (a Address) String() string {
	var b strings.Builder
	b.Grow(len(a.Module) + len(a.Kind) + len(a.Name) + len(a.Key) + len(a.Package) + 7)
	if a.Module != "" {
		b.WriteString(a.Module)
		b.WriteByte('.')
	}
	b.WriteString(a.Kind)
	b.WriteByte('.')
	b.WriteString(a.Name)
	if a.Keyed {
		b.WriteByte('[')
		b.WriteString(strconv.Quote(a.Key))
		b.WriteByte(']')
	}
	if a.Package != "" {
		b.WriteByte('/')
		b.WriteString(a.Package)
	}
	return b.String()
}

// Block is the address without its instance key, and without the package.
func (a Address) Block() Address {
	a.Key, a.Keyed, a.Package = "", false, ""
	return a
}

// Whole is the address without the package: that of the environment.
func (a Address) Whole() Address {
	a.Package = ""
	return a
}

// Instance is the address of the instance of this block under key.
func (a Address) Instance(key string) Address {
	a.Key, a.Keyed = key, true
	return a
}

// IsZero reports whether a names nothing.
func (a Address) IsZero() bool { return a == Address{} }

// Compare orders addresses by their written form.
func Compare(a, b Address) int { return strings.Compare(a.String(), b.String()) }

// Within reports whether a is what b names or part of it: an instance of the
// block b, a package of the environment b, or the package that b names by a
// part of its hash or without one.
func (a Address) Within(b Address) bool {
	if b.Package != "" {
		return a.Package != "" && (a.Whole() == b.Whole() || a.Block() == b.Whole()) && isPackage(a.Package, b.Package)
	}
	return a == b || a.Whole() == b || a.Block() == b
}

// isPackage reports whether written (name, name@version or name@version/hash)
// names the package p.
func isPackage(p, written string) bool {
	rest, ok := strings.CutPrefix(p, written)
	if !ok {
		short, long := p, written // the address has a part of the hash only
		return strings.Contains(short, "/") && strings.HasPrefix(long, short)
	}
	return rest == "" || rest[0] == '@' || rest[0] == '/' || strings.Contains(written, "/")
}

// InModule reports whether a stands in the module instance path (its written
// form) or in a module below it.
func (a Address) InModule(path string) bool {
	if path == "" {
		return true
	}
	rest, ok := strings.CutPrefix(a.Module, path)
	if !ok {
		return false
	}
	return rest == "" || rest[0] == '.' || rest[0] == '['
}

// Child is the written form of the path of a module call's instance within
// the module parent.
func Child(parent, name string, key string, keyed bool) string {
	path := "module." + name
	if keyed {
		path += "[" + strconv.Quote(key) + "]"
	}
	if parent != "" {
		return parent + "." + path
	}
	return path
}

// SyntaxError says what is wrong with a written address.
type SyntaxError struct {
	Address string // what was written
	Problem string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid address %q: %s; an address looks like recipe.greet or target.image.lab[\"zen3\"]", e.Address, e.Problem)
}
