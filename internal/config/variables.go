package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// environmentPrefix precedes the name of a variable in the environment.
const environmentPrefix = "ESD_VAR_"

// input is a value given to a variable of the root module.
type input struct {
	value  cty.Value
	at     hcl.Range
	failed bool // not readable, which is reported
}

// variables sets the variables of the root module. Later sources override
// earlier ones: the environment, NAME.esdvars, *.auto.esdvars in the order of
// their names, the files named on the command line, the values named there.
func (l *loader) variables() {
	c := l.config
	c.inputs = map[string]input{}
	for _, name := range mapKeys(c.root.decl.variables) {
		if c.opts.Environ == nil {
			break
		}
		if text, ok := c.opts.Environ(environmentPrefix + name); ok {
			l.text(name, text, "environment variable "+environmentPrefix+name)
		}
	}
	l.automaticFiles()
	for _, path := range c.opts.VarFiles {
		l.variableFile(path, true)
	}
	for i, assignment := range c.opts.Vars {
		l.assignment(i, assignment)
	}
	l.missing()
}

func (l *loader) automaticFiles() {
	c := l.config
	own := filepath.Join(c.Dir, c.Name+".esdvars")
	if _, err := os.Lstat(own); err == nil {
		l.variableFile(own, true)
	}
	entries, err := os.ReadDir(c.Dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if name := entry.Name(); strings.HasSuffix(name, ".auto.esdvars") && !strings.HasPrefix(name, ".") {
			// Beside a configuration of one file there may be others, which
			// such a file serves as well.
			l.variableFile(filepath.Join(c.Dir, name), c.Name == "esd")
		}
	}
}

// variableFile takes values from a file. strict warns of those that no
// variable is declared for.
func (l *loader) variableFile(path string, strict bool) {
	c := l.config
	file := parseFile(path)
	l.diags = append(l.diags, file.diags...)
	if file.file != nil {
		c.files[path] = file.file
	}
	for _, block := range file.body.Blocks {
		l.add(errorAt(block.DefRange(), "Unexpected block", "A file of variables has only lines NAME = VALUE. Blocks stand in *.hcl files."))
	}
	for _, attr := range sortedAttributes(file.body) {
		if c.root.decl.variables[attr.Name] == nil {
			if strict {
				l.diags = append(l.diags, &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "Value for undeclared variable", Subject: &attr.NameRange,
					Detail: fmt.Sprintf("No variable %q is declared in the root module, so that this value is not used.%s", attr.Name, suggest(attr.Name, mapKeys(c.root.decl.variables)))})
			}
			continue
		}
		v, diags := attr.Expr.Value(nil)
		l.diags = append(l.diags, explainConstant(diags)...)
		c.inputs[attr.Name] = input{v, attr.Expr.Range(), diags.HasErrors()}
	}
}

// explainConstant adds why references and functions do not work in a value.
func explainConstant(diags hcl.Diagnostics) hcl.Diagnostics {
	for _, diag := range diags {
		if diag.Summary == "Variables not allowed" || diag.Summary == "Function calls not allowed" {
			diag.Detail = "The values of variables are literal: they can neither refer to anything nor call functions. A string stands in quotes."
		}
	}
	return diags
}

// assignment takes the value of one --var NAME=VALUE.
func (l *loader) assignment(i int, assignment string) {
	name, text, ok := strings.Cut(assignment, "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" {
		l.diags = append(l.diags, errorf("Invalid --var", "--var %q is not NAME=VALUE.", assignment)...)
		return
	}
	if l.config.root.decl.variables[name] == nil {
		names := mapKeys(l.config.root.decl.variables)
		l.diags = append(l.diags, errorf("Unknown variable", "--var sets %q, but the root module declares no variable of that name.%s", name, suggestOr(name, names, "It declares"))...)
		return
	}
	l.text(name, text, fmt.Sprintf("--var %d (%s)", i+1, name))
}

// text takes a value from the command line or the environment: as it stands
// for variables that are strings, else as an expression.
func (l *loader) text(name, text, origin string) {
	decl := l.config.root.decl.variables[name]
	src := []byte(text)
	at := hcl.Range{Filename: "<" + origin + ">", Start: hcl.InitialPos, End: hcl.Pos{Line: 1, Column: 1 + len(text), Byte: len(text)}}
	l.config.files[at.Filename] = &hcl.File{Bytes: src}
	if decl.sensitive { // its text must not be shown as the source of an error
		at.End = at.Start
		l.config.files[at.Filename] = &hcl.File{Bytes: []byte("(sensitive value)")}
	}
	if decl.typ == cty.String || decl.typ == cty.DynamicPseudoType && decl.plainText() {
		l.config.inputs[name] = input{value: cty.StringVal(text), at: at}
		return
	}
	expr, diags := parseExpression(src, at.Filename)
	var v cty.Value
	if !diags.HasErrors() {
		v, diags = expr.Value(nil)
		diags = explainConstant(diags)
	}
	if decl.sensitive && diags.HasErrors() {
		diags = hcl.Diagnostics{errorAt(at, "Invalid value for variable", "What is wrong is not shown, because var.%s is sensitive.", name)}
	}
	for _, diag := range diags {
		diag.Detail += fmt.Sprintf(" var.%s is not a string, so that its value is read as an expression; mind the quotes of the shell.", name)
	}
	l.diags = append(l.diags, diags...)
	l.config.inputs[name] = input{v, at, diags.HasErrors()}
}

// plainText tells that a variable without a type is given as plain text.
func (v *variableDecl) plainText() bool { return v.defaults == nil }

// missing reports variables of the root module that nothing sets.
func (l *loader) missing() {
	c := l.config
	for _, name := range mapKeys(c.root.decl.variables) {
		decl := c.root.decl.variables[name]
		if _, set := c.inputs[name]; set || decl.def != nil {
			continue
		}
		var near string
		for _, entry := range c.opts.EnvironAll {
			other, _, _ := strings.Cut(entry, "=")
			if suffix, ok := strings.CutPrefix(other, environmentPrefix); ok && strings.EqualFold(suffix, name) {
				near = fmt.Sprintf(" (The environment has %s; upper and lower case differ.)", other)
			}
		}
		l.add(errorAt(decl.rng, "Missing value for variable",
			"var.%s has no default, and nothing sets it. Set it by --var %s=VALUE, by a line %s = VALUE in %s.esdvars, or by the environment variable %s%s.%s",
			name, name, name, c.Name, environmentPrefix, name, near))
	}
}

// parseExpression parses one expression after a look at how deep it is.
func parseExpression(src []byte, filename string) (hclsyntax.Expression, hcl.Diagnostics) {
	if len(src) > maxParse {
		return nil, errorf("Expression too large", "An expression may have at most %d MiB.", maxParse>>20)
	}
	tokens, _ := hclsyntax.LexExpression(src, filename, hcl.InitialPos)
	if diags := checkNesting(tokens); diags.HasErrors() {
		return nil, diags
	}
	expr, diags := hclsyntax.ParseExpression(src, filename, hcl.InitialPos)
	return expr, hintTemplates(diags, src)
}
