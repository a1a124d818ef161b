package graph

import (
	"bufio"
	"cmp"
	"io"
	"slices"
)

// Shape is the outline of a node in a drawing.
type Shape int

// The zero value is a plain box.
const (
	Box Shape = iota
	Rounded
	Ellipse
	Cylinder
	Hexagon
)

// Tone is what the colors of a node in a drawing mean. Each tone differs in
// its outline too, for prints and for eyes that do not tell the colors apart.
type Tone int

// The zero value is without meaning.
const (
	Plain   Tone = iota
	Added        // green
	Changed      // amber, thick outline
	Removed      // red, dashed outline
	Muted        // gray, dotted outline
)

// palette has the colors of each tone; the text is always dark.
var palette = [...]struct {
	class, fill, outline string
	width                int
	dash                 string // in Mermaid
	style                string // in DOT
}{
	Plain:   {"plain", "#ffffff", "#57606a", 1, "", "solid"},
	Added:   {"added", "#dafbe1", "#1a7f37", 1, "", "solid"},
	Changed: {"changed", "#fff8c5", "#9a6700", 2, "", "solid"},
	Removed: {"removed", "#ffebe9", "#cf222e", 1, "6 3", "dashed"},
	Muted:   {"muted", "#f6f8fa", "#8c959f", 1, "2 2", "dotted"},
}

const (
	textColor  = "#1f2328"
	groupColor = "#8c959f"
)

// NodeStyle says how a node is drawn. The zero value is a plain box with the
// id of the node.
type NodeStyle struct {
	// Label may be any text, over several lines too. Empty means the id.
	Label string
	// Group is the label of a frame that is drawn around all nodes with the
	// same one. Nodes without group have no frame.
	Group string
	Shape Shape
	Tone  Tone
}

// DrawOptions say how a graph is drawn.
type DrawOptions struct {
	// Title is the name of the drawing. It may be empty.
	Title string
	// Attributes returns the style of a node. It is called once for each node.
	// nil draws all nodes in the zero style.
	Attributes func(node int) NodeStyle
}

// drawing is a graph with styles, in the order in which it is written: that of
// the ids, with frames first, by label.
type drawing struct {
	*bufio.Writer
	d      *DAG
	styles []NodeStyle
	frames [][]int // nodes of each group; the first has the nodes without
}

func newDrawing(w io.Writer, d *DAG, opts DrawOptions) *drawing {
	dr := &drawing{Writer: bufio.NewWriter(w), d: d, styles: make([]NodeStyle, d.Len())}
	nodes := make([]int, d.Len())
	for node := range nodes {
		nodes[node] = node
		if opts.Attributes != nil {
			dr.styles[node] = opts.Attributes(node)
		}
		if dr.styles[node].Label == "" {
			dr.styles[node].Label = d.ID(node)
		}
	}
	slices.SortStableFunc(nodes, func(a, b int) int { return cmp.Compare(dr.styles[a].Group, dr.styles[b].Group) })
	dr.frames = [][]int{nil}
	for i, node := range nodes {
		group := dr.styles[node].Group
		if group != "" && (i == 0 || dr.styles[nodes[i-1]].Group != group) {
			dr.frames = append(dr.frames, nil)
		}
		last := len(dr.frames) - 1
		dr.frames[last] = append(dr.frames[last], node)
	}
	return dr
}

// toneOf returns the tone of a node, Plain for one that does not exist.
func (dr *drawing) toneOf(node int) Tone {
	if t := dr.styles[node].Tone; t > Plain && t <= Muted {
		return t
	}
	return Plain
}
