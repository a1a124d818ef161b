package graph

// RemainingLongest returns for each node the weight of the heaviest path that
// begins with it and goes on through its dependents: what is still to do, at
// least, once its dependencies are done. A scheduler that starts nodes with
// the most remaining first keeps the whole run short (highest level first,
// T. C. Hu 1961). Weights count as 0 when they are negative or not a number.
func (d *DAG) RemainingLongest(weight func(node int) float64) []float64 {
	remaining := make([]float64, d.Len())
	for i := len(d.order) - 1; i >= 0; i-- {
		node := d.order[i]
		after := 0.0
		for _, dependent := range d.Dependents(node) {
			after = max(after, remaining[dependent])
		}
		remaining[node] = after
		if w := weight(node); w > 0 {
			remaining[node] += w
		}
	}
	return remaining
}

// CriticalPath returns the heaviest path of the graph, dependencies first, and
// the sum of its weights: no schedule is shorter. The path begins with a node
// without dependencies and ends with one without dependents. Of several, it is
// the one that always goes on with the least id. Weights count as 0 when they
// are negative or not a number.
func (d *DAG) CriticalPath(weight func(node int) float64) (path []int, total float64) {
	remaining := d.RemainingLongest(weight)
	node := none
	for candidate := range d.Len() {
		if len(d.Dependencies(candidate)) == 0 && (node == none || remaining[candidate] > remaining[node]) {
			node = candidate
		}
	}
	if node == none {
		return nil, 0
	}
	total = remaining[node]
	for node != none {
		path = append(path, node)
		next := none
		for _, dependent := range d.Dependents(node) {
			if next == none || remaining[dependent] > remaining[next] {
				next = int(dependent)
			}
		}
		node = next
	}
	return path, total
}
