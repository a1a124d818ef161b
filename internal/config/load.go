package config

import (
	"context"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Load reads and checks the configuration at opts.Path. It returns all errors
// of all files together; the Config is never nil, so that its files serve for
// snippets.
func Load(opts Options) (*Config, hcl.Diagnostics) {
	c := &Config{Path: opts.Path, opts: opts, files: map[string]*hcl.File{}, bad: map[hclsyntax.Expression]bool{}}
	dir, name, file, diags := locate(opts.Path)
	c.Dir, c.Name = dir, name
	if diags.HasErrors() {
		return c, diags
	}
	l := loader{config: c, parsed: map[string]*moduleDecl{}}
	paths := []string{file}
	if file == "" {
		var err error
		if paths, err = configFiles(dir); err != nil {
			return c, errorf("Configuration not found", "The directory %s cannot be read: %s.", dir, reason(err))
		}
		if len(paths) == 0 {
			return c, errorf("Configuration not found", "There are no *.hcl files in %s. Name the directory or the file of a configuration, or run esd init to begin one.", dir)
		}
	}
	c.root = &module{decl: l.declare(dir, paths), calls: map[string]*module{}}
	l.load()
	if l.diags.HasErrors() && !l.broken {
		l.diags = append(l.diags, l.further()...)
	}
	sortDiagnostics(l.diags)
	return c, l.diags
}

// source is the text of a file.
func (c *Config) source(filename string) []byte {
	if f := c.files[filename]; f != nil {
		return f.Bytes
	}
	return nil
}

// loader loads the modules of a configuration.
type loader struct {
	config *Config
	parsed map[string]*moduleDecl // by directory
	diags  hcl.Diagnostics
	count  int
	// broken tells of syntax errors. What they hide would be reported as
	// missing by all further checks.
	broken bool
}

// load sets the variables of the root module, then follows its module blocks.
func (l *loader) load() {
	c := l.config
	if l.broken {
		return
	}
	l.variables()
	ev := newEvaluator(c, context.Background(), c.root)
	ev.static = true
	for _, name := range mapKeys(c.root.decl.variables) {
		ev.visit(ev.root.node(c.root.decl.variables[name], ""))
	}
	l.esd(ev)
	l.calls(ev, ev.root)
	l.diags = append(l.diags, ev.diags...)
}

// declare parses and checks the files of one directory.
func (l *loader) declare(dir string, paths []string) *moduleDecl {
	files := parseFiles(paths)
	for _, file := range files {
		l.diags = append(l.diags, file.diags...)
		l.broken = l.broken || file.diags.HasErrors()
		if file.file != nil {
			l.config.files[file.name] = file.file
		}
	}
	decl, diags := declare(dir, files, l.config.opts.Schemas)
	l.diags = append(l.diags, diags...)
	decl.base = l.base(dir)
	l.parsed[dir] = decl
	if l.broken {
		return decl
	}
	check := checker{mod: decl, schemas: l.config.opts.Schemas, types: blockTypes(l.config.opts.Schemas), files: l.config.files, bad: l.config.bad}
	check.module()
	l.diags = append(l.diags, check.diags...)
	return decl
}

// base is what every expression of a module may use: functions, and path. Both
// directories are relative to the module, as all paths in it are, so that
// their values do not depend on where the configuration lies.
func (l *loader) base(dir string) *hcl.EvalContext {
	root, err := filepath.Rel(dir, l.config.Dir)
	if err != nil {
		root = l.config.Dir
	}
	return &hcl.EvalContext{
		Functions: functions(functionOptions{dir: dir, environ: l.config.opts.Environ, environAll: l.config.opts.EnvironAll}),
		Variables: map[string]cty.Value{"path": cty.ObjectVal(map[string]cty.Value{
			"module": cty.StringVal("."),
			"root":   cty.StringVal(filepath.ToSlash(root)),
		})},
	}
}

// further evaluates a configuration that has errors already, to report at once
// also those that only values show.
func (l *loader) further() hcl.Diagnostics {
	_, diags := l.config.Evaluate(context.Background(), standIn)
	seen := map[diagKey]bool{}
	for _, diag := range l.diags {
		seen[keyOfDiag(diag)] = true
	}
	var fresh hcl.Diagnostics
	for _, diag := range diags {
		if !seen[keyOfDiag(diag)] {
			fresh = append(fresh, diag)
		}
	}
	return fresh
}

// standIn resolves an object to what can be said about it without a provider.
func standIn(o *Object) (cty.Value, hcl.Diagnostics) {
	values := map[string]cty.Value{}
	for name, v := range o.Config.AsValueMap() {
		values[name] = v
	}
	for _, export := range o.Schema.Exports {
		values[export.Name] = cty.UnknownVal(export.Type)
	}
	values["address"] = cty.StringVal(o.Address.String())
	return cty.ObjectVal(values), nil
}
