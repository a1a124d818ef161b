package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// functionList lists the names of the functions of the language. They are
// taken from the literals that make them, since the package keeps them to
// itself.
func functionList(root string) (string, error) {
	files, err := filepath.Glob(filepath.Join(root, "internal", "config", "functions*.go"))
	if err != nil {
		return "", err
	}
	names := map[string]bool{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return "", err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			collectNames(n, names)
			return true
		})
	}
	if len(names) == 0 {
		return "", fmt.Errorf("no functions are found in %s", filepath.Join(root, "internal", "config"))
	}
	return paragraph(slices.Sorted(maps.Keys(names))), nil
}

// collectNames finds the keys of literals map[string]function.Function, and of
// assignments all["name"] = ….
func collectNames(n ast.Node, names map[string]bool) {
	switch n := n.(type) {
	case *ast.CompositeLit:
		if !isFunctionMap(n.Type) {
			return
		}
		for _, element := range n.Elts {
			if pair, ok := element.(*ast.KeyValueExpr); ok {
				addLiteral(pair.Key, names)
			}
		}
	case *ast.AssignStmt:
		if index, ok := n.Lhs[0].(*ast.IndexExpr); ok {
			addLiteral(index.Index, names)
		}
	}
}

func isFunctionMap(e ast.Expr) bool {
	m, ok := e.(*ast.MapType)
	if !ok {
		return false
	}
	value, ok := m.Value.(*ast.SelectorExpr)
	return ok && value.Sel.Name == "Function"
}

func addLiteral(e ast.Expr, names map[string]bool) {
	if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.STRING {
		if name, err := strconv.Unquote(literal.Value); err == nil {
			names[name] = true
		}
	}
}

// paragraph sets names as code, in lines of at most 100 columns.
func paragraph(names []string) string {
	var b strings.Builder
	column := 0
	for i, name := range names {
		word := code(name)
		if i < len(names)-1 {
			word += ","
		}
		switch {
		case column > 0 && column+1+len(word) > 100:
			b.WriteByte('\n')
			column = 0
		case column > 0:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String() + "\n"
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func contains(list []string, s string) bool { return slices.Contains(list, s) }
