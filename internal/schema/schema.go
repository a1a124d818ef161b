// Package schema describes the blocks of the language: which attributes and
// nested blocks each kind has, their types, defaults and documentation.
//
// A schema is plain data. The configuration is decoded by it, diagnostics
// suggest names from it, and the language reference is generated from it, so
// that none of the three can drift from the others.
package schema

import "github.com/zclconf/go-cty/cty"

// Block describes one kind of block.
type Block struct {
	// Kind is the type of the block, with its kind where blocks of the type
	// carry one: "recipe", "target.image".
	Kind string
	// Summary says in one line what the block is.
	Summary string
	// Doc says in Markdown what its users have to know besides.
	Doc string
	// Example is a piece of HCL for the reference manual.
	Example string
	// Attributes are what the user may set, in the order of the manual.
	Attributes []Attribute
	// Blocks are the nested blocks, in the order of the manual.
	Blocks []Nested
	// Exports are what other blocks can read of one instance beside the
	// attributes that it sets.
	Exports []Export
	// Repeats tells whether for_each and matrix are accepted.
	Repeats bool
	// Lifecycle tells whether a lifecycle block is accepted: whether there is
	// something that could be destroyed.
	Lifecycle bool
}

// Attribute describes one argument of a block.
type Attribute struct {
	Name string
	// Type is what the value is converted to. cty.DynamicPseudoType takes
	// any value.
	Type cty.Type
	// References names the kinds of block that the value refers to. The value
	// is then one reference, or a list, set, tuple, map or object of them at
	// any depth (so that both `recipe.a` and the instances of a repeated block
	// can be given), and decodes to a list of addresses (strings) in the order
	// given.
	References []string
	Required   bool
	// Default is the value where none is set; cty.NilVal means null.
	Default cty.Value
	// Doc says in one or two sentences of Markdown what it means, with units.
	Doc string
	// Check refuses a value that has the right type; nil accepts all. It is
	// not called for null or unknown values.
	Check func(cty.Value) error
}

// Nesting tells how many of a nested block there may be.
type Nesting int

const (
	// Single is a block that stands at most once; it decodes to an object or
	// null.
	Single Nesting = iota
	// List is a block that may be repeated; it decodes to a tuple of objects
	// in the order of the text.
	List
	// Map is a block with one label, unique among its like; it decodes to an
	// object with one attribute for each label.
	Map
)

// Nested describes a block within a block.
type Nested struct {
	Name     string
	Label    string // what the label is, for the manual; Map only
	Nesting  Nesting
	Required bool
	Block    Block
}

// Export describes a value that an instance offers to other blocks.
type Export struct {
	Name string
	Type cty.Type
	// AfterApply tells that the value is unknown until the object exists.
	AfterApply bool
	Doc        string
}

// Attribute finds an attribute by name.
func (b *Block) Attribute(name string) (Attribute, bool) {
	for _, a := range b.Attributes {
		if a.Name == name {
			return a, true
		}
	}
	return Attribute{}, false
}

// Names lists the names of all attributes and nested blocks, for suggestions.
func (b *Block) Names() []string {
	names := make([]string, 0, len(b.Attributes)+len(b.Blocks))
	for _, a := range b.Attributes {
		names = append(names, a.Name)
	}
	for _, n := range b.Blocks {
		names = append(names, n.Name)
	}
	return names
}
