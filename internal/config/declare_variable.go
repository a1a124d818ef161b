package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

func (d *declarer) variable(block *hclsyntax.Block) {
	if !d.labels(block, "name") {
		return
	}
	d.body(block, &variableSchema)
	v := &variableDecl{declared: declared{name: block.Labels[0], rng: block.DefRange()}, typ: cty.DynamicPseudoType}
	if attr := block.Body.Attributes["type"]; attr != nil {
		typ, defaults, diags := typeexpr.TypeConstraintWithDefaults(attr.Expr)
		d.diags = append(d.diags, hintType(diags, attr.Expr)...)
		if !diags.HasErrors() {
			v.typ, v.defaults = typ, defaults
		}
	}
	if attr := block.Body.Attributes["default"]; attr != nil {
		v.def = attr.Expr
	}
	d.text(block.Body, "description")
	v.sensitive = d.flag(block.Body, "sensitive", false)
	v.nullable = d.flag(block.Body, "nullable", true)
	for _, nested := range block.Body.Blocks {
		condition, message := nested.Body.Attributes["condition"], nested.Body.Attributes["error_message"]
		if nested.Type == "validation" && condition != nil && message != nil {
			v.validations = append(v.validations, validation{condition.Expr, message.Expr, condition.Expr.Range()})
		}
	}
	if first := d.variables[v.name]; first != nil {
		d.once("variable var."+v.name, first.rng, v.rng)
		return
	}
	d.variables[v.name] = v
}

// hintType adds to errors of type expressions that types stand without quotes.
func hintType(diags hcl.Diagnostics, expr hclsyntax.Expression) hcl.Diagnostics {
	if _, quoted := expr.(*hclsyntax.TemplateExpr); !quoted {
		return diags
	}
	for _, diag := range diags {
		diag.Detail += " A type stands without quotes: type = string, type = list(string), type = object({ name = string, cpus = optional(number, 1) })."
	}
	return diags
}

// text is the value of an attribute that has to be a literal string.
func (d *declarer) text(body *hclsyntax.Body, name string) string {
	v := d.literal(body, name, cty.String)
	if v == cty.NilVal {
		return ""
	}
	return v.AsString()
}

// flag is the value of an attribute that has to be true or false.
func (d *declarer) flag(body *hclsyntax.Body, name string, otherwise bool) bool {
	v := d.literal(body, name, cty.Bool)
	if v == cty.NilVal {
		return otherwise
	}
	return v.True()
}

func (d *declarer) literal(body *hclsyntax.Body, name string, typ cty.Type) cty.Value {
	attr := body.Attributes[name]
	if attr == nil {
		return cty.NilVal
	}
	v, diags := attr.Expr.Value(nil)
	if !diags.HasErrors() {
		if converted, err := convert.Convert(v, typ); err == nil && converted.IsKnown() && !converted.IsNull() {
			return converted
		}
	}
	d.add(errorAt(attr.Expr.Range(), "Literal value needed",
		"%s is read before anything has a value; it has to be a literal %s, without references and functions.", name, typ.FriendlyName()))
	return cty.NilVal
}
