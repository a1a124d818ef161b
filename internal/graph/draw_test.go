package graph

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// nasty is texts that break naive writers.
var nasty = []string{
	`plain`,
	`end`,
	`graph`,
	`say "hi"`,
	`[brackets] {braces} (parens) <angles>`,
	"two\nlines",
	"dos\r\nlines",
	`back\slash`,
	`ends with a backslash\`,
	`\N \G \n`,
	`a & b; c | d`,
	`1. not a list`,
	`- not a list`,
	"`code`",
	`**bold** _it_`,
	`%% comment`,
	`#35; #quot;`,
	`größe 日本 🚀`,
	`--> n1`,
	`<script>alert(1)</script>`,
	"control \x00\x07\x1b[31m",
	"invalid \xff utf-8",
	`-`,
	`https://example.org/a?b=c&d=e`,
	`a:::b`,
	` `,
}

// nastyGraph uses each text as an id, a label and a group.
func nastyGraph(t testing.TB) (*DAG, DrawOptions) {
	b := New()
	b.AddNode("root")
	for _, id := range nasty {
		b.AddNode(id)
		if err := b.AddEdge("root", id); err != nil {
			t.Fatal(err)
		}
	}
	d, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return d, DrawOptions{Title: `"nasty" \ title`, Attributes: func(node int) NodeStyle {
		if d.ID(node) == "root" {
			return NodeStyle{}
		}
		return NodeStyle{
			Label: d.ID(node),
			Group: nasty[node%len(nasty)/2],
			Shape: Shape(node % 6), // one more than there are
			Tone:  Tone(node % 6),
		}
	}}
}

func TestWriteDOT(t *testing.T) {
	t.Parallel()
	d, opts := styledGraph(t)
	want := `digraph "stack" {
  rankdir="LR";
  node [fontname="Helvetica", fontsize="11", fontcolor="#1f2328"];
  edge [color="#57606a", arrowsize="0.7"];
  subgraph "cluster_0" {
    label="libraries"; color="#8c959f"; fontname="Helvetica"; fontsize="11";
    "hdf5" [label="hdf5\n1.14", shape="box", style="filled,rounded,solid", fillcolor="#dafbe1", color="#1a7f37", penwidth="1"];
    "zlib" [label="zlib", shape="box", style="filled,dotted", fillcolor="#f6f8fa", color="#8c959f", penwidth="1"];
  }
  "app" [label="app", shape="box", style="filled,solid", fillcolor="#ffffff", color="#57606a", penwidth="1"];
  "app" -> "hdf5";
  "app" -> "zlib";
  "hdf5" -> "zlib";
}
`
	if diff := cmp.Diff(want, text(t, d.WriteDOT, opts)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWriteMermaid(t *testing.T) {
	t.Parallel()
	d, opts := styledGraph(t)
	want := `---
title: "stack"
---
flowchart LR
  subgraph g0["libraries"]
    n1("hdf5<br/>#49;.14"):::added
    n2["zlib"]:::muted
  end
  n0["app"]
  n0 --> n1
  n0 --> n2
  n1 --> n2
  classDef added fill:#dafbe1,stroke:#1a7f37,stroke-width:1px,color:#1f2328
  classDef muted fill:#f6f8fa,stroke:#8c959f,stroke-width:1px,color:#1f2328,stroke-dasharray:2 2
`
	if diff := cmp.Diff(want, text(t, d.WriteMermaid, opts)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func styledGraph(t *testing.T) (*DAG, DrawOptions) {
	d := build(t, nil, []edge{{"app", "hdf5"}, {"app", "zlib"}, {"hdf5", "zlib"}})
	styles := map[string]NodeStyle{
		"hdf5": {Label: "hdf5\n1.14", Group: "libraries", Shape: Rounded, Tone: Added},
		"zlib": {Group: "libraries", Tone: Muted},
	}
	return d, DrawOptions{Title: "stack", Attributes: func(node int) NodeStyle { return styles[d.ID(node)] }}
}

func text(t testing.TB, write func(io.Writer, DrawOptions) error, opts DrawOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b, opts); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMermaidLabelsKeepTheLanguageOut(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"quotes are entities":                            {`a"b`, `"a#34;b"`},
		"brackets are entities":                          {`[a]`, `"#91;a#93;"`},
		"what looks like an entity is not one":           {`#35;`, `"#35;35#59;"`},
		"lines are breaks":                               {"a\nb", `"a<br/>b"`},
		"letters of all scripts stay":                    {"größe 日本", `"größe 日本"`},
		"a word of the language is a text in quotes":     {"end", `"end"`},
		"a number at the beginning starts no list":       {"1. a", `"#49;. a"`},
		"Markdown is not interpreted":                    {"**a** `b`", `"#42;#42;a#42;#42; #96;b#96;"`},
		"HTML is not interpreted":                        {"<b>", `"#60;b#62;"`},
		"control characters and broken bytes are U+FFFD": {"\x00\xff", `"#65533;#65533;"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := mermaidString(test.text); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestDrawingsAreTheSameBytesWhateverTheOrderOfAddition(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 4))
	nodes, edges := randomGraph(rng, 40)
	opts := func(d *DAG) DrawOptions {
		return DrawOptions{Attributes: func(node int) NodeStyle { return NodeStyle{Group: d.ID(node)[:3]} }}
	}
	first := build(t, nodes, edges)
	shuffle(rng, nodes)
	shuffle(rng, edges)
	second := build(t, nodes, edges)
	if text(t, first.WriteDOT, opts(first)) != text(t, second.WriteDOT, opts(second)) {
		t.Error("DOT differs")
	}
	if text(t, first.WriteMermaid, opts(first)) != text(t, second.WriteMermaid, opts(second)) {
		t.Error("Mermaid differs")
	}
}

func TestAWriteErrorIsReturned(t *testing.T) {
	t.Parallel()
	d, opts := nastyGraph(t)
	if err := d.WriteDOT(brokenWriter{}, opts); !errors.Is(err, errBroken) {
		t.Errorf("DOT: got %v", err)
	}
	if err := d.WriteMermaid(brokenWriter{}, opts); !errors.Is(err, errBroken) {
		t.Errorf("Mermaid: got %v", err)
	}
}

var errBroken = errors.New("broken pipe")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestNodesWhoseIDsLookTheSameHaveDifferentNames(t *testing.T) {
	t.Parallel()
	d := build(t, []string{"x\x00", "x\x01", "x\ufffd", "x\ufffd #0", "x #0", "x\n", "x\xff", `x\n`, ""}, nil)
	dr := newDrawing(io.Discard, d, DrawOptions{})
	names := map[string]bool{}
	for node := range d.Len() {
		names[dr.dotName(node)] = true
	}
	if len(names) != d.Len() {
		t.Errorf("%d names for %d nodes: %v", len(names), d.Len(), names)
	}
}

func FuzzTextsStayInsideTheirQuotes(f *testing.F) {
	for _, text := range nasty {
		f.Add(text)
	}
	dotText := regexp.MustCompile(`^"([^"\\]|\\["\\n])*"$`)
	mermaidText := regexp.MustCompile(`^"([^"#<>\x60*_\[\]{}]|#[0-9]+;|<br/>)*"$`)
	f.Fuzz(func(t *testing.T, text string) {
		for _, quoted := range []string{dotString(text), dotLabel(text)} {
			if !dotText.MatchString(quoted) || strings.ContainsAny(quoted, "\n\r\x00") {
				t.Errorf("DOT: %q becomes %s", text, quoted)
			}
		}
		if quoted := mermaidString(text); !mermaidText.MatchString(quoted) || strings.ContainsAny(quoted, "\n\r\x00") {
			t.Errorf("Mermaid: %q becomes %s", text, quoted)
		}
	})
}

func TestGraphvizShowsEveryLabelAsItIs(t *testing.T) {
	t.Parallel()
	dot, err := exec.LookPath("dot")
	if err != nil {
		t.Skip("dot of Graphviz is not installed")
	}
	d, opts := nastyGraph(t)
	cmd := exec.Command(dot, "-Tsvg")
	cmd.Stdin = strings.NewReader(text(t, d.WriteDOT, opts))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	svg, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("dot: %v\n%s", err, stderr.String())
	}
	shown, edges := readSVG(t, svg)
	if edges != d.Edges() {
		t.Errorf("got %d edges, want %d", edges, d.Edges())
	}
	for _, label := range nasty {
		for line := range strings.Lines(strings.ReplaceAll(label, "\r", "")) {
			line = printable(strings.TrimSuffix(line, "\n"))
			if strings.TrimSpace(line) != "" && !slices.Contains(shown, line) {
				t.Errorf("no text %q in %q", line, shown)
			}
		}
	}
}

// readSVG returns the texts of a drawing by Graphviz and the number of edges.
func readSVG(t *testing.T, svg []byte) (texts []string, edges int) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return texts, edges
		}
		if err != nil {
			t.Fatal(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "g":
			if slices.ContainsFunc(start.Attr, func(a xml.Attr) bool { return a.Value == "edge" }) {
				edges++
			}
		case "text":
			var line string
			if err := dec.DecodeElement(&line, &start); err != nil {
				t.Fatal(err)
			}
			// Graphviz writes no-break spaces, so that spaces are kept.
			texts = append(texts, strings.ReplaceAll(line, "\u00a0", " "))
		}
	}
}
