package config

import (
	"context"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
)

// evaluator visits what is declared in the order of the references and keeps
// the values.
type evaluator struct {
	config  *Config
	ctx     context.Context
	resolve func(*Object) (cty.Value, hcl.Diagnostics)
	// static evaluates while the configuration is loaded: blocks and repeated
	// modules have no values yet, only what follows from variables has.
	static bool

	root    *instance
	objects []*Object
	// byAddress finds the address of an evaluated object by its written form,
	// to recognize references among values.
	byAddress map[string]addr.Address
	diags     hcl.Diagnostics
	seen      map[diagKey]bool
}

// instance is one instance of a module: the root, or what one module block
// made, once or for each of its keys.
type instance struct {
	module *module
	parent *instance
	call   *callDecl
	path   string // address of the instance, empty for the root
	// each is the value of each in the module block of this instance.
	each cty.Value
	// dependencies are what the module block depends on, for all in it.
	dependencies []addr.Address
	failed       bool // so is what the module block depends on
	nodes        map[nodeKey]*node
}

// nodeKey names a node: a declaration, or one output of a module call.
type nodeKey struct {
	decl   any
	output string
}

// node is one thing to evaluate: a variable, local, output, module call, block,
// or the value of outputs of a call, which waits for the call and then for
// those outputs.
type node struct {
	key   nodeKey
	in    *instance
	state nodeState
	stage int

	value        cty.Value
	dependencies []addr.Address // the objects that the value comes from
	// failed tells that errors are reported already: whoever uses the value
	// has to keep quiet about it.
	failed    bool
	objects   map[string]*Object // of a block, by key
	instances []*instance        // of a call, by key
}

type nodeState int8

const (
	waiting nodeState = iota
	active
	done
)

// edge leads from a node to one that it refers to.
type edge struct {
	to *node
	at hcl.Range // of the reference
}

type diagKey struct {
	summary, detail string
	subject         hcl.Range
}

// report adds diagnostics, each once: what stands in a module that is called
// several times would be reported for each call.
func (ev *evaluator) report(diags ...*hcl.Diagnostic) {
	for _, diag := range diags {
		key := diagKey{summary: diag.Summary, detail: diag.Detail}
		if diag.Subject != nil {
			key.subject = *diag.Subject
		}
		if !ev.seen[key] {
			ev.seen[key] = true
			hideSensitive(diag)
			ev.diags = append(ev.diags, diag)
		}
	}
}

// hideSensitive takes the values from a diagnostic where one is sensitive:
// whoever shows a diagnostic may show the values of the expression with it, and
// what functions say of their arguments quotes them.
func hideSensitive(diag *hcl.Diagnostic) {
	if diag.Expression == nil || diag.EvalContext == nil || !touchesSensitive(diag.Expression, diag.EvalContext) {
		return
	}
	diag.Expression, diag.EvalContext = nil, nil
	diag.Detail = "What is wrong is not shown, because a value in this expression is sensitive."
}

// touchesSensitive reports whether an expression reads a sensitive value, or
// one that cannot be read.
func touchesSensitive(expr hcl.Expression, ctx *hcl.EvalContext) bool {
	for _, t := range expr.Variables() {
		if v, diags := t.TraverseAbs(ctx); diags.HasErrors() || v.ContainsMarked() {
			return true
		}
	}
	node, ok := expr.(hclsyntax.Node)
	if !ok {
		return false
	}
	found := false
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && (call.Name == "env" || call.Name == "sensitive") {
			found = true
		}
		return nil
	})
	return found
}

func newEvaluator(c *Config, ctx context.Context, root *module) *evaluator {
	return &evaluator{
		config: c, ctx: ctx, byAddress: map[string]addr.Address{}, seen: map[diagKey]bool{},
		root: &instance{module: root, nodes: map[nodeKey]*node{}},
	}
}

func (in *instance) node(decl any, output string) *node {
	key := nodeKey{decl, output}
	n := in.nodes[key]
	if n == nil {
		n = &node{key: key, in: in}
		in.nodes[key] = n
	}
	return n
}

// all evaluates everything in the module instance and in those below it.
func (ev *evaluator) all(in *instance) {
	decl := in.module.decl
	for _, name := range mapKeys(decl.variables) {
		ev.visit(in.node(decl.variables[name], ""))
	}
	for _, name := range mapKeys(decl.locals) {
		ev.visit(in.node(decl.locals[name], ""))
	}
	for _, name := range decl.sortedBlocks() {
		ev.visit(in.node(decl.blocks[name], ""))
	}
	for _, name := range mapKeys(decl.outputs) {
		ev.visit(in.node(decl.outputs[name], ""))
	}
	for _, name := range mapKeys(decl.calls) {
		n := in.node(decl.calls[name], "")
		ev.visit(n)
		for _, child := range n.instances {
			ev.all(child)
		}
	}
}

// frame is a node on the way from the one that was asked for, with what it
// still has to wait for.
type frame struct {
	node  *node
	edges []edge
	next  int
}

// visit evaluates a node after everything that it refers to. It keeps its own
// stack, since a chain of references may be as long as the configuration.
func (ev *evaluator) visit(n *node) {
	if n.state != waiting || ev.ctx.Err() != nil {
		return
	}
	n.state = active
	stack := []frame{{node: n, edges: ev.edges(n)}}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.next < len(top.edges) {
			to := top.edges[top.next].to
			top.next++
			switch to.state {
			case waiting:
				to.state = active
				stack = append(stack, frame{node: to, edges: ev.edges(to)})
			case active:
				ev.cycle(stack, to)
			}
			continue
		}
		if top.node.stage++; top.node.stage < top.node.stages() {
			top.edges, top.next = ev.edges(top.node), 0
			continue
		}
		if ev.ctx.Err() != nil {
			top.node.value, top.node.failed = cty.DynamicVal, true
		} else {
			ev.evaluate(top.node)
		}
		top.node.state = done
		stack = stack[:len(stack)-1]
	}
}

// stages is how many times a node has to wait for others.
func (n *node) stages() int {
	if _, call := n.key.decl.(*callDecl); call && n.key.output != "" {
		return 2
	}
	return 1
}

// allOutputs stands for the output of a call when all are read.
const allOutputs = "*"

// edges lists what a node has to wait for in its present stage.
func (ev *evaluator) edges(n *node) []edge {
	switch decl := n.key.decl.(type) {
	case *variableDecl:
		edges := ev.edgesTo(nil, n.in, decl.refs, decl)
		if n.in.parent != nil {
			edges = ev.edgesTo(edges, n.in.parent, n.in.call.inputRefs[decl.name], nil)
		}
		return edges
	case *localDecl:
		return ev.edgesTo(nil, n.in, decl.refs, nil)
	case *outputDecl:
		return ev.edgesTo(ev.edgesTo(nil, n.in, decl.refs, nil), n.in, decl.dependsOn.refs, nil)
	case *blockDecl:
		if ev.static {
			return nil
		}
		edges := ev.edgesTo(nil, n.in, decl.repetition.refs, nil)
		return ev.edgesTo(ev.edgesTo(edges, n.in, decl.refs, nil), n.in, decl.dependsOn.refs, nil)
	case *callDecl:
		return ev.callEdges(n, decl)
	}
	return nil
}

func (ev *evaluator) callEdges(n *node, decl *callDecl) []edge {
	switch {
	case n.key.output == "":
		if ev.static {
			return nil
		}
		return ev.edgesTo(ev.edgesTo(nil, n.in, decl.repetition.refs, nil), n.in, decl.dependsOn.refs, nil)
	case n.stage == 0:
		return []edge{{n.in.node(decl, ""), decl.rng}}
	}
	var edges []edge
	for _, child := range n.in.node(decl, "").instances {
		for _, name := range outputNames(child, n.key.output) {
			edges = append(edges, edge{child.node(child.module.decl.outputs[name], ""), decl.rng})
		}
	}
	return edges
}

// outputNames lists the outputs of a module that a reference reads.
func outputNames(child *instance, output string) []string {
	if output == allOutputs {
		return mapKeys(child.module.decl.outputs)
	}
	if child.module.decl.outputs[output] == nil {
		return nil
	}
	return []string{output}
}

// edgesTo appends the edges of references, without those to self: a variable
// may refer to itself in its validation.
func (ev *evaluator) edgesTo(edges []edge, in *instance, refs []ref, self any) []edge {
	if edges == nil && len(refs) > 0 {
		edges = make([]edge, 0, len(refs))
	}
	for i := range refs {
		if r := &refs[i]; r.target != self {
			edges = append(edges, edge{ev.target(in, r), r.rng})
		}
	}
	return edges
}

// target is the node that a reference leads to.
func (ev *evaluator) target(in *instance, r *ref) *node {
	if _, call := r.target.(*callDecl); call {
		return in.node(r.target, or(r.output, allOutputs))
	}
	return in.node(r.target, "")
}

func (ev *evaluator) evaluate(n *node) {
	n.value = cty.DynamicVal
	switch decl := n.key.decl.(type) {
	case *variableDecl:
		ev.variable(n, decl)
	case *localDecl:
		n.value = ev.expression(n, decl.expr, decl.refs, cty.NilVal)
	case *outputDecl:
		ev.output(n, decl)
	case *blockDecl:
		if !ev.static {
			ev.block(n, decl)
		}
	case *callDecl:
		if n.key.output == "" {
			ev.expand(n, decl)
		} else {
			ev.callValue(n, decl)
		}
	}
}

// expression evaluates an expression of a node with the values of its
// references, and lets the node fail with them.
func (ev *evaluator) expression(n *node, expr hclsyntax.Expression, refs []ref, each cty.Value) cty.Value {
	return ev.expressionIn(n, n.in, expr, refs, each)
}

func (ev *evaluator) expressionIn(n *node, in *instance, expr hclsyntax.Expression, refs []ref, each cty.Value) cty.Value {
	if ev.config.bad[expr] {
		n.failed = true
		return cty.DynamicVal
	}
	ev.inherit(n, in, refs)
	v, diags := expr.Value(ev.scope(in, refs, each))
	ev.report(diags...)
	if diags.HasErrors() {
		n.failed = true
		return cty.DynamicVal
	}
	return v
}

// inherit takes over the dependencies and failures of what is referred to.
func (ev *evaluator) inherit(n *node, in *instance, refs []ref) {
	for i := range refs {
		to := ev.target(in, &refs[i])
		if to == n {
			continue
		}
		n.failed = n.failed || to.failed
		if ev.missingKey(in, &refs[i]) {
			ev.report(ev.unknownKey(in, &refs[i]))
			n.failed = true
		}
		n.dependencies = append(n.dependencies, ev.dependencies(in, &refs[i])...)
	}
	n.dependencies = unique(n.dependencies)
}

// dependencies are the objects that a reference stands for.
func (ev *evaluator) dependencies(in *instance, r *ref) []addr.Address {
	to := ev.target(in, r)
	if r.keyed {
		if object := to.objects[r.key]; object != nil {
			return []addr.Address{object.Address}
		}
	}
	return to.dependencies
}

// unique sorts addresses and drops those that occur twice.
func unique(addresses []addr.Address) []addr.Address {
	if len(addresses) < 2 {
		return addresses
	}
	slices.SortFunc(addresses, compareAddresses)
	return slices.Compact(addresses)
}

// compareAddresses orders as addr.Compare does, and in the common case without
// writing the addresses out.
func compareAddresses(a, b addr.Address) int {
	if a.Module == "" && b.Module == "" && a.Kind == b.Kind && !a.Keyed && !b.Keyed {
		return compare(a.Name, b.Name)
	}
	return addr.Compare(a, b)
}
