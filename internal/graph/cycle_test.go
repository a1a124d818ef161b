package graph

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	lib "github.com/dominikbraun/graph"
	"github.com/google/go-cmp/cmp"
)

func TestCycles(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		edges string
		want  CycleError
	}{
		"a node that depends on itself": {
			edges: "a>a",
			want:  CycleError{Cycle: []string{"a", "a"}},
		},
		"two nodes that depend on each other": {
			edges: "b>a a>b",
			want:  CycleError{Cycle: []string{"a", "b", "a"}},
		},
		"a cycle starts with its least id and follows dependencies": {
			edges: "c>b b>d d>c",
			want:  CycleError{Cycle: []string{"b", "d", "c", "b"}},
		},
		"what leads to a cycle and what follows it is not part of it": {
			edges: "start>m m>n n>m n>end x>y start>x",
			want:  CycleError{Cycle: []string{"m", "n", "m"}},
		},
		"a node between two cycles is in neither": {
			edges: "a>b b>a b>middle middle>x x>y y>z z>x",
			want:  CycleError{Cycle: []string{"a", "b", "a"}, Others: [][]string{{"x", "y", "z", "x"}}},
		},
		"of cycles that share nodes the shortest is reported": {
			edges: "a>b b>c c>d d>a c>e e>c",
			want:  CycleError{Cycle: []string{"c", "e", "c"}},
		},
		"of equally short cycles the one with the least ids is reported": {
			edges: "b>c c>b b>a a>b",
			want:  CycleError{Cycle: []string{"a", "b", "a"}},
		},
		"a self-dependency inside of a larger cycle is the shortest": {
			edges: "a>b b>c c>a b>b",
			want:  CycleError{Cycle: []string{"b", "b"}},
		},
		"the shortest of all cycles comes first": {
			edges: "a>b b>c c>a y>z z>y",
			want:  CycleError{Cycle: []string{"y", "z", "y"}, Others: [][]string{{"a", "b", "c", "a"}}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var edges []edge
			for field := range strings.FieldsSeq(test.edges) {
				from, to, _ := strings.Cut(field, ">")
				edges = append(edges, edge{from, to})
			}
			rng := rand.New(rand.NewPCG(1, 2))
			for range 20 {
				shuffle(rng, edges)
				_, err := newBuilder(t, nil, edges).Build()
				if diff := cmp.Diff(test.want, *cycleError(t, err), cmp.Transformer("nil", emptyIsNil)); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func emptyIsNil(s [][]string) []string {
	var flat []string
	for _, cycle := range s {
		flat = append(flat, strings.Join(cycle, " "))
	}
	return flat
}

func cycleError(t testing.TB, err error) *CycleError {
	t.Helper()
	var cycle *CycleError
	if !errors.As(err, &cycle) {
		t.Fatalf("got error %v, want a CycleError", err)
	}
	return cycle
}

func TestACycleErrorPrintsEveryCycleOverLines(t *testing.T) {
	t.Parallel()
	err := &CycleError{Cycle: []string{"a", "b", "a"}, Others: [][]string{{"x", "x"}}}
	want := "dependency cycle:\n  a\n  -> b\n  -> a\ndependency cycle:\n  x\n  -> x"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryReportedCycleIsReal(t *testing.T) {
	t.Parallel()
	found := 0
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 3))
		nodes, edges := randomGraph(rng, 30)
		for range 1 + rng.IntN(4) {
			edges = append(edges, edge{nodes[rng.IntN(len(nodes))], nodes[rng.IntN(len(nodes))]})
		}
		_, err := newBuilder(t, nodes, edges).Build()
		if err == nil {
			continue
		}
		found++
		cycle := cycleError(t, err)
		for _, c := range append([][]string{cycle.Cycle}, cycle.Others...) {
			checkCycle(t, c, edges)
		}
		if t.Failed() {
			t.Fatalf("failed with seed %d", seed)
		}
	}
	if found < 50 {
		t.Errorf("only %d graphs had cycles", found)
	}
}

func checkCycle(t *testing.T, cycle []string, edges []edge) {
	t.Helper()
	exists := map[edge]bool{}
	for _, e := range edges {
		exists[e] = true
	}
	seen := map[string]bool{}
	for i, id := range cycle[1:] {
		if !exists[edge{cycle[i], id}] {
			t.Errorf("cycle %v: no edge from %s to %s", cycle, cycle[i], id)
		}
		if seen[id] {
			t.Errorf("cycle %v: %s comes twice", cycle, id)
		}
		if id < cycle[0] {
			t.Errorf("cycle %v does not start with its least id", cycle)
		}
		seen[id] = true
	}
	if cycle[0] != cycle[len(cycle)-1] {
		t.Errorf("cycle %v is not closed", cycle)
	}
}

func TestALongCycleIsReportedWhole(t *testing.T) {
	t.Parallel()
	const n = 20_000
	b := New()
	for i := range n {
		b.AddNode(fmt.Sprintf("%05d", i))
	}
	for i := range n {
		if err := b.AddEdge(fmt.Sprintf("%05d", i), fmt.Sprintf("%05d", (i+1)%n)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := b.Build()
	if got := len(cycleError(t, err).Cycle); got != n+1 {
		t.Errorf("got a cycle of %d entries, want %d", got, n+1)
	}
}

func TestTheStoreKeepsTheContractOfTheLibrary(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(5, 5))
	ours := lib.NewWithStore[int32, vertex](vertexIndex, &arrayStore{}, lib.Directed())
	theirs := lib.New(vertexIndex, lib.Directed())
	for i := range int32(60) {
		v := vertex{index: i, id: fmt.Sprint(i)}
		if a, b := ours.AddVertex(v), theirs.AddVertex(v); a != nil || b != nil {
			t.Fatal(a, b)
		}
		if err := ours.AddVertex(v); !errors.Is(err, lib.ErrVertexAlreadyExists) {
			t.Fatalf("adding %d twice: %v", i, err)
		}
	}
	for range 3000 {
		from, to := int32(rng.IntN(62)), int32(rng.IntN(62))
		a, b := ours.AddEdge(from, to), theirs.AddEdge(from, to)
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("edge %d to %d: %v, the library's store says %v", from, to, a, b)
		}
	}
	compareMaps(t, ours, theirs)
	removals := []error{ours.RemoveVertex(1), ours.RemoveEdge(0, 1), ours.UpdateEdge(0, 1)}
	for _, err := range removals {
		if err == nil {
			t.Error("a store that only adds removed something")
		}
	}
}

func compareMaps(t *testing.T, ours, theirs lib.Graph[int32, vertex]) {
	t.Helper()
	a, err := ours.AdjacencyMap()
	if err != nil {
		t.Fatal(err)
	}
	b, err := theirs.AdjacencyMap()
	if err != nil {
		t.Fatal(err)
	}
	for from := range b {
		for to := range b[from] {
			if _, ok := a[from][to]; !ok {
				t.Errorf("edge %d to %d is missing", from, to)
			}
		}
		if len(a[from]) != len(b[from]) {
			t.Errorf("%d has %d edges, want %d", from, len(a[from]), len(b[from]))
		}
	}
}
