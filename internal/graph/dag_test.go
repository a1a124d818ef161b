package graph

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBuild(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		nodes []string
		edges []edge
		order []string
	}{
		"an empty graph has an empty order": {
			order: []string{},
		},
		"nodes without edges come by id": {
			nodes: []string{"c", "a", "b"},
			order: []string{"a", "b", "c"},
		},
		"a dependency comes before what needs it, whatever their ids": {
			edges: []edge{{"a", "b"}, {"b", "c"}},
			order: []string{"c", "b", "a"},
		},
		"of the nodes that are ready the least id comes first": {
			nodes: []string{"z"},
			edges: []edge{{"a", "y"}, {"b", "x"}},
			order: []string{"x", "b", "y", "a", "z"},
		},
		"nodes and edges that are added twice count once": {
			nodes: []string{"a", "a"},
			edges: []edge{{"a", "b"}, {"a", "b"}},
			order: []string{"b", "a"},
		},
		"an id may be any string, even an empty one": {
			edges: []edge{{"", "\x00\xff\""}, {"a\nb", ""}},
			order: []string{"\x00\xff\"", "", "a\nb"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := build(t, test.nodes, test.edges)
			if diff := cmp.Diff(test.order, ids(d, d.Order())); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAccessorsAgreeWithEachOther(t *testing.T) {
	t.Parallel()
	d := build(t, []string{"lone"}, []edge{{"app", "lib"}, {"app", "zlib"}, {"lib", "zlib"}, {"app", "lib"}})
	if d.Len() != 4 || d.Edges() != 3 {
		t.Errorf("got %d nodes and %d edges, want 4 and 3", d.Len(), d.Edges())
	}
	if diff := cmp.Diff([]string{"app", "lib", "lone", "zlib"}, d.Nodes()); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	app, zlib := indexes(t, d, "app")[0], indexes(t, d, "zlib")[0]
	if diff := cmp.Diff([]string{"lib", "zlib"}, ids(d, d.Dependencies(app))); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"app", "lib"}, ids(d, d.Dependents(zlib))); diff != "" {
		t.Errorf("dependents (-want +got):\n%s", diff)
	}
	if _, ok := d.Index("missing"); ok {
		t.Error("found a node that does not exist")
	}
}

func TestAppendingToAViewDoesNotChangeTheGraph(t *testing.T) {
	t.Parallel()
	d := build(t, nil, []edge{{"a", "x"}, {"b", "y"}})
	_ = append(d.Dependencies(0), 99)
	if diff := cmp.Diff([]string{"y"}, ids(d, d.Dependencies(1))); diff != "" {
		t.Errorf("dependencies of b (-want +got):\n%s", diff)
	}
}

func TestViewsDoNotAllocate(t *testing.T) {
	d := build(t, nil, []edge{{"a", "b"}, {"b", "c"}})
	allocs := testing.AllocsPerRun(100, func() {
		for node := range d.Len() {
			_, _, _, _ = d.Dependencies(node), d.Dependents(node), d.Order(), d.Nodes()
		}
	})
	if allocs != 0 {
		t.Errorf("got %v allocations, want none", allocs)
	}
}

func TestAnEdgeWithAnUnknownNodeIsRefused(t *testing.T) {
	t.Parallel()
	b := New()
	b.AddNode("a")
	for _, e := range []edge{{"a", "b"}, {"b", "a"}} {
		if err := b.AddEdge(e.from, e.to); !errors.Is(err, ErrUnknownNode) {
			t.Errorf("%v: got %v, want ErrUnknownNode", e, err)
		}
	}
}

func TestABuilderGoesOnAfterBuild(t *testing.T) {
	t.Parallel()
	b := newBuilder(t, nil, []edge{{"b", "c"}})
	first, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	b.AddNode("a")
	if err := b.AddEdge("c", "a"); err != nil {
		t.Fatal(err)
	}
	second, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]edge{{"b", "c"}}, edgesOf(first), cmp.AllowUnexported(edge{})); diff != "" {
		t.Errorf("first graph changed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "c", "b"}, ids(second, second.Order())); diff != "" {
		t.Errorf("order of the second graph (-want +got):\n%s", diff)
	}
}

func TestANodeWithManyEdgesKeepsEachOnce(t *testing.T) {
	t.Parallel()
	var edges []edge
	for i := range 3 * wideDegree {
		edges = append(edges, edge{"hub", fmt.Sprint(i)}, edge{fmt.Sprint(i), "base"})
	}
	d := build(t, nil, append(edges, edges...))
	if want := 6 * wideDegree; d.Edges() != want {
		t.Errorf("got %d edges, want %d", d.Edges(), want)
	}
}

func TestTheOrderOfAdditionDoesNotMatter(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 2))
		nodes, edges := randomGraph(rng, 40)
		first := build(t, nodes, edges)
		shuffle(rng, nodes)
		shuffle(rng, edges)
		if diff := cmp.Diff(first, build(t, nodes, edges), cmp.AllowUnexported(DAG{}, adjacency{})); diff != "" {
			t.Fatalf("seed %d (-first +second):\n%s", seed, diff)
		}
	}
}

func TestOrderIsTheLeastThatRespectsDependencies(t *testing.T) {
	t.Parallel()
	forRandomGraphs(t, func(t *testing.T, _ *rand.Rand, d *DAG) {
		placed := make([]bool, d.Len())
		var want []int
		for range d.Len() {
			isNotPlaced := func(node int32) bool { return !placed[node] }
			next := 0
			for placed[next] || slices.ContainsFunc(d.Dependencies(next), isNotPlaced) {
				next++
			}
			placed[next] = true
			want = append(want, next)
		}
		if diff := cmp.Diff(want, append([]int(nil), d.Order()...)); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
	})
}

func TestClosuresAreWhatCanBeReached(t *testing.T) {
	t.Parallel()
	forRandomGraphs(t, func(t *testing.T, rng *rand.Rand, d *DAG) {
		reach := naiveReach(d)
		roots := []int{rng.IntN(d.Len()), rng.IntN(d.Len())}
		down, up := []int{}, []int{}
		for node := range d.Len() {
			isRoot := slices.Contains(roots, node)
			if isRoot || reach[roots[0]][node] || reach[roots[1]][node] {
				down = append(down, node)
			}
			if isRoot || reach[node][roots[0]] || reach[node][roots[1]] {
				up = append(up, node)
			}
		}
		if diff := cmp.Diff(down, d.Closure(roots...)); diff != "" {
			t.Errorf("closure of %v (-want +got):\n%s", roots, diff)
		}
		if diff := cmp.Diff(up, d.DependentsClosure(roots...)); diff != "" {
			t.Errorf("dependents closure of %v (-want +got):\n%s", roots, diff)
		}
	})
}

func TestASubgraphHasTheKeptNodesAndTheEdgesBetweenThem(t *testing.T) {
	t.Parallel()
	forRandomGraphs(t, func(t *testing.T, rng *rand.Rand, d *DAG) {
		keep := rng.Perm(d.Len())[:rng.IntN(d.Len()+1)]
		kept := map[string]bool{}
		for _, name := range ids(d, keep) {
			kept[name] = true
		}
		want := slices.DeleteFunc(edgesOf(d), func(e edge) bool { return !kept[e.from] || !kept[e.to] })
		sub := d.Subgraph(append(keep, keep...))
		if sub.Len() != len(kept) {
			t.Errorf("got %d nodes, want %d", sub.Len(), len(kept))
		}
		if !slices.Equal(want, edgesOf(sub)) {
			t.Errorf("got edges %v, want %v", edgesOf(sub), want)
		}
	})
}

func TestReduceRemovesExactlyTheRedundantEdges(t *testing.T) {
	t.Parallel()
	forRandomGraphs(t, func(t *testing.T, _ *rand.Rand, d *DAG) {
		reach := naiveReach(d)
		var want []edge
		for from := range d.Len() {
			for _, to := range d.Dependencies(from) {
				redundant := slices.ContainsFunc(d.Dependencies(from), func(via int32) bool { return reach[via][to] })
				if !redundant {
					want = append(want, edge{d.ID(from), d.ID(int(to))})
				}
			}
		}
		reduced := d.Reduce()
		if got := edgesOf(reduced); !slices.Equal(want, got) {
			t.Errorf("got edges %v, want %v", got, want)
		}
		if !slices.Equal(d.Nodes(), reduced.Nodes()) {
			t.Error("nodes changed")
		}
	})
}

func TestReduceWorksAcrossManyMatrices(t *testing.T) {
	t.Parallel()
	// A chain with every shortcut of two and of 1,500 nodes is a chain again.
	const n, far = 4000, 1500
	var edges, chain []edge
	name := func(i int) string { return fmt.Sprintf("%04d", (i*2654435761)%10007) }
	for i := 1; i < n; i++ {
		chain = append(chain, edge{name(i), name(i - 1)})
		if i >= 2 {
			edges = append(edges, edge{name(i), name(i - 2)})
		}
		if i >= far {
			edges = append(edges, edge{name(i), name(i - far)})
		}
	}
	got := build(t, nil, append(edges, chain...)).Reduce()
	want := build(t, nil, chain)
	if !slices.Equal(edgesOf(want), edgesOf(got)) {
		t.Errorf("got %d edges, want the chain of %d", got.Edges(), want.Edges())
	}
}

func TestRemainingLongestIsTheHeaviestPathThroughDependents(t *testing.T) {
	t.Parallel()
	forRandomGraphs(t, func(t *testing.T, rng *rand.Rand, d *DAG) {
		if d.Edges() > 60 {
			return // the naive search takes exponential time
		}
		weights := make([]float64, d.Len())
		for i := range weights {
			weights[i] = float64(rng.IntN(20) - 3) // exact sums; some below zero
		}
		var longest func(node int) float64
		longest = func(node int) float64 {
			after := 0.0
			for _, dependent := range d.Dependents(node) {
				after = max(after, longest(int(dependent)))
			}
			return max(weights[node], 0) + after
		}
		weight := func(node int) float64 { return weights[node] }
		remaining := d.RemainingLongest(weight)
		for node := range d.Len() {
			if want := longest(node); remaining[node] != want {
				t.Errorf("%s: got %v, want %v", d.ID(node), remaining[node], want)
			}
		}
		path, total := d.CriticalPath(weight)
		checkCriticalPath(t, d, path, total, slices.Max(remaining), weights)
	})
}

func checkCriticalPath(t *testing.T, d *DAG, path []int, total, longest float64, weights []float64) {
	t.Helper()
	sum := 0.0
	for i, node := range path {
		sum += max(weights[node], 0)
		if i > 0 && !slices.Contains(d.Dependents(path[i-1]), int32(node)) {
			t.Errorf("%v is no path", ids(d, path))
		}
	}
	if total != longest || sum != total {
		t.Errorf("path %v weighs %v, said to be %v, want %v", ids(d, path), sum, total, longest)
	}
	if len(d.Dependencies(path[0])) != 0 || len(d.Dependents(path[len(path)-1])) != 0 {
		t.Errorf("path %v does not go from end to end", ids(d, path))
	}
}

func TestCriticalPath(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		edges   []edge
		weights map[string]float64
		path    []string
		total   float64
	}{
		"an empty graph has none":             {},
		"of equal paths the least ids win":    {edges: []edge{{"d", "b"}, {"d", "c"}, {"b", "a"}, {"c", "a"}}, path: []string{"a", "b", "d"}},
		"a heavy node beats a longer path":    {edges: []edge{{"c", "b"}, {"b", "a"}, {"c", "x"}}, weights: map[string]float64{"x": 9, "a": 1, "b": 1, "c": 1}, path: []string{"x", "c"}, total: 10},
		"a negative weight counts as nothing": {edges: []edge{{"b", "a"}}, weights: map[string]float64{"a": -5, "b": 2}, path: []string{"a", "b"}, total: 2},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := build(t, nil, test.edges)
			path, total := d.CriticalPath(func(node int) float64 { return test.weights[d.ID(node)] })
			if !slices.Equal(test.path, ids(d, path)) || total != test.total {
				t.Errorf("got %v of %v, want %v of %v", ids(d, path), total, test.path, test.total)
			}
		})
	}
}
