package graph

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// WriteDOT writes the graph in the DOT language of Graphviz, an arrow leading
// from each node to what it depends on. The names of its nodes are their ids.
// The same graph and styles give the same bytes.
func (d *DAG) WriteDOT(w io.Writer, opts DrawOptions) error {
	dr := newDrawing(w, d, opts)
	fmt.Fprintf(dr, "digraph %s {\n", dotString(opts.Title))
	fmt.Fprintf(dr, "  rankdir=\"LR\";\n")
	fmt.Fprintf(dr, "  node [fontname=\"Helvetica\", fontsize=\"11\", fontcolor=\"%s\"];\n", textColor)
	fmt.Fprintf(dr, "  edge [color=\"%s\", arrowsize=\"0.7\"];\n", palette[Plain].outline)
	for i, nodes := range dr.frames[1:] {
		fmt.Fprintf(dr, "  subgraph \"cluster_%d\" {\n", i)
		fmt.Fprintf(dr, "    label=%s; color=\"%s\"; fontname=\"Helvetica\"; fontsize=\"11\";\n",
			dotLabel(dr.styles[nodes[0]].Group), groupColor)
		for _, node := range nodes {
			dr.dotNode("    ", node)
		}
		fmt.Fprintf(dr, "  }\n")
	}
	for _, node := range dr.frames[0] {
		dr.dotNode("  ", node)
	}
	dr.dotEdges()
	fmt.Fprintf(dr, "}\n")
	return dr.Flush()
}

func (dr *drawing) dotEdges() {
	names := make([]string, dr.d.Len())
	for node := range names {
		names[node] = dr.dotName(node)
	}
	for node, name := range names {
		for _, to := range dr.d.Dependencies(node) {
			fmt.Fprintf(dr, "  %s -> %s;\n", name, names[to])
		}
	}
}

var dotShapes = [...]string{
	Box:      `shape="box", style="filled,%s"`,
	Rounded:  `shape="box", style="filled,rounded,%s"`,
	Ellipse:  `shape="ellipse", style="filled,%s"`,
	Cylinder: `shape="cylinder", style="filled,%s"`,
	Hexagon:  `shape="hexagon", style="filled,%s"`,
}

func (dr *drawing) dotNode(indent string, node int) {
	style := dr.styles[node]
	colors := palette[dr.toneOf(node)]
	shape := dotShapes[Box]
	if style.Shape > Box && style.Shape <= Hexagon {
		shape = dotShapes[style.Shape]
	}
	fmt.Fprintf(dr, "%s%s [label=%s, "+shape+", fillcolor=\"%s\", color=\"%s\", penwidth=\"%d\"];\n", indent,
		dr.dotName(node), dotLabel(style.Label), colors.style, colors.fill, colors.outline, colors.width)
}

// dotName returns a name for a node that no other one has. An id that cannot
// be written as it is gets its number as a suffix; it can then not be the name
// of one that can be written, because those do not contain a replacement.
func (dr *drawing) dotName(node int) string {
	id := dr.d.ID(node)
	if clean := printable(id); clean != id || strings.ContainsRune(id, utf8.RuneError) {
		return dotString(fmt.Sprintf("%s #%d", clean, node))
	}
	return dotString(id)
}

// dotString quotes a string. A backslash is doubled because before a quote it
// would escape that, and in labels it starts an escape sequence.
func dotString(s string) string {
	s = printable(s)
	if strings.ContainsAny(s, `\"`) {
		s = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s)
	}
	return `"` + s + `"`
}

// dotLabel quotes a text that is shown: lines are centered, and what looks
// like an HTML entity is no entity.
func dotLabel(s string) string {
	lines := strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	for i, line := range lines {
		quoted := dotString(strings.ReplaceAll(line, "&", "&amp;"))
		lines[i] = quoted[1 : len(quoted)-1]
	}
	return `"` + strings.Join(lines, `\n`) + `"`
}

// printable replaces what drawings cannot show, control characters and invalid
// UTF-8, by U+FFFD.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}
