package config

import (
	"context"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
)

// Evaluate computes all objects, dependencies first, and the outputs.
//
// It calls resolve once for each object, with its configuration complete. The
// value that resolve returns is what references to the object see; it has at
// least the attribute "address", and what is known only after apply is
// unknown. It is called from one goroutine. After errors the Evaluated holds
// what could be evaluated.
func (c *Config) Evaluate(ctx context.Context, resolve func(*Object) (cty.Value, hcl.Diagnostics)) (*Evaluated, hcl.Diagnostics) {
	if c.root == nil {
		return &Evaluated{}, nil
	}
	ev := newEvaluator(c, ctx, c.root)
	ev.resolve = resolve
	ev.all(ev.root)
	e := &Evaluated{Objects: ev.objects, ev: ev}
	e.outputs()
	e.gone(ev.root)
	diags := ev.diags
	sortDiagnostics(diags)
	if err := ctx.Err(); err != nil {
		diags = append(diags, errorf("Interrupted", "The configuration was not evaluated to its end: %s.", err)...)
	}
	return e, diags
}

func (e *Evaluated) outputs() {
	root := e.ev.root
	for _, name := range mapKeys(root.module.decl.outputs) {
		decl := root.module.decl.outputs[name]
		n := root.node(decl, "")
		if n.failed {
			continue
		}
		e.Outputs = append(e.Outputs, Output{
			Name: name, Value: n.value, Description: decl.description, Sensitive: decl.sensitive,
			DependsOn: n.dependencies, Range: decl.rng,
		})
	}
}

// gone gathers moved and removed blocks of an instance and those below it.
func (e *Evaluated) gone(in *instance) {
	for _, m := range in.module.decl.moved {
		e.Moved = append(e.Moved, Moved{inModule(m.from, in.path), inModule(m.to, in.path), m.rng})
	}
	for _, r := range in.module.decl.removed {
		e.Removed = append(e.Removed, Removed{inModule(r.from, in.path), r.destroy, r.rng})
	}
	for _, name := range mapKeys(in.module.decl.calls) {
		for _, child := range in.node(in.module.decl.calls[name], "").instances {
			e.gone(child)
		}
	}
}

// Object finds an object by its address.
func (e *Evaluated) Object(a addr.Address) *Object {
	i := slices.IndexFunc(e.Objects, func(o *Object) bool { return o.Address == a })
	if i < 0 {
		return nil
	}
	return e.Objects[i]
}

// sortDiagnostics puts diagnostics in the order of the text, errors without a
// place first.
func sortDiagnostics(diags hcl.Diagnostics) {
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		switch {
		case a.Subject == nil && b.Subject == nil:
			return 0
		case a.Subject == nil:
			return -1
		case b.Subject == nil:
			return 1
		}
		if c := compare(a.Subject.Filename, b.Subject.Filename); c != 0 {
			return c
		}
		if c := a.Subject.Start.Byte - b.Subject.Start.Byte; c != 0 {
			return c
		}
		return compare(a.Summary+a.Detail, b.Summary+b.Detail)
	})
}

func keyOfDiag(diag *hcl.Diagnostic) diagKey {
	key := diagKey{summary: diag.Summary, detail: diag.Detail}
	if diag.Subject != nil {
		key.subject = *diag.Subject
	}
	return key
}
