package graph

// sort orders the nodes as [DAG.Order] documents. This is Kahn's algorithm
// (1962) with a heap of the nodes whose dependencies are all placed. Nodes in
// a cycle and those that depend on one are missing from the result.
func (d *DAG) sort() []int {
	order := make([]int, 0, d.Len())
	waiting := make([]int32, d.Len())
	var ready minHeap
	for node := range waiting {
		waiting[node] = int32(len(d.Dependencies(node)))
		if waiting[node] == 0 {
			ready.push(int32(node))
		}
	}
	for len(ready) > 0 {
		node := int(ready.pop())
		order = append(order, node)
		for _, dependent := range d.Dependents(node) {
			waiting[dependent]--
			if waiting[dependent] == 0 {
				ready.push(dependent)
			}
		}
	}
	return order
}

// minHeap is a binary heap with the least number on top. It is not
// container/heap because that boxes every element.
type minHeap []int32

func (h *minHeap) push(x int32) {
	*h = append(*h, x)
	a := *h
	i := len(a) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if a[parent] <= x {
			break
		}
		a[i] = a[parent]
		i = parent
	}
	a[i] = x
}

// pop removes the least number. The heap must not be empty.
func (h *minHeap) pop() int32 {
	a := *h
	top, x := a[0], a[len(a)-1]
	a = a[:len(a)-1]
	*h = a
	if len(a) == 0 {
		return top
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(a) {
			break
		}
		if child+1 < len(a) && a[child+1] < a[child] {
			child++
		}
		if a[child] >= x {
			break
		}
		a[i] = a[child]
		i = child
	}
	a[i] = x
	return top
}
