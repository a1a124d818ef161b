package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
	"esd/internal/schema"
)

// Evaluated is what a configuration amounts to.
type Evaluated struct {
	// Objects are the instances of all blocks, each after what it depends on,
	// in an order that is the same for the same configuration.
	Objects []*Object
	// Outputs are the outputs of the root module, by name.
	Outputs []Output
	Moved   []Moved
	Removed []Removed

	ev *evaluator
}

// Object is one instance of a block.
type Object struct {
	Address addr.Address
	Schema  *schema.Block
	// Config is an object typed by the schema, fully known and without marks.
	// Every attribute is there, null or its default where it is not set. A
	// nested block is an object or null (Single), a tuple of objects (List) or
	// an object of objects by label (Map). Attributes that are references are
	// lists of addresses.
	Config cty.Value
	// Dependencies are the instances that the block refers to or names in
	// depends_on, sorted.
	Dependencies []addr.Address
	// PreventDestroy is what lifecycle says.
	PreventDestroy bool
	// ModuleDir is what relative paths in the block are relative to.
	ModuleDir string
	// Range is the header of the block.
	Range hcl.Range

	body *hclsyntax.Body
}

// Output is one output of the root module.
type Output struct {
	Name string
	// Value may be unknown, and keeps its marks.
	Value       cty.Value
	Description string
	Sensitive   bool
	DependsOn   []addr.Address
	Range       hcl.Range
}

// Moved says that what is recorded under From is now To.
type Moved struct {
	From, To addr.Target
	Range    hcl.Range
}

// Removed says that a block is gone on purpose, and whether what is recorded
// of it is to be destroyed or only forgotten.
type Removed struct {
	From    addr.Target
	Destroy bool
	Range   hcl.Range
}

// AttributeRange is where the attribute is set, for diagnostics of what its
// value is: the path leads through nested blocks by their type and, where they
// have one, their label. It is the header of the innermost block on the path
// that is there when the attribute is not set.
func (o *Object) AttributeRange(path ...string) hcl.Range {
	at, body := o.Range, o.body
	for len(path) > 0 && body != nil {
		if attr, ok := body.Attributes[path[0]]; ok && len(path) == 1 {
			return attr.Expr.Range()
		}
		block, used := findBlock(body, path)
		if block == nil {
			return at
		}
		at, body, path = block.DefRange(), block.Body, path[used:]
	}
	return at
}

// findBlock finds the nested block that a path begins with, and says how many
// elements of the path name it.
func findBlock(body *hclsyntax.Body, path []string) (*hclsyntax.Block, int) {
	for _, block := range body.Blocks {
		if block.Type != path[0] {
			continue
		}
		if len(block.Labels) == 0 {
			return block, 1
		}
		if len(path) > 1 && block.Labels[0] == path[1] {
			return block, 2
		}
	}
	return nil, 0
}
