package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
	"esd/internal/schema"
)

// references decodes an attribute whose value is references to blocks, at any
// depth, to the list of their addresses.
func (d *decoder) references(attr *hclsyntax.Attribute, a *schema.Attribute, ctx *hcl.EvalContext) cty.Value {
	if d.ev.config.bad[attr.Expr] {
		d.failed = true
		return unset(a)
	}
	c := referenceCollector{decoder: d, attr: attr, schema: a, refs: d.refsIn(attr.Expr.Range())}
	if len(c.refs) > 0 && c.refs[0].direct {
		c.direct()
	} else if !c.evaluated(ctx) {
		return unset(a)
	}
	if len(c.values) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	list := cty.ListVal(c.values)
	if !d.failed {
		if err := a.Accept(list); err != nil {
			d.fail(invalidValue(attr.Expr.Range(), a, err))
		}
	}
	return list
}

// refsIn are the references of the block within a range. They are in the order
// of the text within each body, so that those of an attribute are together.
func (d *decoder) refsIn(at hcl.Range) []ref {
	inside := func(r ref) bool {
		return r.rng.Start.Byte >= at.Start.Byte && r.rng.End.Byte <= at.End.Byte
	}
	first := slices.IndexFunc(d.decl.refs, inside)
	if first < 0 {
		return nil
	}
	end := first
	for end < len(d.decl.refs) && inside(d.decl.refs[end]) {
		end++
	}
	return d.decl.refs[first:end]
}

type referenceCollector struct {
	*decoder
	attr   *hclsyntax.Attribute
	schema *schema.Attribute
	refs   []ref
	values []cty.Value
}

// direct takes references that stand there as they are.
func (c *referenceCollector) direct() {
	for i := range c.refs {
		r := &c.refs[i]
		n := c.ev.target(c.node.in, r)
		if n.failed {
			c.failed = true
			continue
		}
		if r.keyed && n.objects[r.key] == nil {
			c.failed = true // reported for the block
			continue
		}
		for _, a := range c.ev.dependencies(c.node.in, r) {
			c.take(a, cty.StringVal(a.String()), r.rng)
		}
	}
}

// evaluated takes the references in the value of the attribute. It reports
// false where there is none.
func (c *referenceCollector) evaluated(ctx *hcl.EvalContext) bool {
	v, diags := c.attr.Expr.Value(ctx)
	if diags.HasErrors() {
		c.fail(diags...)
		return false
	}
	if v.IsNull() {
		if c.schema.Required {
			c.fail(errorAt(c.attr.Expr.Range(), "Missing required argument", "%s must not be null.%s", c.schema.Name, sentence(c.schema.Doc)))
		}
		return false
	}
	c.collect(v, c.attr.Expr)
	return true
}

// collect takes the references in a value. expr is the part of the expression
// that the value comes from, as far as that can be told.
func (c *referenceCollector) collect(v cty.Value, expr hclsyntax.Expression) {
	v, _ = v.Unmark()
	switch {
	case !v.IsKnown():
		c.unknown(expr)
	case v.IsNull():
		c.wrong(expr, "null")
	case v.Type().IsObjectType() && v.Type().HasAttribute("address"):
		c.reference(v.GetAttr("address"), expr)
	case v.CanIterateElements():
		elements := parts(expr)
		i := 0
		for it := v.ElementIterator(); it.Next(); i++ {
			_, element := it.Element()
			part := expr
			if len(elements) == v.LengthInt() {
				part = elements[i]
			}
			c.collect(element, part)
		}
	default:
		c.wrong(expr, article(v.Type().FriendlyName()))
	}
}

// parts are the expressions of the elements of a list.
func parts(expr hclsyntax.Expression) []hclsyntax.Expression {
	if tuple, ok := expr.(*hclsyntax.TupleConsExpr); ok {
		return tuple.Exprs
	}
	return nil
}

// unknown is a value that is not known: the whole of something that failed,
// or an attribute of something that is not there yet.
func (c *referenceCollector) unknown(expr hclsyntax.Expression) {
	if !c.node.failed {
		c.ev.report(errorAt(expr.Range(), "Value known only after apply", "%s takes references to blocks, but %s known only after apply. Refer to the block itself.",
			c.attr.Name, c.ev.unknowns(c.node.in, expr, c.decl.refs)))
	}
	c.failed = true
}

func (c *referenceCollector) reference(address cty.Value, expr hclsyntax.Expression) {
	address, _ = address.Unmark()
	if !address.IsKnown() || address.IsNull() || address.Type() != cty.String {
		c.wrong(expr, "something else")
		return
	}
	a, ok := c.ev.byAddress[address.AsString()]
	if !ok {
		c.wrong(expr, "an object that was not made by a block")
		return
	}
	if !c.waitsFor(a) {
		c.wrong(expr, "an object that was not made by a block")
		return
	}
	c.take(a, address, expr.Range())
}

// take adds a reference if it is to a kind of block that is allowed.
func (c *referenceCollector) take(a addr.Address, written cty.Value, at hcl.Range) {
	if !slices.Contains(c.schema.References, a.Kind) {
		c.fail(errorAt(at, "Reference to the wrong kind of block", "%s takes references to %s, and %s is none.", c.attr.Name, strings.Join(c.schema.References, ", "), a))
		return
	}
	c.referred = append(c.referred, a)
	c.values = append(c.values, written)
}

// waitsFor tells that a is among what the references of the attribute stand
// for. An object with a forged address is not, and would not be there in time.
func (c *referenceCollector) waitsFor(a addr.Address) bool {
	for i := range c.refs {
		r := &c.refs[i]
		if b, ok := r.target.(*blockDecl); ok {
			if b.kind == a.Kind && b.name == a.Name && c.node.in.path == a.Module {
				return true
			}
			continue
		}
		if _, found := slices.BinarySearchFunc(c.ev.target(c.node.in, r).dependencies, a, compareAddresses); found {
			return true
		}
	}
	// What comes from each.value is a reference of for_each.
	for i := range c.decl.repetition.refs {
		if slices.Contains(c.ev.target(c.node.in, &c.decl.repetition.refs[i]).dependencies, a) {
			return true
		}
	}
	return false
}

func (c *referenceCollector) wrong(expr hclsyntax.Expression, what string) {
	kinds := c.schema.References
	hint := fmt.Sprintf(" Write a reference, as in %s = [%s.name].", c.attr.Name, kinds[0])
	if template, ok := expr.(*hclsyntax.TemplateExpr); ok && template.IsStringLiteral() {
		v, _ := template.Value(nil)
		hint = c.quoted(v.AsString(), kinds, hint)
	}
	c.fail(errorAt(expr.Range(), "Reference needed", "%s takes references to blocks (%s), not %s.%s", c.attr.Name, strings.Join(kinds, ", "), what, hint))
}

// quoted says what a string that names a block should have been.
func (c *referenceCollector) quoted(text string, kinds []string, otherwise string) string {
	for name := range c.node.in.module.decl.blocks {
		if slices.Contains(kinds, name.kind) && (name.name == text || name.String() == text) {
			return fmt.Sprintf(" A reference stands without quotes: %s.", name)
		}
	}
	return otherwise
}
