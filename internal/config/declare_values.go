package config

import (
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func (d *declarer) local(block *hclsyntax.Block) {
	if !d.labels(block) {
		return
	}
	for _, nested := range block.Body.Blocks {
		d.add(errorAt(nested.DefRange(), "Unexpected block", "A locals block has only attributes. For an object write %s = { … }, with an equals sign.", nested.Type))
	}
	for _, attr := range sortedAttributes(block.Body) {
		if first := d.locals[attr.Name]; first != nil {
			d.once("local local."+attr.Name, first.rng, attr.NameRange)
			continue
		}
		d.locals[attr.Name] = &localDecl{declared: declared{name: attr.Name, rng: attr.NameRange}, expr: attr.Expr}
	}
}

func (d *declarer) output(block *hclsyntax.Block) {
	if !d.labels(block, "name") {
		return
	}
	d.body(block, &outputSchema)
	o := &outputDecl{declared: declared{name: block.Labels[0], rng: block.DefRange()}}
	if attr := block.Body.Attributes["value"]; attr != nil {
		o.expr = attr.Expr
	}
	o.description = d.text(block.Body, "description")
	o.sensitive = d.flag(block.Body, "sensitive", false)
	if first := d.outputs[o.name]; first != nil {
		d.once("output output."+o.name, first.rng, o.rng)
		return
	}
	o.dependsOn.attr = block.Body.Attributes["depends_on"]
	d.outputs[o.name] = o
}

func (d *declarer) call(block *hclsyntax.Block) {
	if !d.labels(block, "name") {
		return
	}
	c := &callDecl{declared: declared{name: block.Labels[0], rng: block.DefRange()}, inputs: map[string]*hclsyntax.Attribute{}}
	for _, nested := range block.Body.Blocks {
		d.add(errorAt(nested.DefRange(), "Unexpected block", "A module block has no %s block. To give the module an object as input write %s = { … }, with an equals sign.", nested.Type, nested.Type))
	}
	d.repetition(block.Body, &c.repetition)
	for name, attr := range block.Body.Attributes {
		switch name {
		case "source":
			c.source = attr.Expr
		case "for_each", "matrix", "depends_on":
		case "count", "version", "providers":
			d.add(errorAt(attr.NameRange, "Unsupported argument", "A module block has no %s.%s", name, insteadOf[name]))
		default:
			c.inputs[name] = attr
		}
	}
	if c.source == nil {
		d.add(errorAt(c.rng, "Missing required argument", "A module block needs source, the directory of the module: source = \"./modules/stack\"."))
	}
	if first := d.calls[c.name]; first != nil {
		d.once("module module."+c.name, first.rng, c.rng)
		return
	}
	d.calls[c.name] = c
	c.dependsOn.attr = block.Body.Attributes["depends_on"]
}

// insteadOf says what to write for what Terraform has and esd has not.
var insteadOf = map[string]string{
	"count":     " Write for_each = toset([…]) or matrix, whose instances keep their addresses when others come and go.",
	"version":   " Modules are local directories, and have the version of the repository that they are in.",
	"providers": "",
}

func (d *declarer) repetition(body *hclsyntax.Body, r *repetition) {
	forEach, matrix := body.Attributes["for_each"], body.Attributes["matrix"]
	if forEach != nil && matrix != nil {
		d.add(errorAt(matrix.NameRange, "Both for_each and matrix", "A block is repeated by for_each or by matrix, not both. Add a list to the matrix instead."))
	}
	if forEach != nil {
		r.forEach = forEach.Expr
	} else if matrix != nil {
		r.matrix = matrix.Expr
	}
}
