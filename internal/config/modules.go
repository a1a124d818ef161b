package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
)

// maxModules bounds how many module blocks are followed: modules that each
// call two others multiply quickly.
const maxModules = 10_000

// module is a module as one module block calls it.
type module struct {
	decl   *moduleDecl
	parent *module
	call   *callDecl
	calls  map[string]*module // those that could be loaded
}

// calls loads the modules that an instance calls, and theirs.
func (l *loader) calls(ev *evaluator, in *instance) {
	decl := in.module.decl
	for _, name := range mapKeys(decl.calls) {
		if l.broken {
			return
		}
		call := decl.calls[name]
		dir, ok := l.source(ev, in, call)
		if !ok {
			continue
		}
		child := l.module(in.module, call, dir)
		if child == nil {
			continue
		}
		in.module.calls[name] = child
		n := in.node(call, "")
		ev.visit(n)
		l.inputs(child)
		for _, instance := range n.instances {
			l.calls(ev, instance)
		}
	}
	l.outputs(in.module)
}

// source evaluates where a module lies.
func (l *loader) source(ev *evaluator, in *instance, call *callDecl) (string, bool) {
	if call.source == nil {
		return "", false
	}
	at := call.source.Range()
	v, ok := ev.earlyShown(in, call.source, "The source of a module")
	if !ok {
		return "", false
	}
	if v.IsNull() || v.Type() != cty.String {
		l.add(errorAt(at, "Invalid module source", "The source of a module is a string, the path of its directory: source = \"./modules/stack\"."))
		return "", false
	}
	source := v.AsString()
	if err := schema.CheckPath(v); err != nil {
		l.add(invalidValue(at, &schema.Attribute{Name: "source"}, err))
		return "", false
	}
	if !strings.HasPrefix(source, "./") && !strings.HasPrefix(source, "../") && source != "." && source != ".." {
		hint := "Clone or copy the module, and write its path, beginning with ./ or ../ and relative to this file."
		if !strings.Contains(source, ":") && isDir(filepath.Join(in.module.decl.dir, source)) {
			hint = fmt.Sprintf("Did you mean \"./%s\"?", source)
		}
		l.add(errorAt(at, "Unsupported module source", "This version of esd loads modules from local directories only, and %q is not the path of one. %s", source, hint))
		return "", false
	}
	return filepath.Join(in.module.decl.dir, source), true
}

func (l *loader) add(diag *hcl.Diagnostic) { l.diags = append(l.diags, diag) }

// module loads the module in dir for a call in parent.
func (l *loader) module(parent *module, call *callDecl, dir string) *module {
	at := call.source.Range()
	if l.count++; l.count > maxModules {
		if l.count == maxModules+1 {
			l.add(errorAt(at, "Too many modules", "More than %d module blocks are called, directly or by other modules.", maxModules))
		}
		return nil
	}
	if l.moduleCycle(parent, call, dir) {
		return nil
	}
	decl := l.parsed[dir]
	if decl == nil {
		paths, err := configFiles(dir)
		switch {
		case err != nil:
			l.add(errorAt(at, "Module not found", "The directory %s of the module cannot be read: %s.", dir, reason(err)))
			return nil
		case len(paths) == 0:
			l.add(errorAt(at, "Module not found", "There are no *.hcl files in the directory %s of the module.", dir))
			return nil
		}
		decl = l.declare(dir, paths)
		for _, block := range decl.esd {
			l.add(errorAt(block.DefRange(), "Unexpected block", "A block esd stands in the root module only."))
		}
	}
	return &module{decl: decl, parent: parent, call: call, calls: map[string]*module{}}
}

// moduleCycle reports that a module calls itself, directly or by others.
func (l *loader) moduleCycle(parent *module, call *callDecl, dir string) bool {
	lines := []string{fmt.Sprintf("  module.%s at %s calls %s", call.name, place(call.rng), dir)}
	for m := parent; m != nil; m = m.parent {
		if m.decl.dir == dir {
			l.add(errorAt(call.source.Range(), "Module cycle", "A module cannot call itself, directly or by others:\n\n%s", strings.Join(lines, "\n")))
			return true
		}
		if m.call != nil {
			lines = append([]string{fmt.Sprintf("  module.%s at %s calls %s", m.call.name, place(m.call.rng), m.decl.dir)}, lines...)
		}
	}
	return false
}

// inputs checks the arguments of a module block against the variables of the
// module.
func (l *loader) inputs(child *module) {
	variables := child.decl.variables
	for _, name := range mapKeys(child.call.inputs) {
		if variables[name] == nil {
			attr := child.call.inputs[name]
			l.add(errorAt(attr.NameRange, "Unsupported argument", "The module in %s has no variable %q.%s", child.decl.dir, name, suggestOr(name, mapKeys(variables), "It has")))
			l.config.bad[attr.Expr] = true
		}
	}
	for _, name := range mapKeys(variables) {
		if v := variables[name]; v.def == nil && child.call.inputs[name] == nil {
			l.add(errorAt(child.call.rng, "Missing required argument", "The module in %s needs a value for its variable %q, declared at %s, which has no default.", child.decl.dir, name, place(v.rng)))
		}
	}
}

// outputs checks references to outputs of the modules that a module calls.
func (l *loader) outputs(m *module) {
	check := func(refs []ref) {
		for i := range refs {
			l.output(m, &refs[i])
		}
	}
	for _, local := range m.decl.locals {
		check(local.refs)
	}
	for _, output := range m.decl.outputs {
		check(output.refs)
	}
	for _, block := range m.decl.blocks {
		check(block.refs)
		check(block.repetition.refs)
	}
	for _, call := range m.decl.calls {
		check(call.repetition.refs)
		for _, refs := range call.inputRefs {
			check(refs)
		}
	}
	for _, v := range m.decl.variables {
		check(v.refs)
	}
}

func (l *loader) output(m *module, r *ref) {
	call, ok := r.target.(*callDecl)
	if !ok || r.output == "" {
		return
	}
	child := m.calls[call.name]
	if child == nil || child.decl.outputs[r.output] != nil {
		return
	}
	names := mapKeys(child.decl.outputs)
	hint := suggestOr(r.output, names, "It has")
	if len(names) == 0 {
		hint = " It has no outputs."
	}
	l.add(errorAt(r.rng, "Unknown module output", "The module in %s has no output %q.%s", child.decl.dir, r.output, hint))
}
