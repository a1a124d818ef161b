package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// cycle reports that the node on top of the stack refers to one below it.
func (ev *evaluator) cycle(stack []frame, to *node) {
	from := 0
	for i := range stack {
		if stack[i].node == to {
			from = i
		}
	}
	known := true
	for _, f := range stack[from:] {
		known = known && f.node.failed
	}
	if known {
		return
	}
	var lines []string
	var first hcl.Range
	for i, f := range stack[from:] {
		next := to
		if from+i+1 < len(stack) {
			next = stack[from+i+1].node
		}
		at := f.edges[f.next-1].at
		if i == 0 {
			first = at
		}
		f.node.failed = true
		lines = append(lines, fmt.Sprintf("  %s refers to %s at %s", f.node.name(), next.name(), place(at)))
	}
	ev.report(errorAt(first, "Reference cycle",
		"These refer to each other in a circle, so that none can be evaluated first:\n\n%s\n\nRemove one of the references.", strings.Join(lines, "\n")))
}

// name is how a node is referred to from the root module.
func (n *node) name() string {
	var name string
	switch decl := n.key.decl.(type) {
	case *variableDecl:
		name = "var." + decl.name
	case *localDecl:
		name = "local." + decl.name
	case *outputDecl:
		name = "output." + decl.name
	case *blockDecl:
		name = decl.address()
	case *callDecl:
		name = "module." + decl.name
		if n.key.output != "" && n.key.output != allOutputs {
			name += "." + n.key.output
		}
	}
	return joinPath(n.in.path, name)
}
