package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// variable gives a variable its value: in the root module that which was set,
// in others the input of the module block.
func (ev *evaluator) variable(n *node, decl *variableDecl) {
	v, at, ok := ev.variableInput(n, decl)
	if !ok {
		n.failed = true
		return
	}
	if v == cty.NilVal || v.IsNull() && !decl.nullable && decl.def != nil {
		v, at = ev.expression(n, decl.def, nil, cty.NilVal), decl.def.Range()
	}
	if decl.sensitive {
		at = decl.rng // not where the value stands: its text would be shown
	}
	v, diag := convertVariable(v, decl, at)
	if diag != nil {
		ev.report(diag)
		n.failed = true
		return
	}
	if decl.sensitive {
		v = v.Mark(Sensitive)
	}
	n.value = v
	for i := range decl.validations {
		ev.validate(n, decl, &decl.validations[i], at)
	}
}

// variableInput is the value given to a variable and where it was given;
// cty.NilVal is none.
func (ev *evaluator) variableInput(n *node, decl *variableDecl) (cty.Value, hcl.Range, bool) {
	if n.in.parent == nil {
		given, ok := ev.config.inputs[decl.name]
		if ok {
			return given.value, given.at, !given.failed
		}
		return cty.NilVal, decl.rng, decl.def != nil // a missing one is reported by Load
	}
	call := n.in.call
	attr := call.inputs[decl.name]
	if attr == nil {
		return cty.NilVal, decl.rng, decl.def != nil // likewise
	}
	each := n.in.each
	if each == cty.NilVal && call.repetition.repeated() {
		each = cty.ObjectVal(map[string]cty.Value{"key": cty.UnknownVal(cty.String), "value": cty.DynamicVal})
	}
	ev.inherit(n, n.in.parent, call.repetition.refs)
	v := ev.expressionIn(n, n.in.parent, attr.Expr, call.inputRefs[decl.name], each)
	return v, attr.Expr.Range(), true
}

func convertVariable(v cty.Value, decl *variableDecl, at hcl.Range) (cty.Value, *hcl.Diagnostic) {
	if v.IsNull() && !decl.nullable {
		return v, errorAt(at, "Invalid value for variable", "var.%s must not be null, since it has nullable = false.", decl.name)
	}
	if decl.defaults != nil && !v.IsNull() {
		marked, marks := v.Unmark()
		v = decl.defaults.Apply(marked).WithMarks(marks)
	}
	converted, err := convert.Convert(v, decl.typ)
	if err != nil && (decl.sensitive || v.ContainsMarked()) {
		return v, errorAt(at, "Invalid value for variable", "The value does not fit the type of var.%s, declared at %s. It is not shown, because it is sensitive.", decl.name, place(decl.rng))
	}
	if err != nil {
		return v, errorAt(at, "Invalid value for variable", "The value does not fit the type of var.%s, declared at %s: %s.", decl.name, place(decl.rng), conversionProblem(err, v.Type(), decl.typ))
	}
	return converted, nil
}

// conversionProblem says what does not fit and where in the value.
func conversionProblem(err error, got, want cty.Type) string {
	var path cty.PathError
	if errors.As(err, &path) && len(path.Path) > 0 {
		return fmt.Sprintf("at %s: %s", writtenPath(path.Path), path.Error())
	}
	if want == cty.String && (got.IsTupleType() || got.IsObjectType() || got.IsCollectionType()) {
		return "a string is needed, and this is " + article(got.FriendlyName())
	}
	return err.Error()
}

func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

func writtenPath(path cty.Path) string {
	var b strings.Builder
	for _, step := range path {
		switch step := step.(type) {
		case cty.GetAttrStep:
			b.WriteString("." + step.Name)
		case cty.IndexStep:
			if step.Key.IsKnown() && step.Key.Type() == cty.String {
				fmt.Fprintf(&b, "[%q]", step.Key.AsString())
			} else if step.Key.IsKnown() && step.Key.Type() == cty.Number {
				fmt.Fprintf(&b, "[%s]", step.Key.AsBigFloat().String())
			}
		}
	}
	return strings.TrimPrefix(b.String(), ".")
}

// validate checks one validation block.
func (ev *evaluator) validate(n *node, decl *variableDecl, v *validation, at hcl.Range) {
	if n.failed {
		return
	}
	// The variable refers to itself here, and is still being evaluated.
	state := n.state
	n.state = done
	condition := ev.expression(n, v.condition, decl.refs, cty.NilVal)
	n.state = state
	if n.failed || !condition.IsKnown() {
		return
	}
	condition, _ = condition.Unmark()
	ok, err := convert.Convert(condition, cty.Bool)
	if err != nil || ok.IsNull() {
		ev.report(errorAt(v.rng, "Invalid validation", "The condition of a validation is true or false, not %s.", article(condition.Type().FriendlyName())))
		n.failed = true
		return
	}
	if ok.True() {
		return
	}
	n.failed = true
	ev.report(errorAt(at, "Invalid value for variable", "%s\n\nThis is what the validation at %s says of var.%s.", ev.message(n, decl, v), place(v.rng), decl.name))
}

// message is the error message of a validation.
func (ev *evaluator) message(n *node, decl *variableDecl, v *validation) string {
	value, diags := v.message.Value(ev.scope(n.in, decl.refs, cty.NilVal))
	if !diags.HasErrors() && !value.ContainsMarked() {
		if s, err := convert.Convert(value, cty.String); err == nil && s.IsKnown() && !s.IsNull() {
			return strings.TrimSpace(s.AsString())
		}
	}
	if !diags.HasErrors() && value.ContainsMarked() {
		return "The value is not valid. (The message is not shown, since it contains a sensitive value.)"
	}
	return "The value is not valid. (Its error_message cannot be evaluated.)"
}

func (ev *evaluator) output(n *node, decl *outputDecl) {
	if decl.expr == nil {
		n.failed = true
		return
	}
	n.value = ev.expression(n, decl.expr, decl.refs, cty.NilVal)
	ev.inherit(n, n.in, decl.dependsOn.refs)
	n.dependencies = unique(append(n.dependencies, n.in.dependencies...))
	if decl.sensitive {
		n.value = n.value.Mark(Sensitive)
		return
	}
	if n.in.parent == nil && n.value.ContainsMarked() && !n.failed {
		n.failed = true
		ev.report(errorAt(decl.expr.Range(), "Sensitive value in an output",
			"The value comes from something sensitive, and outputs are shown and stored. If it may be handed on, set sensitive = true: it is then shown only when it is asked for by name."))
	}
}

// unknowns says which references of an expression are known only after apply,
// as the subject of a sentence with its verb.
func (ev *evaluator) unknowns(in *instance, expr hclsyntax.Expression, refs []ref) string {
	var names []string
	seen := map[string]bool{}
	for _, t := range expr.Variables() {
		v, diags := t.TraverseAbs(ev.scope(in, refs, cty.NilVal))
		if diags.HasErrors() || v.IsWhollyKnown() || ev.failedAt(in, refs, t) {
			continue
		}
		if name := written(t); !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	switch len(names) {
	case 0:
		return "something in it is"
	case 1:
		return names[0] + " is"
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1] + " are"
}

// failedAt tells that what a traversal refers to could not be evaluated.
func (ev *evaluator) failedAt(in *instance, refs []ref, t hcl.Traversal) bool {
	for i := range refs {
		if refs[i].rng == t.SourceRange() {
			return ev.target(in, &refs[i]).failed
		}
	}
	return false
}
