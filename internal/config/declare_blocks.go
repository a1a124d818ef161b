package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"esd/internal/addr"
)

// languageBlocks are the types of block that the language itself has.
var languageBlocks = []string{"esd", "variable", "locals", "output", "module", "moved", "removed"}

// plannedKinds are kinds that the design of the language has, so that whoever
// writes one in this version is told that it is not a misspelling.
var plannedKinds = []string{
	"spack", "environment", "cache.buildcache", "cache.sources",
	"target.sif", "target.squashfs", "target.filesystem", "target.vm", "target.cvmfs",
}

// kindBlock declares a block of one of the kinds in the schemas.
func (d *declarer) kindBlock(block *hclsyntax.Block) {
	kinds, known := d.types[block.Type]
	if !known {
		d.unknownType(block)
		return
	}
	kind, labels := block.Type, []string{"name"}
	if !slices.Contains(kinds, "") {
		if len(block.Labels) == 0 {
			d.labels(block, "kind", "name")
			return
		}
		if kind += "." + block.Labels[0]; d.schemas[kind] == nil {
			d.unknownKind(block, kinds)
			return
		}
		labels = []string{"kind", "name"}
	}
	if !d.labels(block, labels...) {
		return
	}
	b := &blockDecl{
		declared: declared{name: block.Labels[len(block.Labels)-1], rng: block.DefRange()},
		kind:     kind, schema: d.schemas[kind], body: block.Body,
	}
	d.instanceBlock(b, block)
	name := blockName{kind, b.name}
	if first := d.blocks[name]; first != nil {
		d.once("address "+name.String(), first.rng, b.rng)
		return
	}
	d.blocks[name] = b
}

// instanceBlock reads what all blocks of kinds have beside their schema.
func (d *declarer) instanceBlock(b *blockDecl, block *hclsyntax.Block) {
	d.body(block, b.schema)
	b.dependsOn.attr = b.body.Attributes["depends_on"]
	if b.schema.Repeats {
		d.repetition(b.body, &b.repetition)
	}
	if b.schema.Lifecycle {
		for _, nested := range b.body.Blocks {
			if nested.Type != "lifecycle" {
				continue
			}
			if b.lifecycle != nil {
				d.add(errorAt(nested.DefRange(), "Duplicate lifecycle block", "A block has at most one lifecycle block, and the first is at %s.", place(b.lifecycle.DefRange())))
			}
			b.lifecycle = nested
			d.body(nested, &lifecycleSchema)
		}
	}
}

func (d *declarer) unknownType(block *hclsyntax.Block) {
	if slices.Contains(plannedKinds, block.Type) {
		d.add(errorAt(block.DefRange(), "Unsupported block",
			"This version of esd does not support %s blocks yet.%s", block.Type, oneOf("It supports", d.kinds())))
		return
	}
	names := slices.Clone(languageBlocks)
	for name := range d.types {
		names = append(names, name)
	}
	d.add(errorAt(block.TypeRange, "Unknown block type",
		"There are no blocks of the type %q.%s", block.Type, suggestOr(block.Type, names, "There are")))
}

func (d *declarer) unknownKind(block *hclsyntax.Block, kinds []string) {
	kind := block.Labels[0]
	if slices.Contains(plannedKinds, block.Type+"."+kind) {
		d.add(errorAt(block.LabelRanges[0], "Unsupported block",
			"This version of esd does not support blocks %s %q yet.%s", block.Type, kind, oneOf("It supports", d.kinds())))
		return
	}
	hint := suggestOr(kind, kinds, "There are")
	if len(block.Labels) == 1 {
		hint += fmt.Sprintf(" A %s block has two labels, its kind and its name: %s %q %q { … }.", block.Type, block.Type, kinds[0], kind)
	}
	d.add(errorAt(block.LabelRanges[0], "Unknown kind of "+block.Type, "There is no kind %q of %s.%s", kind, block.Type, hint))
}

// kinds lists the kinds of the schemas as they are written in a block header.
func (d *declarer) kinds() []string {
	var kinds []string
	for kind := range d.schemas {
		blockType, label, kinded := strings.Cut(kind, ".")
		if kinded {
			blockType += fmt.Sprintf(" %q", label)
		}
		kinds = append(kinds, blockType)
	}
	return kinds
}

func (d *declarer) movedBlock(block *hclsyntax.Block) {
	if !d.labels(block) {
		return
	}
	d.body(block, &movedSchema)
	from, ok := d.target(block.Body.Attributes["from"])
	to, ok2 := d.target(block.Body.Attributes["to"])
	if !ok || !ok2 {
		return
	}
	if (from.Module == "") != (to.Module == "") {
		d.add(errorAt(block.DefRange(), "Invalid move", "A module moves to a module and a block to a block, but %s would move to %s.", from, to))
		return
	}
	if from.Module == "" && from.Address.Kind != to.Address.Kind {
		d.add(errorAt(block.DefRange(), "Invalid move", "%s and %s are of different kinds; what is recorded of one does not fit the other.", from, to))
		return
	}
	d.moved = append(d.moved, &movedDecl{from, to, block.DefRange()})
}

func (d *declarer) removedBlock(block *hclsyntax.Block) {
	if !d.labels(block) {
		return
	}
	d.body(block, &removedSchema)
	from, ok := d.target(block.Body.Attributes["from"])
	if !ok {
		return
	}
	r := &removedDecl{from: from, destroy: true, rng: block.DefRange()}
	for _, nested := range block.Body.Blocks {
		if nested.Type == "lifecycle" {
			r.destroy = d.flag(nested.Body, "destroy", true)
		}
	}
	d.removed = append(d.removed, r)
}

// target reads an attribute whose value is an address and not evaluated.
func (d *declarer) target(attr *hclsyntax.Attribute) (addr.Target, bool) {
	if attr == nil {
		return addr.Target{}, false
	}
	traversal, diags := hcl.AbsTraversalForExpr(attr.Expr)
	if diags.HasErrors() {
		d.add(errorAt(attr.Expr.Range(), "Invalid address", "Here an address is needed, without quotes and without any computation, as in recipe.greet or target.image.lab[\"zen3\"]."))
		return addr.Target{}, false
	}
	target, err := addr.ParseTarget(written(traversal))
	if err != nil {
		d.add(errorAt(attr.Expr.Range(), "Invalid address", "%s is not the address of a block or module: %s.", written(traversal), err))
		return addr.Target{}, false
	}
	if target.Module == "" && d.schemas[target.Address.Kind] == nil {
		d.add(errorAt(attr.Expr.Range(), "Invalid address", "There is no kind of block %s.%s", target.Address.Kind, suggestOr(target.Address.Kind, mapKeys(d.schemas), "There are")))
		return addr.Target{}, false
	}
	return target, true
}

// inModule is the target as it is called from the root module.
func inModule(target addr.Target, path string) addr.Target {
	if path == "" {
		return target
	}
	if target.Module != "" {
		target.Module = path + "." + target.Module
		return target
	}
	target.Address.Module = joinPath(path, target.Address.Module)
	return target
}

func joinPath(path, rest string) string {
	if path == "" || rest == "" {
		return path + rest
	}
	return path + "." + rest
}

func mapKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
