package graph

import (
	"slices"
	"strings"
)

// DAG is an immutable directed acyclic graph. Its nodes are the numbers 0 to
// Len()-1 in ascending order of their ids. Methods that take a node panic when
// there is no such number. Slices that methods return may be parts of the DAG
// and must not be changed.
type DAG struct {
	ids          []string // ascending
	dependencies adjacency
	dependents   adjacency
	order        []int // dependencies first
}

// Len returns the number of nodes.
func (d *DAG) Len() int { return len(d.ids) }

// Edges returns the number of edges.
func (d *DAG) Edges() int { return len(d.dependencies.targets) }

// Nodes returns the ids of all nodes in ascending order, which is the order of
// their numbers.
func (d *DAG) Nodes() []string { return d.ids }

// Index returns the number of the node with the given id, and whether there is
// one. It is a binary search.
func (d *DAG) Index(id string) (int, bool) { return slices.BinarySearch(d.ids, id) }

// ID returns the id of a node.
func (d *DAG) ID(node int) string { return d.ids[node] }

// Dependencies returns the nodes that a node depends on directly, in ascending
// order. It does not allocate.
func (d *DAG) Dependencies(node int) []int32 { return d.dependencies.of(node) }

// Dependents returns the nodes that depend on a node directly, in ascending
// order. It does not allocate.
func (d *DAG) Dependents(node int) []int32 { return d.dependents.of(node) }

// Order returns all nodes, each after all its dependencies. Among the nodes
// that could come next it is always the one with the least id, so the same
// nodes and edges have the same order.
func (d *DAG) Order() []int { return d.order }

// adjacency is a compressed sparse row: the neighbours of node i are
// targets[start[i]:start[i+1]].
type adjacency struct {
	start   []int32
	targets []int32
}

func (a adjacency) of(node int) []int32 {
	from, to := a.start[node], a.start[node+1]
	return a.targets[from:to:to]
}

// pair is an edge between numbered nodes: from depends on to.
type pair struct {
	from, to int32
}

// freeze numbers the nodes of a store by their ids and copies its edges. The
// order of the result is shorter than the list of nodes when there is a cycle.
func freeze(s *arrayStore) *DAG {
	sorted := slices.Clone(s.vertices)
	slices.SortFunc(sorted, func(a, b vertex) int { return strings.Compare(a.id, b.id) })
	ids := make([]string, len(sorted))
	number := make([]int32, len(sorted)) // by order of addition
	for i, v := range sorted {
		ids[i] = v.id
		number[v.index] = int32(i)
	}
	edges := make([]pair, len(s.links))
	for i, e := range s.links {
		edges[i] = pair{from: number[e.from], to: number[e.to]}
	}
	return newDAG(ids, edges)
}

// newDAG makes a DAG of ascending ids and of edges in any order, each once.
func newDAG(ids []string, edges []pair) *DAG {
	d := &DAG{ids: ids}
	unsorted := adjacency{start: make([]int32, len(ids)+1), targets: make([]int32, len(edges))}
	for _, e := range edges {
		unsorted.start[e.to+1]++
	}
	place := unsorted.accumulate()
	for _, e := range edges {
		unsorted.targets[place[e.to]] = e.from
		place[e.to]++
	}
	// Turning rows to columns visits the rows in ascending order, so doing it
	// twice sorts all lists in linear time.
	d.dependencies = unsorted.transpose()
	d.dependents = d.dependencies.transpose()
	d.order = d.sort()
	return d
}

// accumulate turns counts, one place after their node, to starts. It returns
// a copy of the starts for the caller to fill in the targets.
func (a adjacency) accumulate() []int32 {
	for i := 1; i < len(a.start); i++ {
		a.start[i] += a.start[i-1]
	}
	return slices.Clone(a.start)
}

// transpose returns the same edges by the other end, in ascending order.
func (a adjacency) transpose() adjacency {
	t := adjacency{start: make([]int32, len(a.start)), targets: make([]int32, len(a.targets))}
	for _, target := range a.targets {
		t.start[target+1]++
	}
	place := t.accumulate()
	for node := range len(a.start) - 1 {
		for _, target := range a.of(node) {
			t.targets[place[target]] = int32(node)
			place[target]++
		}
	}
	return t
}
