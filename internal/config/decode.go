package config

import (
	"errors"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"esd/internal/addr"
	"esd/internal/schema"
)

// decoder makes the object of one block instance from its body.
type decoder struct {
	ev       *evaluator
	node     *node
	decl     *blockDecl
	ctx      *hcl.EvalContext
	referred []addr.Address // by the values of reference attributes
	failed   bool
}

func (d *decoder) fail(diags ...*hcl.Diagnostic) {
	d.ev.report(diags...)
	d.failed = true
}

// body decodes a body in the scope of the decoder.
func (d *decoder) body(body *hclsyntax.Body, s *schema.Block) cty.Value {
	return d.bodyIn(body, s, d.ctx)
}

func (d *decoder) bodyIn(body *hclsyntax.Body, s *schema.Block, ctx *hcl.EvalContext) cty.Value {
	values := make(map[string]cty.Value, len(s.Attributes)+len(s.Blocks))
	for i := range s.Attributes {
		a := &s.Attributes[i]
		values[a.Name] = d.attribute(body.Attributes[a.Name], a, ctx)
	}
	for i := range s.Blocks {
		nested := &s.Blocks[i]
		values[nested.Name] = d.nested(body, nested, ctx)
	}
	return cty.ObjectVal(values)
}

// attributeType is the type that an attribute has in the object.
func attributeType(a *schema.Attribute) cty.Type {
	if len(a.References) > 0 {
		return cty.List(cty.String)
	}
	return a.Type.WithoutOptionalAttributesDeep()
}

// unset is the value of an attribute that is not set.
func unset(a *schema.Attribute) cty.Value {
	if a.Default != cty.NilVal {
		return a.Default
	}
	return cty.NullVal(attributeType(a))
}

func (d *decoder) attribute(attr *hclsyntax.Attribute, a *schema.Attribute, ctx *hcl.EvalContext) cty.Value {
	if attr == nil {
		return unset(a)
	}
	if len(a.References) > 0 {
		return d.references(attr, a, ctx)
	}
	if d.looksLikeVersion(attr, a) {
		return unset(a)
	}
	v, ok := d.value(attr, ctx)
	if !ok {
		return unset(a)
	}
	converted, err := convert.Convert(v, a.Type)
	if err != nil {
		d.fail(errorAt(attr.Expr.Range(), "Incorrect attribute value type", "The value of %s does not fit: %s.%s", a.Name, conversionProblem(err, v.Type(), a.Type), sentence(a.Doc)))
		return unset(a)
	}
	if converted.IsNull() {
		if a.Required {
			d.fail(errorAt(attr.Expr.Range(), "Missing required argument", "%s must not be null.%s", a.Name, sentence(a.Doc)))
		}
		return unset(a)
	}
	if extra := unexpectedAttribute(v, a.Type, nil); extra != "" {
		d.fail(errorAt(attr.Expr.Range(), "Unsupported argument", "In the value of %s %s", a.Name, extra))
		return unset(a)
	}
	if err := a.Accept(converted); err != nil {
		d.fail(invalidValue(attr.Expr.Range(), a, err))
		return unset(a)
	}
	return converted
}

// value evaluates an attribute, and refuses values that are sensitive or
// known only after apply.
func (d *decoder) value(attr *hclsyntax.Attribute, ctx *hcl.EvalContext) (cty.Value, bool) {
	if d.ev.config.bad[attr.Expr] {
		d.failed = true
		return cty.DynamicVal, false
	}
	v, diags := attr.Expr.Value(ctx)
	if diags.HasErrors() {
		d.fail(diags...)
		return cty.DynamicVal, false
	}
	d.ev.report(diags...)
	if v.ContainsMarked() {
		d.fail(errorAt(attr.Expr.Range(), "Sensitive value in a block",
			"%s would become part of the plan, the state and the product, where everyone can read it, but its value is sensitive. Keep secrets out of what is built, and give them to programs when they run; or use nonsensitive, if it is no secret.", attr.Name))
		return cty.DynamicVal, false
	}
	if !v.IsWhollyKnown() {
		if !d.node.failed {
			d.fail(errorAt(attr.Expr.Range(), "Value known only after apply",
				"What %s is has to be known before anything is done, since from it follows what needs doing, but %s known only after apply. Refer to the block itself where an attribute takes references, or to something that is written in the configuration.",
				attr.Name, d.ev.unknowns(d.node.in, attr.Expr, d.decl.refs)))
		}
		d.failed = true
		return cty.DynamicVal, false
	}
	return v, true
}

// looksLikeVersion refuses a version written as a number: 3.10 would be 3.1.
func (d *decoder) looksLikeVersion(attr *hclsyntax.Attribute, a *schema.Attribute) bool {
	literal, ok := attr.Expr.(*hclsyntax.LiteralValueExpr)
	if !ok || a.Type != cty.String || literal.Val.Type() != cty.Number || !strings.HasSuffix(a.Name, "version") {
		return false
	}
	at := literal.Range()
	text := at.SliceBytes(d.ev.config.source(at.Filename))
	if !strings.Contains(string(text), ".") {
		return false
	}
	d.fail(errorAt(at, "Version without quotes", "Without quotes %s is a number, in which a zero at the end means nothing: 3.10 would be 3.1. Write %s = \"%s\".", text, a.Name, text))
	return true
}

// unexpectedAttribute finds an attribute in an object that its type does not
// have. Converting would drop it silently, and with it what somebody meant.
func unexpectedAttribute(v cty.Value, want cty.Type, path cty.Path) string {
	if v.IsNull() || !v.CanIterateElements() {
		return ""
	}
	got := v.Type()
	switch {
	case want.IsObjectType() && got.IsObjectType():
		for _, name := range mapKeys(got.AttributeTypes()) {
			if !want.HasAttribute(name) {
				where := ""
				if len(path) > 0 {
					where = " in " + writtenPath(path)
				}
				return "there is no attribute \"" + name + "\"" + where + "." + suggestOr(name, mapKeys(want.AttributeTypes()), "There are")
			}
			if extra := unexpectedAttribute(v.GetAttr(name), want.AttributeType(name), path.GetAttr(name)); extra != "" {
				return extra
			}
		}
	case want.IsCollectionType() && !got.IsSetType():
		for it := v.ElementIterator(); it.Next(); {
			key, element := it.Element()
			if extra := unexpectedAttribute(element, want.ElementType(), path.Index(key)); extra != "" {
				return extra
			}
		}
	}
	return ""
}

// nestedBody is one nested block to decode, written or made by a dynamic
// block, with the scope that it is evaluated in.
type nestedBody struct {
	label string
	body  *hclsyntax.Body
	ctx   *hcl.EvalContext
	rng   hcl.Range
	// made tells that a dynamic block made it. Written ones are compared with
	// each other when the configuration is loaded.
	made bool
}

func (d *decoder) nested(body *hclsyntax.Body, nested *schema.Nested, ctx *hcl.EvalContext) cty.Value {
	bodies := d.nestedBodies(body, nested.Name, ctx)
	switch nested.Nesting {
	case schema.Single:
		return d.single(bodies, nested)
	case schema.List:
		values := make([]cty.Value, 0, len(bodies))
		for _, b := range bodies {
			values = append(values, d.bodyIn(b.body, &nested.Block, b.ctx))
		}
		return cty.TupleVal(values)
	}
	values := make(map[string]cty.Value, len(bodies))
	for _, b := range bodies {
		if _, twice := values[b.label]; twice && b.made {
			d.fail(errorAt(b.rng, "Duplicate block", "There is a block %s %q already, and only one is allowed.", nested.Name, b.label))
		}
		values[b.label] = d.bodyIn(b.body, &nested.Block, b.ctx)
	}
	return cty.ObjectVal(values)
}

func (d *decoder) single(bodies []nestedBody, nested *schema.Nested) cty.Value {
	if len(bodies) == 0 {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	if len(bodies) > 1 && (bodies[0].made || bodies[1].made) {
		d.fail(errorAt(bodies[1].rng, "Duplicate block", "There is a block %s already, and only one is allowed.", nested.Name))
	}
	return d.bodyIn(bodies[0].body, &nested.Block, bodies[0].ctx)
}

func (d *decoder) nestedBodies(body *hclsyntax.Body, name string, ctx *hcl.EvalContext) []nestedBody {
	var bodies []nestedBody
	for _, block := range body.Blocks {
		switch {
		case block.Type == name:
			b := nestedBody{body: block.Body, ctx: ctx, rng: block.DefRange()}
			if len(block.Labels) > 0 {
				b.label = block.Labels[0]
			}
			bodies = append(bodies, b)
		case block.Type == "dynamic" && len(block.Labels) == 1 && block.Labels[0] == name:
			bodies = append(bodies, d.dynamic(block, ctx)...)
		}
	}
	return bodies
}

var errNotIterable = errors.New("a map, object, list, tuple or set is needed")

// dynamic makes nested blocks from the elements of a collection. The package
// dynblock of HCL does the same for any body; here bodies, scopes and checks
// of values are at hand already.
func (d *decoder) dynamic(block *hclsyntax.Block, ctx *hcl.EvalContext) []nestedBody {
	forEach, body := block.Body.Attributes["for_each"], content(block)
	if forEach == nil || body == nil {
		d.failed = true
		return nil
	}
	v, ok := d.value(forEach, ctx)
	if !ok {
		return nil
	}
	if v.IsNull() || !v.CanIterateElements() {
		d.fail(errorAt(forEach.Expr.Range(), "Invalid for_each", "The for_each of a dynamic block cannot be used: %s.", errNotIterable))
		return nil
	}
	if n := v.LengthInt(); n > maxInstances {
		d.fail(tooMany(forEach.Expr, n))
		return nil
	}
	bodies := make([]nestedBody, 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if v.Type().IsSetType() {
			key = value
		}
		inner := ctx.NewChild()
		inner.Variables = map[string]cty.Value{iterator(block): cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})}
		b := nestedBody{body: body.Body, ctx: inner, rng: block.DefRange(), made: true}
		if labels := block.Body.Attributes["labels"]; labels != nil {
			b.label = d.label(labels, inner)
		}
		bodies = append(bodies, b)
	}
	return bodies
}

func (d *decoder) label(attr *hclsyntax.Attribute, ctx *hcl.EvalContext) string {
	v, ok := d.value(attr, ctx)
	if !ok {
		return ""
	}
	list, err := convert.Convert(v, cty.List(cty.String))
	if err != nil || list.IsNull() || list.LengthInt() != 1 || list.AsValueSlice()[0].IsNull() {
		d.fail(errorAt(attr.Expr.Range(), "Invalid labels", "labels is a list of one string, the label of the block."))
		return ""
	}
	return list.AsValueSlice()[0].AsString()
}
