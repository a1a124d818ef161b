package graph

import (
	"fmt"
	"slices"
	"strings"

	lib "github.com/dominikbraun/graph"
)

// CycleError says that nodes depend on themselves. A cycle is the list of its
// nodes, each depending on the next, where the first one comes again at the
// end: a, b, c, a. The first is the one with the least id.
type CycleError struct {
	// Cycle is a shortest cycle; of several, the one with the least first id.
	Cycle []string
	// Others has one cycle for each further set of nodes that all depend on
	// each other, so that all independent mistakes can be shown at once.
	Others [][]string
}

func newCycleError(cycles [][]string) *CycleError {
	slices.SortFunc(cycles, func(a, b []string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a[0], b[0])
	})
	return &CycleError{Cycle: cycles[0], Others: cycles[1:]}
}

// Error prints every cycle, one node a line.
func (e *CycleError) Error() string {
	var b strings.Builder
	writeCycle(&b, e.Cycle)
	for _, cycle := range e.Others {
		b.WriteByte('\n')
		writeCycle(&b, cycle)
	}
	return b.String()
}

func writeCycle(b *strings.Builder, cycle []string) {
	fmt.Fprintf(b, "dependency cycle:\n  %s", cycle[0])
	for _, id := range cycle[1:] {
		fmt.Fprintf(b, "\n  -> %s", id)
	}
}

// cycles returns one short cycle for each strongly connected component.
func (d *DAG) cycles() ([][]string, error) {
	components, err := lib.StronglyConnectedComponents(d.tangle())
	if err != nil {
		return nil, err
	}
	search := newCycleSearch(d)
	var cycles [][]string
	for _, component := range components {
		for i := range component {
			component[i]-- // see tangle
		}
		slices.Sort(component)
		if only := component[0]; len(component) == 1 && !slices.Contains(d.Dependencies(int(only)), only) {
			continue
		}
		cycles = append(cycles, search.shortest(component))
	}
	return cycles, nil
}

// tangle returns the part of the graph in which all cycles are: what is left
// when nodes without dependencies, and then nodes without dependents, are
// taken off again and again. It is small where the mistake is small, and that
// keeps the library's copies of it small.
//
// Its nodes are numbered from 1, because the library returns wrong components
// when there is a vertex whose hash is the zero value.
func (d *DAG) tangle() lib.Graph[int32, int32] {
	left := make([]bool, d.Len())
	for i := range left {
		left[i] = true
	}
	for _, node := range d.order {
		left[node] = false
	}
	d.dropUnneeded(left)
	g := lib.New(lib.Hash[int32, int32](func(v int32) int32 { return v }), lib.Directed())
	for node := range left {
		if left[node] {
			_ = g.AddVertex(int32(node) + 1) // fails on duplicates only
		}
	}
	for node := range left {
		if !left[node] {
			continue
		}
		for _, to := range d.Dependencies(node) {
			if left[to] {
				_ = g.AddEdge(int32(node)+1, to+1) // fails on duplicates only
			}
		}
	}
	return g
}

// dropUnneeded takes nodes that no node left depends on out of left, again and
// again.
func (d *DAG) dropUnneeded(left []bool) {
	needed := make([]int32, d.Len())
	var unneeded []int32
	for node := range left {
		for _, dependent := range d.Dependents(node) {
			if left[dependent] {
				needed[node]++
			}
		}
		if left[node] && needed[node] == 0 {
			unneeded = append(unneeded, int32(node))
		}
	}
	for len(unneeded) > 0 {
		node := unneeded[len(unneeded)-1]
		unneeded = unneeded[:len(unneeded)-1]
		left[node] = false
		for _, to := range d.Dependencies(int(node)) {
			needed[to]--
			if left[to] && needed[to] == 0 {
				unneeded = append(unneeded, to)
			}
		}
	}
}

// cycleBudget bounds the edges that are followed in one component. A component
// with some thousand nodes is searched in full; in a larger one the cycle
// reported may be longer than the shortest. It counts work and not time, so
// that the result is the same on every machine.
const cycleBudget = 20_000_000

// cycleSearch finds short cycles by breadth-first search.
type cycleSearch struct {
	d      *DAG
	inside []int32 // component a node belongs to, counted from 1
	parent []int32 // node it was reached from
	seen   []int32 // search that reached it, counted from 1
	which  int32   // current component
	search int32   // current search
	queue  []int32
	budget int
}

func newCycleSearch(d *DAG) *cycleSearch {
	return &cycleSearch{
		d:      d,
		inside: make([]int32, d.Len()),
		parent: make([]int32, d.Len()),
		seen:   make([]int32, d.Len()),
	}
}

// shortest returns a shortest cycle of a strongly connected component with
// ascending nodes. Searching from each node in turn and keeping only shorter
// ones makes the first node of the result the least in it.
func (s *cycleSearch) shortest(component []int32) []string {
	s.which++
	for _, node := range component {
		s.inside[node] = s.which
	}
	s.budget = cycleBudget
	var best []int32
	for _, start := range component {
		limit := len(component)
		if best != nil {
			limit = len(best) - 1
		}
		if limit == 0 || s.budget <= 0 && best != nil {
			break
		}
		if found := s.through(start, limit); found != nil {
			best = found
		}
	}
	ids := make([]string, 0, len(best)+1)
	for _, node := range best {
		ids = append(ids, s.d.ID(int(node)))
	}
	return append(ids, ids[0])
}

// through returns a shortest cycle through start with at most limit nodes, or
// nil when there is none.
func (s *cycleSearch) through(start int32, limit int) []int32 {
	s.search++
	s.queue = append(s.queue[:0], start)
	s.seen[start] = s.search
	depth, levelEnd := 1, 1
	for i := 0; i < len(s.queue); i++ {
		if i == levelEnd {
			depth, levelEnd = depth+1, len(s.queue)
		}
		if depth > limit {
			return nil
		}
		node := s.queue[i]
		for _, to := range s.d.Dependencies(int(node)) {
			s.budget--
			if to == start {
				return s.path(start, node)
			}
			if s.inside[to] == s.which && s.seen[to] != s.search {
				s.seen[to], s.parent[to] = s.search, node
				s.queue = append(s.queue, to)
			}
		}
	}
	return nil
}

// path returns the nodes from start to end in the order of dependence.
func (s *cycleSearch) path(start, end int32) []int32 {
	path := []int32{end}
	for end != start {
		end = s.parent[end]
		path = append(path, end)
	}
	slices.Reverse(path)
	return path
}
