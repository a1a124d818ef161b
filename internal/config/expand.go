package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"esd/internal/addr"
)

// maxInstances bounds what one for_each or matrix may make.
const maxInstances = 100_000

// repeat is one instance to make: its key, and the value of each.
type repeat struct {
	key   string
	keyed bool
	each  cty.Value
}

// repeats evaluates for_each or matrix. It reports false after an error.
func (ev *evaluator) repeats(n *node, r *repetition) ([]repeat, bool) {
	expr, name, read := r.forEach, "for_each", readForEach
	if expr == nil {
		expr, name, read = r.matrix, "matrix", readMatrix
	}
	if expr == nil {
		return []repeat{{}}, true
	}
	failed := n.failed
	v := ev.expression(n, expr, r.refs, cty.NilVal)
	if n.failed && (!failed || !v.IsWhollyKnown()) {
		return nil, false
	}
	if diag := ev.refuseKeys(n, v, expr, r.refs, name); diag != nil {
		ev.report(diag)
		n.failed = true
		return nil, false
	}
	v, _ = v.UnmarkDeep()
	repeats, err := read(v, expr)
	if err != nil {
		ev.report(err)
		n.failed = true
		return nil, false
	}
	return repeats, true
}

// refuseKeys refuses what cannot be part of addresses.
func (ev *evaluator) refuseKeys(n *node, v cty.Value, expr hclsyntax.Expression, refs []ref, name string) *hcl.Diagnostic {
	keys := v
	if name == "for_each" && (v.Type().IsMapType() || v.Type().IsObjectType()) && !v.IsMarked() {
		keys = cty.NilVal // values may be anything, the keys are known
		if v.IsKnown() {
			return nil
		}
	}
	switch {
	case v.IsMarked() || keys != cty.NilVal && v.ContainsMarked():
		return errorAt(expr.Range(), "Sensitive value in "+name,
			"The keys of instances are part of their addresses, which are shown everywhere, and so cannot come from a sensitive value. Give only what is not secret, or use nonsensitive if it is not.")
	case !v.IsWhollyKnown() && (keys != cty.NilVal || !v.IsKnown()):
		return errorAt(expr.Range(), "Unknown value in "+name,
			"Which instances there are has to be known before anything is done, but %s known only after apply. Use a map whose keys are written here, and the unknown values only as its values.", ev.unknowns(n.in, expr, refs))
	}
	return nil
}

func readForEach(v cty.Value, expr hclsyntax.Expression) ([]repeat, *hcl.Diagnostic) {
	typ := v.Type()
	wrong := func(detail string) *hcl.Diagnostic {
		return errorAt(expr.Range(), "Invalid for_each", "for_each takes a map, or a set of strings, %s", detail)
	}
	switch {
	case v.IsNull():
		return nil, wrong("but its value is null. For no instances write {}.")
	case typ.IsListType() || typ.IsTupleType():
		return nil, wrong(fmt.Sprintf("not a %s, whose elements have no names. Make a set of it: toset(%s).", typ.FriendlyName(), "…"))
	case typ.IsSetType() && typ.ElementType() != cty.String && v.LengthInt() > 0:
		return nil, wrong(fmt.Sprintf("not a %s.", typ.FriendlyName()))
	case !typ.IsMapType() && !typ.IsObjectType() && !typ.IsSetType():
		return nil, wrong(fmt.Sprintf("not a %s.", typ.FriendlyName()))
	}
	if n := v.LengthInt(); n > maxInstances {
		return nil, tooMany(expr, n)
	}
	repeats := make([]repeat, 0, v.LengthInt())
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if key.IsNull() {
			return nil, wrong("and none of them may be null.")
		}
		repeats = append(repeats, newRepeat(key.AsString(), value))
	}
	return repeats, nil
}

func newRepeat(key string, value cty.Value) repeat {
	return repeat{key, true, cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(key), "value": value})}
}

func tooMany(expr hclsyntax.Expression, n int) *hcl.Diagnostic {
	return errorAt(expr.Range(), "Too many instances", "This makes %d instances, and one block makes at most %d.", n, maxInstances)
}

// axis is one dimension of a matrix.
type axis struct {
	name   string
	values []cty.Value
	keys   []string
}

// readMatrix makes the product of lists. The dimensions are in the order in
// which they are written, when they are written as an object, else sorted: so
// are the parts of the keys.
func readMatrix(v cty.Value, expr hclsyntax.Expression) ([]repeat, *hcl.Diagnostic) {
	if v.IsNull() || !v.Type().IsObjectType() && !v.Type().IsMapType() {
		return nil, errorAt(expr.Range(), "Invalid matrix", "matrix takes an object of lists, as in { arch = [\"zen2\", \"zen3\"], cuda = [\"12.4\"] }.")
	}
	var axes []axis
	total := 1
	lists := v.AsValueMap()
	for _, name := range matrixOrder(lists, expr) {
		a, diag := readAxis(name, lists[name], expr)
		if diag != nil {
			return nil, diag
		}
		axes = append(axes, a)
		if total *= len(a.values); total > maxInstances {
			return nil, tooMany(expr, total)
		}
	}
	if len(axes) == 0 {
		return nil, nil
	}
	repeats := make([]repeat, 0, total)
	for i := range total {
		repeats = append(repeats, cell(axes, i, total))
	}
	return repeats, nil
}

// cell is the i-th of the product: the last dimension changes fastest.
func cell(axes []axis, i, total int) repeat {
	keys, values := make([]string, len(axes)), make(map[string]cty.Value, len(axes))
	for d, a := range axes {
		total /= len(a.values)
		at := i / total
		i %= total
		keys[d], values[a.name] = a.keys[at], a.values[at]
	}
	return newRepeat(strings.Join(keys, "/"), cty.ObjectVal(values))
}

func readAxis(name string, list cty.Value, expr hclsyntax.Expression) (axis, *hcl.Diagnostic) {
	typ := list.Type()
	if list.IsNull() || !typ.IsTupleType() && !typ.IsListType() && !typ.IsSetType() {
		return axis{}, errorAt(expr.Range(), "Invalid matrix", "Each attribute of matrix is a list, but %s is not: write %s = […].", name, name)
	}
	a := axis{name: name}
	seen := map[string]bool{}
	for _, v := range list.AsValueSlice() {
		key, err := convert.Convert(v, cty.String)
		if err != nil || key.IsNull() {
			return axis{}, errorAt(expr.Range(), "Invalid matrix", "The elements of %s become parts of addresses, and so have to be strings, numbers or booleans.", name)
		}
		s := key.AsString()
		if strings.Contains(s, "/") || seen[s] {
			return axis{}, errorAt(expr.Range(), "Invalid matrix", "The elements of %s become parts of addresses, joined by /; so they have to differ, and none may contain /: %q.", name, s)
		}
		seen[s] = true
		a.values, a.keys = append(a.values, v), append(a.keys, s)
	}
	return a, nil
}

func matrixOrder(lists map[string]cty.Value, expr hclsyntax.Expression) []string {
	object, ok := expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return mapKeys(lists)
	}
	var names []string
	for _, item := range object.Items {
		key, diags := item.KeyExpr.Value(nil)
		if diags.HasErrors() || key.Type() != cty.String || key.IsNull() {
			return mapKeys(lists)
		}
		if _, ok := lists[key.AsString()]; !ok {
			return mapKeys(lists)
		}
		names = append(names, key.AsString())
	}
	return names
}

// expand makes the instances of a module call.
func (ev *evaluator) expand(n *node, decl *callDecl) {
	child := n.in.module.calls[decl.name]
	if child == nil {
		n.failed = true // could not be loaded
		return
	}
	if ev.static {
		n.instances = []*instance{ev.newInstance(n, decl, child, repeat{})}
		return
	}
	ev.inherit(n, n.in, decl.dependsOn.refs)
	waits := n.dependencies
	n.dependencies = nil
	repeats, ok := ev.repeats(n, &decl.repetition)
	if !ok {
		return
	}
	for _, r := range repeats {
		in := ev.newInstance(n, decl, child, r)
		in.dependencies = unique(append(waits[:len(waits):len(waits)], n.in.dependencies...))
		in.failed = n.failed || n.in.failed
		n.instances = append(n.instances, in)
	}
}

func (ev *evaluator) newInstance(n *node, decl *callDecl, child *module, r repeat) *instance {
	return &instance{
		module: child, parent: n.in, call: decl, each: r.each,
		path:  addr.Child(n.in.path, decl.name, r.key, r.keyed),
		nodes: map[nodeKey]*node{},
	}
}

// callValue is the object of the outputs that are read of a call, or one for
// each key.
func (ev *evaluator) callValue(n *node, decl *callDecl) {
	call := n.in.node(decl, "")
	n.failed = n.failed || call.failed
	if call.failed && len(call.instances) == 0 {
		return
	}
	values := map[string]cty.Value{}
	for _, child := range call.instances {
		if n.key.output != allOutputs && child.module.decl.outputs[n.key.output] == nil {
			n.failed = true // reported when the module was loaded
			return
		}
		outputs := map[string]cty.Value{}
		for _, name := range outputNames(child, n.key.output) {
			output := child.node(child.module.decl.outputs[name], "")
			outputs[name] = output.value
			n.failed = n.failed || output.failed
			n.dependencies = append(n.dependencies, output.dependencies...)
		}
		if !decl.repetition.repeated() {
			n.value = cty.ObjectVal(outputs)
		} else {
			values[keyOf(child)] = cty.ObjectVal(outputs)
		}
	}
	n.dependencies = unique(n.dependencies)
	if decl.repetition.repeated() {
		n.value = cty.ObjectVal(values)
		if ev.static {
			n.value = cty.DynamicVal
		}
	}
}

func keyOf(in *instance) string {
	if in.each == cty.NilVal {
		return ""
	}
	return in.each.GetAttr("key").AsString()
}
