package graph

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// edge is an edge by ids: from depends on to.
type edge struct {
	from, to string
}

// build makes a DAG of nodes and edges that must be valid.
func build(t testing.TB, nodes []string, edges []edge) *DAG {
	t.Helper()
	d, err := newBuilder(t, nodes, edges).Build()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newBuilder(t testing.TB, nodes []string, edges []edge) *Builder {
	t.Helper()
	b := New()
	for _, id := range nodes {
		b.AddNode(id)
	}
	for _, e := range edges {
		b.AddNode(e.from)
		b.AddNode(e.to)
		if err := b.AddEdge(e.from, e.to); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// randomGraph returns an acyclic graph with up to maxNodes nodes whose ids say
// nothing about the order, in random order of addition, with some edges twice.
func randomGraph(rng *rand.Rand, maxNodes int) ([]string, []edge) {
	n := 1 + rng.IntN(maxNodes)
	nodes := make([]string, n)
	for i, p := range rng.Perm(n) {
		nodes[i] = fmt.Sprintf("n%03d", p)
	}
	density := rng.Float64() * rng.Float64()
	var edges []edge
	for i := range nodes {
		for j := range i {
			if rng.Float64() < density {
				edges = append(edges, edge{nodes[i], nodes[j]})
			}
		}
	}
	for i := range edges {
		if rng.IntN(10) == 0 {
			edges = append(edges, edges[i])
		}
	}
	shuffle(rng, nodes)
	shuffle(rng, edges)
	return nodes, edges
}

func shuffle[E any](rng *rand.Rand, s []E) {
	rng.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}

// forRandomGraphs runs a check on many small random graphs. A failure names
// the seed that repeats it.
func forRandomGraphs(t *testing.T, check func(t *testing.T, rng *rand.Rand, d *DAG)) {
	t.Helper()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		nodes, edges := randomGraph(rng, 40)
		d := build(t, nodes, edges)
		check(t, rng, d)
		if t.Failed() {
			t.Fatalf("failed with seed %d: nodes %v, edges %v", seed, nodes, edges)
		}
	}
}

// naiveReach is the reachability of all pairs: reach[a][b] says that a depends
// on b, directly or not.
func naiveReach(d *DAG) [][]bool {
	n := d.Len()
	reach := make([][]bool, n)
	for i := range reach {
		reach[i] = make([]bool, n)
		for _, to := range d.Dependencies(i) {
			reach[i][to] = true
		}
	}
	for k := range n {
		for i := range n {
			for j := range n {
				reach[i][j] = reach[i][j] || reach[i][k] && reach[k][j]
			}
		}
	}
	return reach
}

// ids translates nodes for messages and comparisons.
func ids[N int | int32](d *DAG, nodes []N) []string {
	names := make([]string, 0, len(nodes))
	for _, node := range nodes {
		names = append(names, d.ID(int(node)))
	}
	return names
}

// edgesOf lists all edges in ascending order.
func edgesOf(d *DAG) []edge {
	var edges []edge
	for node := range d.Len() {
		for _, to := range d.Dependencies(node) {
			edges = append(edges, edge{d.ID(node), d.ID(int(to))})
		}
	}
	return edges
}

// indexes translates ids that must exist.
func indexes(t *testing.T, d *DAG, names ...string) []int {
	t.Helper()
	var nodes []int
	for _, name := range names {
		node, ok := d.Index(name)
		if !ok {
			t.Fatalf("no node %q", name)
		}
		nodes = append(nodes, node)
	}
	return nodes
}

// layered returns a graph like those of software stacks: n nodes in 25 layers,
// about five edges a node to the three layers below, ids as long as a hash.
func layered(n int) ([]string, []edge) {
	const layers, degree = 25, 5
	rng := rand.New(rand.NewPCG(7, uint64(n)))
	nodes := make([]string, n)
	for i := range nodes {
		nodes[i] = fmt.Sprintf("%016x%016x", rng.Uint64(), rng.Uint64())
	}
	width := max(1, n/layers)
	var edges []edge
	for i := width; i < n; i++ {
		low, high := max(0, (i/width-3)*width), i/width*width
		for range degree {
			edges = append(edges, edge{nodes[i], nodes[low+rng.IntN(high-low)]})
		}
	}
	shuffle(rng, edges)
	return nodes, edges
}
