package config

import (
	"context"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// EvalExpression evaluates one expression in the root module, for esd console.
// Without an Evaluated only variables, locals and functions have values, and
// blocks are unknown. Marks are kept.
func (c *Config) EvalExpression(src string, evaluated ...*Evaluated) (cty.Value, hcl.Diagnostics) {
	const filename = "<console>"
	c.files[filename] = &hcl.File{Bytes: []byte(src)}
	expr, diags := parseExpression([]byte(src), filename)
	if diags.HasErrors() || c.root == nil {
		return cty.DynamicVal, diags
	}
	check := checker{mod: c.root.decl, schemas: c.opts.Schemas, types: blockTypes(c.opts.Schemas), files: c.files, bad: map[hclsyntax.Expression]bool{}}
	refs := check.refs(expr, where{})
	if check.diags.HasErrors() {
		return cty.DynamicVal, check.diags
	}
	ev := newEvaluator(c, context.Background(), c.root)
	ev.static = true
	for _, e := range evaluated {
		if e != nil && e.ev != nil {
			ev = e.ev
		}
	}
	before := len(ev.diags)
	n := &node{key: nodeKey{decl: expr}, in: ev.root}
	for _, e := range ev.edgesTo(nil, ev.root, refs, nil) {
		ev.visit(e.to)
	}
	v := ev.expression(n, expr, refs, cty.NilVal)
	diags = ev.diags[before:]
	ev.diags = ev.diags[:before]
	for _, diag := range diags {
		delete(ev.seen, keyOfDiag(diag))
	}
	return v, diags
}
