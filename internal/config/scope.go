package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// scope holds the values of the references given, and nothing else: an object
// of all values there are would take longer to build than to use.
func (ev *evaluator) scope(in *instance, refs []ref, each cty.Value) *hcl.EvalContext {
	base := in.module.decl.base
	if len(refs) == 0 && each == cty.NilVal {
		return base
	}
	s := scopeBuilder{}
	for i := range refs {
		if !refs[i].direct {
			ev.put(s, in, &refs[i])
		}
	}
	if len(s) == 0 && each == cty.NilVal {
		return base
	}
	ctx := base.NewChild()
	ctx.Variables = make(map[string]cty.Value, len(s)+1)
	for kind, values := range s {
		if blockType, label, kinded := strings.Cut(kind, "."); kinded {
			kinds := map[string]cty.Value{label: cty.ObjectVal(values)}
			if others := ctx.Variables[blockType]; others != cty.NilVal {
				for other, v := range others.AsValueMap() {
					kinds[other] = v
				}
			}
			ctx.Variables[blockType] = cty.ObjectVal(kinds)
			continue
		}
		ctx.Variables[kind] = cty.ObjectVal(values)
	}
	if each != cty.NilVal {
		ctx.Variables["each"] = each
	}
	return ctx
}

// scopeBuilder holds values by what a reference begins with and by name.
type scopeBuilder map[string]map[string]cty.Value

func (s scopeBuilder) set(root, name string, v cty.Value) {
	values := s[root]
	if values == nil {
		values = map[string]cty.Value{}
		s[root] = values
	}
	if values[name] != cty.DynamicVal { // something is wrong with it already
		values[name] = v
	}
}

func (ev *evaluator) put(s scopeBuilder, in *instance, r *ref) {
	n := ev.target(in, r)
	v := n.value
	if n.state != done && n.value == cty.NilVal {
		v = cty.DynamicVal // in a cycle, which is reported
	}
	if ev.missingKey(in, r) {
		v = cty.DynamicVal // reported by inherit
	}
	switch decl := r.target.(type) {
	case *variableDecl:
		s.set("var", decl.name, v)
	case *localDecl:
		s.set("local", decl.name, v)
	case *blockDecl:
		s.set(decl.kind, decl.name, v)
	case *callDecl:
		ev.putCall(s, n, decl, v)
	}
}

// putCall joins the outputs of a call that are read by several references.
func (ev *evaluator) putCall(s scopeBuilder, n *node, decl *callDecl, v cty.Value) {
	before, ok := s["module"][decl.name]
	if !ok || n.key.output == allOutputs {
		s.set("module", decl.name, v)
		return
	}
	s.set("module", decl.name, mergeObjects(before, v, decl.repetition.repeated()))
}

// mergeObjects joins two objects, of which one may be unknown: deep tells that
// their attributes are such objects themselves.
func mergeObjects(a, b cty.Value, deep bool) cty.Value {
	if !a.IsKnown() || !b.IsKnown() || a.LengthInt() == 0 {
		return b
	}
	merged := a.AsValueMap()
	for name, v := range b.AsValueMap() {
		if before, ok := merged[name]; ok && deep {
			v = mergeObjects(before, v, false)
		}
		merged[name] = v
	}
	return cty.ObjectVal(merged)
}

// missingKey tells that a reference names an instance that is not there.
func (ev *evaluator) missingKey(in *instance, r *ref) bool {
	n := in.node(r.target, "")
	if !r.keyed || ev.static || n.failed || n.state != done {
		return false
	}
	if _, block := r.target.(*blockDecl); block {
		return n.objects[r.key] == nil
	}
	for _, child := range n.instances {
		if keyOf(child) == r.key {
			return false
		}
	}
	return true
}

// unknownKey says that a block or module has no instance of the key that a
// reference names.
func (ev *evaluator) unknownKey(in *instance, r *ref) *hcl.Diagnostic {
	n := in.node(r.target, "")
	var name string
	var keys []string
	switch decl := r.target.(type) {
	case *blockDecl:
		name, keys = decl.address(), mapKeys(n.objects)
	case *callDecl:
		name = "module." + decl.name
		for _, child := range n.instances {
			keys = append(keys, keyOf(child))
		}
	}
	hint := suggestOr(r.key, keys, "There are")
	if len(keys) == 0 {
		hint = " It has no instances at all."
	}
	return errorAt(r.rng, "Unknown instance", "%s has no instance %q.%s", name, r.key, hint)
}
