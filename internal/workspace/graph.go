package workspace

import (
	"fmt"

	"esd/internal/addr"
	"esd/internal/graph"
	"esd/internal/plan"
)

// Drawing is a graph and what its nodes are.
type Drawing struct {
	DAG   *graph.DAG
	Nodes []DrawnNode // by node of the graph
}

// DrawnNode is an object of a configuration, or a step of a plan.
type DrawnNode struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	Kind    string `json:"kind"`
	Title   string `json:"title,omitempty"`
	// Op is the operation of a step.
	Op string `json:"op,omitempty"`
}

// Graph is the graph of the objects of a configuration.
func (r *Resolved) Graph() (Drawing, error) {
	nodes := map[string]DrawnNode{}
	b := graph.New()
	for _, o := range r.Objects {
		id := o.Address.String()
		b.AddNode(id)
		nodes[id] = DrawnNode{ID: id, Address: id, Kind: o.Kind, Title: o.Title}
	}
	for _, o := range r.Objects {
		for _, dep := range o.Dependencies {
			if err := b.AddEdge(o.Address.String(), dep.String()); err != nil {
				return Drawing{}, err
			}
		}
	}
	dag, err := b.Build()
	return drawing(dag, nodes), err
}

// StepGraph is the graph of the steps of a plan.
func StepGraph(p *plan.Plan) (Drawing, error) {
	nodes := map[string]DrawnNode{}
	for _, s := range p.Steps {
		nodes[s.ID] = DrawnNode{ID: s.ID, Address: s.Address, Kind: s.Kind, Title: s.Title, Op: s.Op}
	}
	dag, err := p.Graph()
	return drawing(dag, nodes), err
}

func drawing(dag *graph.DAG, nodes map[string]DrawnNode) Drawing {
	d := Drawing{DAG: dag}
	if dag != nil {
		for _, id := range dag.Nodes() {
			d.Nodes = append(d.Nodes, nodes[id])
		}
	}
	return d
}

// Reduce leaves out edges that follow from others.
func (d Drawing) Reduce() Drawing { return Drawing{d.DAG.Reduce(), d.Nodes} }

// Focus keeps what a target names, and what is at most depth edges away from
// it in either direction; with depth 0 all that it needs and that needs it.
func (d Drawing) Focus(target addr.Target, depth int) (Drawing, error) {
	var roots []int
	var known []string
	for i, n := range d.Nodes {
		known = append(known, n.Address)
		if a, err := addr.Parse(n.Address); err == nil && target.Matches(a) {
			roots = append(roots, i)
		}
	}
	if len(roots) == 0 {
		hint := ""
		if s := plan.Suggest(target.String(), known); s != "" {
			hint = "; did you mean " + s + "?"
		}
		return Drawing{}, fmt.Errorf("%s is not in this graph%s", target, hint)
	}
	keep := append(d.reach(roots, depth, d.DAG.Dependencies), d.reach(roots, depth, d.DAG.Dependents)...)
	nodes := map[string]DrawnNode{}
	for _, n := range d.Nodes {
		nodes[n.ID] = n
	}
	return drawing(d.DAG.Subgraph(keep), nodes), nil
}

// reach lists the nodes that are at most depth edges away; 0 for no limit.
func (d Drawing) reach(roots []int, depth int, next func(int) []int32) []int {
	seen := make([]bool, d.DAG.Len())
	var out []int
	for level := 0; len(roots) > 0; level++ {
		var further []int
		for _, n := range roots {
			if seen[n] {
				continue
			}
			seen[n] = true
			out = append(out, n)
			for _, m := range next(n) {
				further = append(further, int(m))
			}
		}
		if depth > 0 && level == depth {
			break
		}
		roots = further
	}
	return out
}
