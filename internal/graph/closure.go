package graph

// Closure returns the given nodes and all that they depend on, directly or
// not, in ascending order.
func (d *DAG) Closure(roots ...int) []int {
	return closure(d.dependencies, d.Len(), roots)
}

// DependentsClosure returns the given nodes and all that depend on them,
// directly or not, in ascending order.
func (d *DAG) DependentsClosure(roots ...int) []int {
	return closure(d.dependents, d.Len(), roots)
}

func closure(next adjacency, n int, roots []int) []int {
	reached := make([]bool, n)
	var stack []int32
	count := 0
	visit := func(node int32) {
		if !reached[node] {
			reached[node] = true
			count++
			stack = append(stack, node)
		}
	}
	for _, root := range roots {
		visit(int32(root))
	}
	for len(stack) > 0 {
		node := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, to := range next.of(int(node)) {
			visit(to)
		}
	}
	nodes := make([]int, 0, count)
	for node, ok := range reached {
		if ok {
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// Subgraph returns the graph of the given nodes and of the edges between them.
// Nodes may come in any order and more than once. Its nodes are numbered anew;
// ids stay.
func (d *DAG) Subgraph(keep []int) *DAG {
	number := make([]int32, d.Len()) // in the subgraph, counted from 1
	for _, node := range keep {
		number[node] = 1
	}
	var ids []string
	for node, kept := range number {
		if kept != 0 {
			ids = append(ids, d.ids[node])
			number[node] = int32(len(ids))
		}
	}
	var edges []pair
	for node, from := range number {
		if from == 0 {
			continue
		}
		for _, target := range d.Dependencies(node) {
			if to := number[target]; to != 0 {
				edges = append(edges, pair{from: from - 1, to: to - 1})
			}
		}
	}
	return newDAG(ids, edges)
}
