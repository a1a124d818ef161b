package view

import (
	"io"

	"esd/internal/graph"
)

// GraphJSON writes a graph as one JSON document: its nodes as the caller
// describes them, which includes an id, and its edges, each from a node to one
// that it depends on.
func GraphJSON(w io.Writer, d *graph.DAG, node func(n int) any) error {
	type edge struct {
		From string `json:"from"`
		To   string `json:"to"`
	}
	var edges []edge
	for n := range d.Len() {
		for _, dep := range d.Dependencies(n) {
			edges = append(edges, edge{d.ID(n), d.ID(int(dep))})
		}
	}
	doc := newDocument(w)
	doc.member("format_version", FormatVersion)
	doc.list("nodes", d.Len(), node)
	doc.list("edges", len(edges), func(i int) any { return edges[i] })
	return doc.close()
}
