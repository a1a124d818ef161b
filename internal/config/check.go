package config

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"esd/internal/schema"
)

// checker checks the expressions of one module without evaluating them, and
// notes their references. Expressions with mistakes are remembered as bad, so
// that evaluating does not report them again.
type checker struct {
	mod     *moduleDecl
	schemas map[string]*schema.Block
	types   map[string][]string
	files   map[string]*hcl.File
	bad     map[hclsyntax.Expression]bool
	diags   hcl.Diagnostics
}

func (c *checker) add(diag *hcl.Diagnostic) { c.diags = append(c.diags, diag) }

func (c *checker) source(filename string) []byte {
	if f := c.files[filename]; f != nil {
		return f.Bytes
	}
	return nil
}

// module checks all declarations of the module.
func (c *checker) module() {
	for _, name := range mapKeys(c.mod.variables) {
		c.variable(c.mod.variables[name])
	}
	for _, name := range mapKeys(c.mod.locals) {
		l := c.mod.locals[name]
		l.refs = c.refs(l.expr, where{})
	}
	for _, name := range mapKeys(c.mod.calls) {
		c.call(c.mod.calls[name])
	}
	for _, name := range c.mod.sortedBlocks() {
		c.block(c.mod.blocks[name])
	}
	for _, name := range mapKeys(c.mod.outputs) {
		o := c.mod.outputs[name]
		if o.expr != nil {
			o.refs = c.refs(o.expr, where{})
		}
		c.dependsOn(&o.dependsOn)
	}
	for _, esd := range c.mod.esd {
		c.bodyRefs(esd.Body, nil, where{})
	}
	c.gone()
}

func (m *moduleDecl) sortedBlocks() []blockName {
	names := make([]blockName, 0, len(m.blocks))
	for name := range m.blocks {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b blockName) int {
		if a.kind != b.kind {
			return compare(a.kind, b.kind)
		}
		return compare(a.name, b.name)
	})
	return names
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (c *checker) variable(v *variableDecl) {
	if v.def != nil {
		if refs := c.refs(v.def, where{}); len(refs) > 0 {
			c.add(errorAt(refs[0].rng, "Reference in a default", "The default of a variable cannot refer to anything. Leave it null and compute the value in a local: coalesce(var.%s, …).", v.name))
			c.bad[v.def] = true
		}
	}
	for _, validation := range v.validations {
		v.refs = append(v.refs, c.refs(validation.condition, where{})...)
		v.refs = append(v.refs, c.refs(validation.message, where{})...)
	}
}

func (c *checker) call(call *callDecl) {
	c.repetition(&call.repetition)
	if call.source != nil {
		c.refs(call.source, where{})
	}
	call.inputRefs = map[string][]ref{}
	for _, name := range mapKeys(call.inputs) {
		call.inputRefs[name] = c.refs(call.inputs[name].Expr, where{each: call.repetition.repeated()})
	}
	c.dependsOn(&call.dependsOn)
}

func (c *checker) repetition(r *repetition) {
	r.refs = append(c.refs(r.forEach, where{}), c.refs(r.matrix, where{})...)
}

func (c *checker) block(b *blockDecl) {
	c.repetition(&b.repetition)
	w := where{each: b.repetition.repeated()}
	b.refs = slices.Clip(c.bodyRefs(b.body, b.schema, w))
	c.dependsOn(&b.dependsOn)
}

// bodyRefs gathers the references of all attributes in a body.
func (c *checker) bodyRefs(body *hclsyntax.Body, s *schema.Block, w where) []ref {
	var refs []ref
	for name, attr := range body.Attributes {
		if s != nil && (name == "for_each" || name == "matrix" || name == "depends_on") {
			continue
		}
		at := w
		if s != nil {
			if a, ok := s.Attribute(name); ok {
				at.byValue = len(a.References) > 0
			}
		}
		refs = append(refs, c.refs(attr.Expr, at)...)
	}
	slices.SortFunc(refs, func(a, b ref) int { return a.rng.Start.Byte - b.rng.Start.Byte })
	for _, block := range body.Blocks {
		if block.Type == "dynamic" && len(block.Labels) == 1 {
			refs = append(refs, c.dynamicRefs(block, s, w)...)
			continue
		}
		refs = append(refs, c.bodyRefs(block.Body, nestedSchema(s, block.Type), w)...)
	}
	return refs
}

func (c *checker) dynamicRefs(block *hclsyntax.Block, s *schema.Block, w where) []ref {
	var refs []ref
	if forEach := block.Body.Attributes["for_each"]; forEach != nil {
		refs = append(refs, c.refs(forEach.Expr, w)...)
	}
	inner := w
	inner.iterators = append(slices.Clone(w.iterators), iterator(block))
	if labels := block.Body.Attributes["labels"]; labels != nil {
		refs = append(refs, c.refs(labels.Expr, inner)...)
	}
	if body := content(block); body != nil {
		refs = append(refs, c.bodyRefs(body.Body, nestedSchema(s, block.Labels[0]), inner)...)
	}
	return refs
}

// iterator is the name by which the content of a dynamic block refers to the
// element that it is made for.
func iterator(dynamic *hclsyntax.Block) string {
	if attr := dynamic.Body.Attributes["iterator"]; attr != nil {
		if name := hcl.ExprAsKeyword(attr.Expr); name != "" {
			return name
		}
	}
	return dynamic.Labels[0]
}

func nestedSchema(s *schema.Block, name string) *schema.Block {
	if s != nil {
		for i := range s.Blocks {
			if s.Blocks[i].Name == name {
				return &s.Blocks[i].Block
			}
		}
	}
	return &schema.Block{}
}

// dependsOn checks depends_on: a list of references to blocks and modules.
func (c *checker) dependsOn(d *dependsOn) {
	if d.attr == nil {
		return
	}
	tuple, ok := d.attr.Expr.(*hclsyntax.TupleConsExpr)
	if !ok {
		c.add(errorAt(d.attr.Expr.Range(), "Invalid depends_on", "depends_on is a list of references to blocks or modules: depends_on = [recipe.greet]."))
		return
	}
	for _, expr := range tuple.Exprs {
		t, diags := hcl.AbsTraversalForExpr(expr)
		if diags.HasErrors() {
			c.add(errorAt(expr.Range(), "Invalid depends_on", "Each element of depends_on is a reference to a block or module, without quotes and without any computation, as recipe.greet."))
			continue
		}
		r, ok := c.resolve(traversal{Traversal: t}, where{})
		switch r.target.(type) {
		case *blockDecl, *callDecl:
			d.refs = append(d.refs, r)
		default:
			if ok {
				c.add(errorAt(expr.Range(), "Invalid depends_on", "%s is not a block or module, so that nothing can wait for it.", written(t)))
			}
		}
	}
}

// gone checks that what moved and removed say is gone is not there.
func (c *checker) gone() {
	for _, m := range c.mod.moved {
		if at := c.declaredAt(m.from.Address.Kind, m.from.Address.Name, m.from.Module); at != nil && !m.from.Address.Keyed && m.from.Address.Block() != m.to.Address.Block() {
			c.add(errorAt(m.rng, "Moved block still there", "%s is declared at %s, so that it cannot have moved to %s. Rename that block, or remove this one.", m.from, place(*at), m.to))
		}
	}
	for _, r := range c.mod.removed {
		if at := c.declaredAt(r.from.Address.Kind, r.from.Address.Name, r.from.Module); at != nil && !r.from.Address.Keyed {
			c.add(errorAt(r.rng, "Removed block still there", "%s is declared at %s. Remove that block, or this one.", r.from, place(*at)))
		}
	}
}

func (c *checker) declaredAt(kind, name, module string) *hcl.Range {
	if module != "" {
		return nil
	}
	if b := c.mod.blocks[blockName{kind, name}]; b != nil {
		return &b.rng
	}
	return nil
}

// function checks that a function exists.
func (c *checker) function(expr hclsyntax.Expression, call *hclsyntax.FunctionCallExpr) {
	if _, ok := c.mod.base.Functions[call.Name]; ok {
		return
	}
	c.bad[expr] = true
	if why := leftOut(call.Name); why != "" {
		c.add(errorAt(call.NameRange, "Function left out", "%s is left out on purpose: %s", call.Name, why))
		return
	}
	c.add(errorAt(call.NameRange, "Unknown function", "There is no function %q.%s", call.Name, or(suggest(call.Name, mapKeys(c.mod.base.Functions)), fmt.Sprintf(" The manual lists the %d functions that there are.", len(c.mod.base.Functions)))))
}
