package workspace

import (
	"fmt"

	"esd/internal/addr"
	"esd/internal/graph"
	"esd/internal/plan"
	"esd/internal/providers/environment"
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
	// Packages is how many packages of an environment the node stands for, and
	// Ops how many steps of each operation.
	Packages int `json:"packages,omitempty"`
	// Asked is how many of the packages, or of the one that the node is, are asked
	// for by specs.
	Asked int            `json:"asked,omitempty"`
	Ops   map[string]int `json:"ops,omitempty"`
}

// Graph is the graph of the objects of a configuration.
func (r *Resolved) Graph() (Drawing, error) {
	nodes := map[string]DrawnNode{}
	b := graph.New()
	for _, o := range r.Objects {
		id := o.Address.String()
		b.AddNode(id)
		nodes[id] = DrawnNode{ID: id, Address: id, Kind: o.Kind, Title: o.Title, Asked: digit(o.Asked)}
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

// Collapse puts the packages of each environment into one node: the environment
// itself in a graph of objects, one named `ENVIRONMENT/*` in a graph of steps.
// That makes no circles: what an environment brings along depends on nothing but
// packages of those before it.
func (d Drawing) Collapse() (Drawing, error) {
	nodes := map[string]DrawnNode{}
	into := make([]string, len(d.Nodes))
	for i, n := range d.Nodes {
		a, err := addr.Parse(n.Address)
		if err == nil && a.Package != "" {
			into[i] = collapsedID(a, n.Op)
			continue
		}
		into[i], nodes[n.ID] = n.ID, n
	}
	packages := map[string]map[string]bool{}
	for i, n := range d.Nodes {
		if id := into[i]; id != n.ID {
			nodes[id] = nodes[id].with(id, n)
			if packages[id] == nil {
				packages[id] = map[string]bool{}
			}
			packages[id][n.Address] = true
		}
	}
	for id, list := range packages {
		n := nodes[id]
		n.Packages = len(list)
		nodes[id] = n
	}
	b := graph.New()
	for _, id := range into {
		b.AddNode(id)
	}
	for from, id := range into {
		for _, to := range d.DAG.Dependencies(from) {
			if id == into[to] {
				continue
			}
			if err := b.AddEdge(id, into[to]); err != nil {
				return Drawing{}, err
			}
		}
	}
	dag, err := b.Build()
	return drawing(dag, nodes), err
}

func collapsedID(a addr.Address, op string) string {
	if op != "" {
		return a.Whole().String() + "/*"
	}
	return a.Whole().String()
}

// with adds a package, or a step of one, to the node that stands for it.
func (n DrawnNode) with(id string, part DrawnNode) DrawnNode {
	if n.ID == "" {
		a, _ := addr.Parse(part.Address)
		n = DrawnNode{ID: id, Address: a.Whole().String(), Kind: environment.Kind}
	}
	n.Asked += part.Asked
	if part.Op != "" {
		if n.Ops == nil {
			n.Ops = map[string]int{}
		}
		n.Ops[part.Op]++
	}
	return n
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
