package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// earlyShown is early for what is shown and recorded, and so must not be
// sensitive.
func (ev *evaluator) earlyShown(in *instance, expr hclsyntax.Expression, what string) (cty.Value, bool) {
	v, ok := ev.earlyMarked(in, expr, what)
	if ok && v.ContainsMarked() {
		ev.report(errorAt(expr.Range(), "Sensitive value where it is shown",
			"%s is shown in messages, but its value is sensitive. Use nonsensitive, if it is no secret.", what))
		return cty.DynamicVal, false
	}
	return v, ok
}

// early is earlyMarked without telling what is sensitive.
func (ev *evaluator) early(in *instance, expr hclsyntax.Expression, what string) (cty.Value, bool) {
	v, ok := ev.earlyMarked(in, expr, what)
	v, _ = v.UnmarkDeep()
	return v, ok
}

// earlyMarked evaluates an expression whose value is needed while the
// configuration is being loaded. what is the subject of the error where that is
// impossible.
func (ev *evaluator) earlyMarked(in *instance, expr hclsyntax.Expression, what string) (cty.Value, bool) {
	if ev.config.bad[expr] {
		return cty.DynamicVal, false
	}
	c := checker{mod: in.module.decl, schemas: ev.config.opts.Schemas, types: blockTypes(ev.config.opts.Schemas), bad: map[hclsyntax.Expression]bool{}}
	refs := c.refs(expr, where{})
	if why := ev.notEarly(in, refs, map[any]bool{}); why != "" {
		ev.report(errorAt(expr.Range(), "Value needed before anything else",
			"%s is needed before any block is evaluated, and so can only come from variables, local values and functions; but %s.", what, why))
		return cty.DynamicVal, false
	}
	n := &node{key: nodeKey{decl: expr}, in: in}
	for _, e := range ev.edgesTo(nil, in, refs, nil) {
		ev.visit(e.to)
	}
	v := ev.expression(n, expr, refs, cty.NilVal)
	if n.failed {
		return cty.DynamicVal, false
	}
	if !v.IsWhollyKnown() {
		ev.report(errorAt(expr.Range(), "Value needed before anything else",
			"%s is needed before any block is evaluated, but %s not known then.", what, ev.unknowns(in, expr, refs)))
		return cty.DynamicVal, false
	}
	return v, true
}

// notEarly says which reference, followed through variables and locals, needs
// more than variables and locals.
func (ev *evaluator) notEarly(in *instance, refs []ref, seen map[any]bool) string {
	for i := range refs {
		r := &refs[i]
		key := nodeKey{r.target, in.path}
		if seen[key] {
			continue
		}
		seen[key] = true
		why := ""
		switch decl := r.target.(type) {
		case *localDecl:
			why = ev.notEarly(in, decl.refs, seen)
		case *variableDecl:
			if in.parent != nil {
				why = ev.notEarly(in.parent, in.call.inputRefs[decl.name], seen)
			}
		case *blockDecl:
			why = fmt.Sprintf("%s at %s is a block", decl.address(), place(r.rng))
		case *callDecl:
			why = fmt.Sprintf("module.%s at %s is a module", decl.name, place(r.rng))
		}
		if why != "" {
			return why
		}
	}
	return ""
}

// esd evaluates the esd blocks.
func (l *loader) esd(ev *evaluator) {
	for _, block := range ev.root.module.decl.esd {
		l.bodies(block)
		if attr := block.Body.Attributes["required_version"]; attr != nil {
			if v, ok := ev.earlyShown(ev.root, attr.Expr, "required_version"); ok {
				l.requiredVersion(v, attr)
			}
		}
		for _, state := range block.Body.Blocks {
			if state.Type == "state" && len(state.Labels) == 1 {
				l.state(ev, state)
			}
		}
	}
}

// bodies checks the names in an esd block.
func (l *loader) bodies(block *hclsyntax.Block) {
	d := declarer{moduleDecl: l.config.root.decl, schemas: l.config.opts.Schemas}
	d.body(block, &esdSchema)
	l.diags = append(l.diags, d.diags...)
}

func (l *loader) state(ev *evaluator, block *hclsyntax.Block) {
	if before := l.config.State; before != nil {
		l.add(errorAt(block.DefRange(), "Duplicate block", "Where the state is kept is said at %s already, and it is kept in one place only.", place(before.Range)))
		return
	}
	for _, nested := range block.Body.Blocks {
		l.add(errorAt(nested.DefRange(), "Unsupported block", "A state block has only attributes. For an object write %s = { … }, with an equals sign.", nested.Type))
	}
	values := map[string]cty.Value{}
	for _, attr := range sortedAttributes(block.Body) {
		if v, ok := ev.early(ev.root, attr.Expr, "Where the state is kept"); ok {
			values[attr.Name] = v
		}
	}
	l.config.State = &StateBlock{Kind: block.Labels[0], Config: cty.ObjectVal(values), Range: block.DefRange()}
}
