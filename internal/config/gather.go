package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// gatherer walks an expression for references and function calls.
type gatherer struct {
	found  []traversal
	calls  []*hclsyntax.FunctionCallExpr
	hidden []map[string]struct{} // names of for expressions
	index  map[hclsyntax.Node]hclsyntax.Expression
}

type traversal struct {
	hcl.Traversal
	index hclsyntax.Expression
}

func (g *gatherer) Enter(node hclsyntax.Node) hcl.Diagnostics {
	switch node := node.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		if !g.isHidden(node.Traversal.RootName()) {
			g.found = append(g.found, traversal{node.Traversal, g.index[node]})
		}
	case *hclsyntax.IndexExpr:
		if g.index == nil {
			g.index = map[hclsyntax.Node]hclsyntax.Expression{}
		}
		g.index[node.Collection] = node.Key
	case *hclsyntax.FunctionCallExpr:
		g.calls = append(g.calls, node)
	case hclsyntax.ChildScope:
		g.hidden = append(g.hidden, node.LocalNames)
	}
	return nil
}

func (g *gatherer) Exit(node hclsyntax.Node) hcl.Diagnostics {
	if _, ok := node.(hclsyntax.ChildScope); ok {
		g.hidden = g.hidden[:len(g.hidden)-1]
	}
	return nil
}

func (g *gatherer) isHidden(name string) bool {
	for _, names := range g.hidden {
		if _, ok := names[name]; ok {
			return true
		}
	}
	return false
}
