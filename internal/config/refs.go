package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// ref is one reference in an expression to something declared in the module.
type ref struct {
	// target is what is referred to: a *variableDecl, *localDecl, *callDecl or
	// *blockDecl.
	target any
	// output is the output of the module that is read; empty means all.
	output string
	// key is the instance, where it is written as a literal.
	key   string
	keyed bool
	// index is the instance, where it is computed.
	index hclsyntax.Expression
	// attribute is what is read of the instance; empty means the instance.
	attribute string
	// byValue tells that the reference stands in an attribute that takes
	// references: whether it is one of them is told by the value.
	byValue bool
	// direct tells that, besides, the attribute is a plain list of references,
	// so that nothing has to be evaluated to know its value.
	direct bool
	rng    hcl.Range
}

// written is a traversal as it is written in a configuration.
func written(t hcl.Traversal) string {
	var b strings.Builder
	for _, step := range t {
		switch step := step.(type) {
		case hcl.TraverseRoot:
			b.WriteString(step.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + step.Name)
		case hcl.TraverseIndex:
			if step.Key.Type() == cty.String {
				fmt.Fprintf(&b, "[%q]", step.Key.AsString())
			} else if s, err := convert.Convert(step.Key, cty.String); err == nil {
				b.WriteString("[" + s.AsString() + "]")
			}
		case hcl.TraverseSplat:
			b.WriteString("[*]")
		}
	}
	return b.String()
}

// where says what an expression may refer to besides what is declared.
type where struct {
	each      bool
	iterators []string // of the dynamic blocks around
	byValue   bool
}

// refs finds and checks the references and function calls of an expression.
func (c *checker) refs(expr hclsyntax.Expression, w where) []ref {
	switch expr := expr.(type) {
	case nil:
		return nil
	case *hclsyntax.LiteralValueExpr:
		return nil
	case *hclsyntax.TemplateExpr:
		if expr.IsStringLiteral() {
			return nil
		}
	}
	var g gatherer
	hclsyntax.Walk(expr, &g)
	for _, call := range g.calls {
		c.function(expr, call)
	}
	var refs []ref
	for _, t := range g.found {
		r, ok := c.resolve(t, w)
		if !ok {
			c.bad[expr] = true
			continue
		}
		if r.target != nil {
			r.byValue = w.byValue
			refs = append(refs, r)
		}
	}
	if w.byValue {
		markDirect(expr, refs)
	}
	return refs
}

// markDirect marks the references of an expression that is nothing but a
// reference or a list of them, each to a block or an instance.
func markDirect(expr hclsyntax.Expression, refs []ref) {
	elements := []hclsyntax.Expression{expr}
	if tuple, ok := expr.(*hclsyntax.TupleConsExpr); ok {
		elements = tuple.Exprs
	}
	for _, element := range elements {
		if _, ok := element.(*hclsyntax.ScopeTraversalExpr); !ok {
			return
		}
	}
	for i := range refs {
		if _, block := refs[i].target.(*blockDecl); !block || refs[i].attribute != "" {
			return
		}
	}
	if len(refs) != len(elements) {
		return
	}
	for i := range refs {
		refs[i].direct = true
	}
}

// resolve finds what a traversal refers to. A ref without target needs no
// evaluation: each.key, path.module.
func (c *checker) resolve(t traversal, w where) (ref, bool) {
	root := t.RootName()
	r := ref{rng: t.SourceRange()}
	for _, iterator := range w.iterators {
		if root == iterator {
			return r, true
		}
	}
	switch root {
	case "var":
		return c.named(r, t, "variable", func(name string) any { return orNil(c.mod.variables[name]) }, func() []string { return mapKeys(c.mod.variables) })
	case "local":
		return c.named(r, t, "local value", func(name string) any { return orNil(c.mod.locals[name]) }, func() []string { return mapKeys(c.mod.locals) })
	case "module":
		return c.moduleRef(r, t)
	case "each":
		return r, c.pseudo(t, []string{"key", "value"}, w.each, "each.key and each.value exist only in blocks with for_each or matrix.")
	case "path":
		return r, c.pseudo(t, []string{"module", "root"}, true, "")
	case "count", "self", "terraform":
		c.add(errorAt(r.rng, "Unknown reference", "There is no %s in the language of esd.%s", root, insteadOf[root]))
		return r, false
	}
	if kinds, ok := c.types[root]; ok {
		return c.blockRef(r, t, kinds)
	}
	c.unknownRoot(r, t)
	return r, false
}

// orNil keeps a nil pointer from becoming an interface that is not nil.
func orNil[T any](p *T) any {
	if p == nil {
		return nil
	}
	return p
}

// nameOf is the attribute at a place of a traversal.
func nameOf(t hcl.Traversal, i int) (string, bool) {
	if i >= len(t) {
		return "", false
	}
	attr, ok := t[i].(hcl.TraverseAttr)
	return attr.Name, ok
}

func (c *checker) named(r ref, t traversal, what string, find func(string) any, list func() []string) (ref, bool) {
	name, ok := nameOf(t.Traversal, 1)
	if !ok {
		c.add(errorAt(r.rng, "Incomplete reference", "%s alone has no value; name the %s: %s.name.", t.RootName(), what, t.RootName()))
		return r, false
	}
	if r.target = find(name); r.target == nil {
		none, names := "", list()
		if len(names) == 0 {
			none = fmt.Sprintf(" No %s is declared in this module.", what)
		}
		c.add(errorAt(r.rng, "Unknown reference", "There is no %s %q.%s%s", what, name, suggestOr(name, names, "There are"), none))
		return r, false
	}
	return r, true
}

func (c *checker) pseudo(t traversal, names []string, allowed bool, refusal string) bool {
	root := t.RootName()
	if !allowed {
		c.add(errorAt(t.SourceRange(), "Unknown reference", "%s has no value here: %s", root, refusal))
		return false
	}
	name, ok := nameOf(t.Traversal, 1)
	for _, known := range names {
		if ok && name == known {
			return true
		}
	}
	c.add(errorAt(t.SourceRange(), "Unknown reference", "%s has only %s.%s", root, strings.Join(names, " and "), suggest(name, names)))
	return false
}

// blockRef resolves recipe.greet, target.image.lab["zen3"].digest.
func (c *checker) blockRef(r ref, t traversal, kinds []string) (ref, bool) {
	kind, at := t.RootName(), 1
	if kinds[0] != "" || len(kinds) > 1 {
		label, ok := nameOf(t.Traversal, 1)
		if !ok {
			c.add(errorAt(r.rng, "Incomplete reference", "A reference to a %s block names its kind and its name: %s.%s.name.", kind, kind, kinds[0]))
			return r, false
		}
		if c.schemas[kind+"."+label] == nil {
			c.add(errorAt(r.rng, "Unknown reference", "There is no kind %q of %s.%s", label, kind, suggestOr(label, kinds, "There are")))
			return r, false
		}
		kind, at = kind+"."+label, 2
	}
	name, ok := nameOf(t.Traversal, at)
	if !ok {
		c.add(errorAt(r.rng, "Incomplete reference", "A reference to a block names it: %s.name. There is no value for all blocks of a kind.", kind))
		return r, false
	}
	b := c.mod.blocks[blockName{kind, name}]
	if b == nil {
		c.unknownBlock(r, kind, name)
		return r, false
	}
	r.target = b
	return c.instance(r, t, at+1)
}

func (c *checker) unknownBlock(r ref, kind, name string) {
	var names []string
	hint := ""
	for other := range c.mod.blocks {
		if other.kind == kind {
			names = append(names, other.name)
		} else if other.name == name {
			hint = fmt.Sprintf(" There is %s.", other)
		}
	}
	if s := suggest(name, names); s != "" || hint == "" {
		hint = or(s, oneOf("There are", names))
	}
	c.add(errorAt(r.rng, "Unknown reference", "No block %s.%s is declared in this module.%s", kind, name, hint))
}

// instance reads the instance and the attribute of a reference to a block.
func (c *checker) instance(r ref, t traversal, at int) (ref, bool) {
	b := r.target.(*blockDecl)
	rest := t.Traversal[at:]
	if !b.repetition.repeated() {
		if len(rest) > 0 {
			return c.attribute(r, rest)
		}
		return r, true
	}
	if len(rest) == 0 {
		r.index = t.index
		return r, true
	}
	switch step := rest[0].(type) {
	case hcl.TraverseIndex:
		key, err := convert.Convert(step.Key, cty.String)
		if err != nil {
			return r, true
		}
		r.key, r.keyed = key.AsString(), true
		if len(rest) > 1 {
			return c.attribute(r, rest[1:])
		}
	case hcl.TraverseAttr:
		c.add(errorAt(r.rng, "Missing instance key",
			"%s is repeated, so that %q has to be read of one instance: %s[\"key\"].%s, or of all: [for k, v in %s : v.%s].",
			b.address(), step.Name, b.address(), step.Name, b.address(), step.Name))
		return r, false
	}
	return r, true
}

// attribute checks what is read of an instance.
func (c *checker) attribute(r ref, rest hcl.Traversal) (ref, bool) {
	b := r.target.(*blockDecl)
	var name string
	switch step := rest[0].(type) {
	case hcl.TraverseAttr:
		name = step.Name
	case hcl.TraverseIndex:
		if step.Key.Type() != cty.String {
			return r, true
		}
		name = step.Key.AsString()
	default:
		return r, true
	}
	r.attribute = name
	names := append(b.schema.Names(), "address")
	for _, export := range b.schema.Exports {
		names = append(names, export.Name)
	}
	for _, known := range names {
		if known == name {
			return r, true
		}
	}
	if _, index := rest[0].(hcl.TraverseIndex); index && !b.repetition.repeated() {
		c.add(errorAt(r.rng, "Unknown instance", "%s has neither for_each nor matrix, and so no instances: remove [%q].", b.address(), name))
		return r, false
	}
	c.add(errorAt(r.rng, "Unknown attribute", "%s has no attribute %q.%s", b.address(), name, suggestOr(name, names, "There are")))
	return r, false
}

// moduleRef resolves module.stack["k"].out. Whether the output exists is
// checked where the called module is known.
func (c *checker) moduleRef(r ref, t traversal) (ref, bool) {
	r, ok := c.named(r, t, "module", func(name string) any { return orNil(c.mod.calls[name]) }, func() []string { return mapKeys(c.mod.calls) })
	if !ok {
		return r, false
	}
	call := r.target.(*callDecl)
	at := 2
	if call.repetition.repeated() && len(t.Traversal) > at {
		step, isIndex := t.Traversal[at].(hcl.TraverseIndex)
		if !isIndex {
			if name, ok := nameOf(t.Traversal, at); ok {
				c.add(errorAt(r.rng, "Missing instance key", "module.%s is repeated, so that %q has to be read of one instance: module.%s[\"key\"].%s.", call.name, name, call.name, name))
				return r, false
			}
			return r, true
		}
		if key, err := convert.Convert(step.Key, cty.String); err == nil {
			r.key, r.keyed = key.AsString(), true
			at++
		}
	}
	r.output, _ = nameOf(t.Traversal, at)
	return r, true
}

func (c *checker) unknownRoot(r ref, t traversal) {
	root := t.RootName()
	known := []string{"var", "local", "module", "each", "path"}
	for blockType := range c.types {
		known = append(known, blockType)
	}
	if _, isVariable := c.mod.variables[root]; isVariable {
		c.add(errorAt(r.rng, "Unknown reference", "There is nothing named %q to refer to. The variable is written var.%s.", root, root))
		return
	}
	if _, isLocal := c.mod.locals[root]; isLocal {
		c.add(errorAt(r.rng, "Unknown reference", "There is nothing named %q to refer to. The local value is written local.%s.", root, root))
		return
	}
	line := lineAt(c.source(r.rng.Filename), r.rng.Start.Byte)
	if strings.Contains(line, "${"+root) || strings.Contains(line, "%{"+root) {
		c.add(errorAt(r.rng, "Unknown reference", "There is nothing named %q to refer to.%s %s", root, suggest(root, known), literalHint("${")))
		return
	}
	hint := suggest(root, known)
	if hint == "" && len(t.Traversal) == 1 {
		hint = fmt.Sprintf(" If it is meant as text, put it in quotes: %q.", root)
	}
	c.add(errorAt(r.rng, "Unknown reference", "There is nothing named %q to refer to.%s", root, or(hint, oneOf("A reference begins with", known))))
}
