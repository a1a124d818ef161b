package graph

import (
	"fmt"
	"io"
	"strings"
	"unicode"
)

// MermaidMaxEdges is the number of edges above which Mermaid refuses to draw
// unless the page raises its maxEdges, which GitLab and GitHub do not.
// Mermaid's limit for the length of the text is 50,000 characters.
const MermaidMaxEdges = 500

// WriteMermaid writes the graph as a Mermaid flowchart, an arrow leading from
// each node to what it depends on. The same graph and styles give the same
// bytes. Nodes are named by their numbers, because an id may be anything, even
// a word of the language.
func (d *DAG) WriteMermaid(w io.Writer, opts DrawOptions) error {
	dr := newDrawing(w, d, opts)
	if opts.Title != "" {
		fmt.Fprintf(dr, "---\ntitle: %s\n---\n", yamlString(opts.Title))
	}
	fmt.Fprintf(dr, "flowchart LR\n")
	for i, nodes := range dr.frames[1:] {
		fmt.Fprintf(dr, "  subgraph g%d[%s]\n", i, mermaidString(dr.styles[nodes[0]].Group))
		for _, node := range nodes {
			dr.mermaidNode("    ", node)
		}
		fmt.Fprintf(dr, "  end\n")
	}
	for _, node := range dr.frames[0] {
		dr.mermaidNode("  ", node)
	}
	for node := range d.Len() {
		for _, to := range d.Dependencies(node) {
			fmt.Fprintf(dr, "  n%d --> n%d\n", node, to)
		}
	}
	dr.mermaidClasses()
	return dr.Flush()
}

var mermaidShapes = [...]string{
	Box:      `[%s]`,
	Rounded:  `(%s)`,
	Ellipse:  `([%s])`,
	Cylinder: `[(%s)]`,
	Hexagon:  `{{%s}}`,
}

func (dr *drawing) mermaidNode(indent string, node int) {
	style := dr.styles[node]
	shape := mermaidShapes[Box]
	if style.Shape > Box && style.Shape <= Hexagon {
		shape = mermaidShapes[style.Shape]
	}
	fmt.Fprintf(dr, "%sn%d"+shape, indent, node, mermaidString(style.Label))
	if tone := dr.toneOf(node); tone != Plain {
		fmt.Fprintf(dr, ":::%s", palette[tone].class)
	}
	fmt.Fprintf(dr, "\n")
}

// mermaidClasses defines the tones that are used.
func (dr *drawing) mermaidClasses() {
	var used [len(palette)]bool
	for node := range dr.styles {
		used[dr.toneOf(node)] = true
	}
	for tone, colors := range palette {
		if Tone(tone) == Plain || !used[tone] {
			continue
		}
		fmt.Fprintf(dr, "  classDef %s fill:%s,stroke:%s,stroke-width:%dpx,color:%s", colors.class,
			colors.fill, colors.outline, colors.width, textColor)
		if colors.dash != "" {
			fmt.Fprintf(dr, ",stroke-dasharray:%s", colors.dash)
		}
		fmt.Fprintf(dr, "\n")
	}
}

// mermaidString quotes a text. Mermaid knows no escape sequences but entities,
// by name or number, between # and ;. It reads labels as Markdown and HTML, so
// everything but letters, digits, spaces and some marks that mean nothing to
// either is written as an entity; so is the first character of a line when it
// could begin a list.
func mermaidString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, line := range strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n") {
		if i > 0 {
			b.WriteString("<br/>")
		}
		for j, r := range printable(line) {
			if isPlain(r) && (j > 0 || !unicode.IsDigit(r) && r != '-') {
				b.WriteRune(r)
			} else {
				fmt.Fprintf(&b, "#%d;", r)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}

func isPlain(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" .,:/=@+-", r)
}

// yamlString quotes a text for the head of a Mermaid text, which is YAML.
func yamlString(s string) string {
	s = strings.NewReplacer("\r\n", " ", "\n", " ").Replace(s)
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(printable(s)) + `"`
}
