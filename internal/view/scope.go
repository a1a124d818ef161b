package view

import (
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
)

// scopeValue says what a reference in a faulty expression stood for.
type scopeValue struct {
	Traversal string `json:"traversal"`
	Statement string `json:"statement"`
}

// maxScope is how many references are explained.
const maxScope = 8

// valuesInScope explains the references of the expression that a diagnostic is
// about, sorted. What is sensitive, in whole or in part, is left out, and so
// is what nobody knows yet.
func valuesInScope(d *hcl.Diagnostic) []scopeValue {
	if d.Expression == nil || d.EvalContext == nil {
		return nil
	}
	var list []scopeValue
	for _, traversal := range d.Expression.Variables() {
		v, diags := traversal.TraverseAbs(d.EvalContext)
		if diags.HasErrors() || v == cty.NilVal || v.ContainsMarked() || !v.IsKnown() {
			continue
		}
		name, statement := traversalText(traversal), statementOf(v)
		if v.Type().IsPrimitiveType() && (schema.IsSecretKey(name) || schema.HoldsSecret(statement)) {
			statement = "is not shown"
		}
		list = append(list, scopeValue{name, statement})
	}
	slices.SortFunc(list, func(a, b scopeValue) int { return strings.Compare(a.Traversal, b.Traversal) })
	list = slices.Compact(list)
	return list[:min(maxScope, len(list))]
}

func traversalText(t hcl.Traversal) string {
	var b strings.Builder
	for _, step := range t {
		switch step := step.(type) {
		case hcl.TraverseRoot:
			b.WriteString(step.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + step.Name)
		case hcl.TraverseIndex:
			key := "..."
			if step.Key.Type().IsPrimitiveType() && !step.Key.IsMarked() && step.Key.IsKnown() {
				key = primitiveText(step.Key)
			}
			b.WriteString("[" + key + "]")
		}
	}
	return b.String()
}

// statementOf says what a value is, and for a small one which.
func statementOf(v cty.Value) string {
	t := v.Type()
	switch {
	case v.IsNull():
		return "is null"
	case t.IsPrimitiveType():
		return "is " + primitiveText(v)
	case t.IsObjectType():
		return "is object with " + Plural(len(t.AttributeTypes()), "attribute")
	case t.IsTupleType() || t.IsCollectionType():
		return "is " + t.FriendlyNameForConstraint() + " with " + Plural(v.LengthInt(), "element")
	}
	return "is a " + t.FriendlyNameForConstraint()
}

func primitiveText(v cty.Value) string {
	switch {
	case v.IsNull():
		return "null"
	case v.Type() == cty.String:
		return quoteHCL(shorten(v.AsString(), maxValue))
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('g', 20)
	}
	return strconv.FormatBool(v.True())
}
