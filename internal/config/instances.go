package config

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"esd/internal/addr"
)

// block evaluates all instances of a block.
func (ev *evaluator) block(n *node, decl *blockDecl) {
	n.objects = map[string]*Object{}
	if n.in.failed {
		n.failed = true
	}
	ev.inherit(n, n.in, decl.dependsOn.refs)
	waits := n.dependencies
	repeats, ok := ev.repeats(n, &decl.repetition)
	if !ok {
		return
	}
	for i := range decl.refs {
		r := &decl.refs[i]
		n.failed = n.failed || ev.target(n.in, r).failed
		if ev.missingKey(n.in, r) {
			ev.report(ev.unknownKey(n.in, r))
			n.failed = true
		}
	}
	base := unique(slices.Concat(waits, n.dependencies, n.in.dependencies))
	outer := ev.scope(n.in, decl.refs, cty.NilVal)
	values := make(map[string]cty.Value, len(repeats))
	n.dependencies = nil
	for _, r := range repeats {
		values[r.key] = ev.instance(n, decl, r, outer, base)
	}
	n.value = values[""]
	if decl.repetition.repeated() {
		n.value = cty.ObjectVal(values)
	}
	n.dependencies = unique(n.dependencies)
}

// instance evaluates one instance and has it resolved.
func (ev *evaluator) instance(n *node, decl *blockDecl, r repeat, outer *hcl.EvalContext, base []addr.Address) cty.Value {
	object := &Object{
		Address: addr.Address{Module: n.in.path, Kind: decl.kind, Name: decl.name, Key: r.key, Keyed: r.keyed},
		Schema:  decl.schema, ModuleDir: n.in.module.decl.dir, Range: decl.rng, body: decl.body,
	}
	ctx := outer
	if r.keyed {
		ctx = outer.NewChild()
		ctx.Variables = map[string]cty.Value{"each": r.each}
	}
	d := decoder{ev: ev, node: n, decl: decl, ctx: ctx}
	object.Config = d.body(decl.body, decl.schema)
	object.PreventDestroy = d.preventDestroy()
	object.Dependencies = unique(append(base[:len(base):len(base)], d.dependencies(ctx)...))
	n.dependencies = append(n.dependencies, object.Address)
	n.objects[r.key] = object
	if d.failed {
		n.failed = true
	}
	if n.failed {
		return cty.DynamicVal
	}
	written := object.Address.String()
	ev.byAddress[written] = object.Address
	ev.objects = append(ev.objects, object)
	v, diags := ev.resolve(object)
	for _, diag := range diags {
		ev.report(diag)
	}
	if diags.HasErrors() {
		n.failed = true
		return cty.DynamicVal
	}
	return v
}

// preventDestroy is what the lifecycle block says.
func (d *decoder) preventDestroy() bool {
	if d.decl.lifecycle == nil {
		return false
	}
	attr := d.decl.lifecycle.Body.Attributes["prevent_destroy"]
	if attr == nil {
		return false
	}
	v, ok := d.value(attr, d.ctx)
	if !ok {
		return false
	}
	b, err := convert.Convert(v, cty.Bool)
	if err != nil {
		d.fail(errorAt(attr.Expr.Range(), "Incorrect attribute value type", "prevent_destroy is true or false, not %s.", article(v.Type().FriendlyName())))
		return false
	}
	return !b.IsNull() && b.True()
}

// dependencies are the objects that references of the block stand for. Those
// in attributes that take references are told by the values, except where only
// an attribute of an object is read.
func (d *decoder) dependencies(ctx *hcl.EvalContext) []addr.Address {
	found := d.referred
	for i := range d.decl.refs {
		r := &d.decl.refs[i]
		if _, block := r.target.(*blockDecl); r.byValue && (!block || r.attribute == "") {
			continue
		}
		found = append(found, d.ev.instanceOf(d.node.in, r, ctx)...)
	}
	return found
}

// instanceOf is dependencies for a reference whose instance may be computed
// from each.key.
func (ev *evaluator) instanceOf(in *instance, r *ref, ctx *hcl.EvalContext) []addr.Address {
	if r.index != nil {
		key, diags := r.index.Value(ctx)
		key, _ = key.Unmark()
		if !diags.HasErrors() && key.IsKnown() && !key.IsNull() && key.Type() == cty.String {
			if object := ev.target(in, r).objects[key.AsString()]; object != nil {
				return []addr.Address{object.Address}
			}
		}
	}
	return ev.dependencies(in, r)
}
