package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
	"esd/internal/schema"
)

// moduleDecl is what the files of one directory declare, before anything has a
// value. Several calls of the same module share it.
type moduleDecl struct {
	dir       string
	esd       []*hclsyntax.Block
	variables map[string]*variableDecl
	locals    map[string]*localDecl
	outputs   map[string]*outputDecl
	calls     map[string]*callDecl
	blocks    map[blockName]*blockDecl
	moved     []*movedDecl
	removed   []*removedDecl
	base      *hcl.EvalContext // functions and path
}

// blockName names a block within its module.
type blockName struct{ kind, name string }

func (n blockName) String() string { return n.kind + "." + n.name }

// declared is what all declarations have in common.
type declared struct {
	name string
	rng  hcl.Range
	// refs are the references in all expressions of the declaration.
	refs []ref
}

type variableDecl struct {
	declared
	typ         cty.Type
	defaults    *typeexpr.Defaults
	def         hclsyntax.Expression // nil where there is no default
	sensitive   bool
	nullable    bool
	validations []validation
}

type validation struct {
	condition, message hclsyntax.Expression
	rng                hcl.Range
}

type localDecl struct {
	declared
	expr hclsyntax.Expression
}

type outputDecl struct {
	declared
	expr        hclsyntax.Expression // nil after an error
	description string
	sensitive   bool
	dependsOn   dependsOn
}

// repetition is what for_each or matrix say.
type repetition struct {
	forEach, matrix hclsyntax.Expression
	refs            []ref
}

func (r *repetition) repeated() bool { return r.forEach != nil || r.matrix != nil }

// dependsOn is what depends_on says.
type dependsOn struct {
	attr *hclsyntax.Attribute // nil where it says nothing
	refs []ref
}

type callDecl struct {
	declared
	repetition repetition
	source     hclsyntax.Expression
	inputs     map[string]*hclsyntax.Attribute
	inputRefs  map[string][]ref
	dependsOn  dependsOn
}

type blockDecl struct {
	declared
	kind       string
	schema     *schema.Block
	body       *hclsyntax.Body
	repetition repetition
	dependsOn  dependsOn
	lifecycle  *hclsyntax.Block
}

func (d *blockDecl) address() string { return d.kind + "." + d.name }

type movedDecl struct {
	from, to addr.Target
	rng      hcl.Range
}

type removedDecl struct {
	from    addr.Target
	destroy bool
	rng     hcl.Range
}

// declarer collects the declarations of one module.
type declarer struct {
	*moduleDecl
	schemas map[string]*schema.Block
	types   map[string][]string // block type → its kinds, sorted
	broken  bool                // by syntax errors, which make things seem to be missing
	diags   hcl.Diagnostics
}

func (d *declarer) add(diag *hcl.Diagnostic) { d.diags = append(d.diags, diag) }

// declare reads the declarations of a module from its files.
func declare(dir string, files []*parsed, schemas map[string]*schema.Block) (*moduleDecl, hcl.Diagnostics) {
	d := &declarer{schemas: schemas, types: blockTypes(schemas), moduleDecl: &moduleDecl{
		dir:       dir,
		variables: map[string]*variableDecl{},
		locals:    map[string]*localDecl{},
		outputs:   map[string]*outputDecl{},
		calls:     map[string]*callDecl{},
		blocks:    map[blockName]*blockDecl{},
	}}
	for _, file := range files {
		d.broken = d.broken || file.diags.HasErrors()
	}
	for _, file := range files {
		for _, attr := range sortedAttributes(file.body) {
			d.add(errorAt(attr.NameRange, "Unexpected attribute",
				"At the top of a file there are only blocks. To name a value, write locals { %s = … }.", attr.Name))
		}
		for _, block := range file.body.Blocks {
			d.block(block)
		}
	}
	return d.moduleDecl, d.diags
}

// blockTypes groups kinds by the type of their blocks.
func blockTypes(schemas map[string]*schema.Block) map[string][]string {
	types := map[string][]string{}
	for kind := range schemas {
		blockType, label, _ := strings.Cut(kind, ".")
		types[blockType] = append(types[blockType], label)
	}
	for _, labels := range types {
		slices.Sort(labels)
	}
	return types
}

func (d *declarer) block(block *hclsyntax.Block) {
	switch block.Type {
	case "esd":
		d.labels(block)
		d.esd = append(d.esd, block)
	case "variable":
		d.variable(block)
	case "locals":
		d.local(block)
	case "output":
		d.output(block)
	case "module":
		d.call(block)
	case "moved":
		d.movedBlock(block)
	case "removed":
		d.removedBlock(block)
	default:
		d.kindBlock(block)
	}
}

// labels checks that a block has the labels that it needs, and that they are
// identifiers.
func (d *declarer) labels(block *hclsyntax.Block, names ...string) bool {
	header := block.Type
	for _, name := range names {
		header += " \"" + strings.ToUpper(name) + "\""
	}
	if len(block.Labels) < len(names) {
		missing := names[len(block.Labels)]
		d.add(errorAt(block.DefRange(), "Missing block label",
			"A %s block needs its %s as a label: write %s { … }.", block.Type, missing, header))
		return false
	}
	if len(block.Labels) > len(names) {
		d.add(errorAt(block.LabelRanges[len(names)], "Too many block labels",
			"A %s block is written %s { … }.", block.Type, header))
		return false
	}
	for i, label := range block.Labels {
		if !hclsyntax.ValidIdentifier(label) {
			d.add(errorAt(block.LabelRanges[i], "Invalid name",
				"%q cannot be part of an address. A name begins with a letter and has only letters, digits, - and _.", label))
			return false
		}
	}
	return true
}

// once refuses a second declaration of the same name.
func (d *declarer) once(what string, first, second hcl.Range) {
	d.add(errorAt(second, "Duplicate "+strings.SplitN(what, " ", 2)[0],
		"%s is declared at %s and here. Every address names one thing: rename or remove one of them.",
		strings.SplitN(what, " ", 2)[1], place(first)))
}

// place is a range as people and editors write it.
func place(r hcl.Range) string { return fmt.Sprintf("%s:%d", r.Filename, r.Start.Line) }

func sortedAttributes(body *hclsyntax.Body) []*hclsyntax.Attribute {
	attrs := make([]*hclsyntax.Attribute, 0, len(body.Attributes))
	for _, attr := range body.Attributes {
		attrs = append(attrs, attr)
	}
	slices.SortFunc(attrs, func(a, b *hclsyntax.Attribute) int { return a.NameRange.Start.Byte - b.NameRange.Start.Byte })
	return attrs
}
