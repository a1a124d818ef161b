package graph

import "slices"

// Reduce returns the graph without the edges that follow from others: a -> c
// goes when there is another path from a to c. It has the same nodes under the
// same numbers, and the same closures. It is for drawing.
//
// An edge can be redundant only if it spans more than one level, where the
// level of a node is the number of edges on the longest path below it. So the
// targets of such edges are the columns of a matrix of bits, a row being what
// a node reaches. The matrix is made and used 1,024 columns at a time, for the
// levels in between only.
func (d *DAG) Reduce() *DAG {
	r := newReduction(d)
	for columns := range slices.Chunk(r.columns(), rowBits) {
		r.mark(columns)
	}
	edges := make([]pair, 0, d.Edges())
	for node := range d.Len() {
		first := int(d.dependencies.start[node])
		for i, to := range d.Dependencies(node) {
			if !r.redundant[first+i] {
				edges = append(edges, pair{from: int32(node), to: to})
			}
		}
	}
	return newDAG(d.ids, edges)
}

const rowBits = 1024

// row is the set of columns that a node reaches.
type row [rowBits / 64]uint64

func (r *row) add(column int32) { r[column/64] |= 1 << (column % 64) }

func (r *row) has(column int32) bool { return r[column/64]&(1<<(column%64)) != 0 }

// reduction has its nodes in order of their levels; positions are in that order.
type reduction struct {
	d         *DAG
	level     []int32
	nodes     []int32 // by position
	position  []int32 // by node
	column    []int32 // of a node in the current matrix, or none
	rows      []row   // by position, less the first one of the current matrix
	redundant []bool  // by edge
}

func newReduction(d *DAG) *reduction {
	r := &reduction{
		d:         d,
		level:     make([]int32, d.Len()),
		nodes:     make([]int32, d.Len()),
		position:  make([]int32, d.Len()),
		column:    make([]int32, d.Len()),
		redundant: make([]bool, d.Edges()),
	}
	for i, node := range d.order {
		r.nodes[i] = int32(node)
		for _, to := range d.Dependencies(node) {
			r.level[node] = max(r.level[node], r.level[to]+1)
		}
	}
	slices.SortStableFunc(r.nodes, func(a, b int32) int { return int(r.level[a] - r.level[b]) })
	for position, node := range r.nodes {
		r.position[node] = int32(position)
		r.column[node] = none
	}
	return r
}

// columns returns the targets of edges that may be redundant, lowest first.
func (r *reduction) columns() []int32 {
	var columns []int32
	for _, node := range r.nodes {
		if slices.ContainsFunc(r.d.Dependents(int(node)), func(from int32) bool { return r.long(from, node) }) {
			columns = append(columns, node)
		}
	}
	return columns
}

func (r *reduction) long(from, to int32) bool { return r.level[from] > r.level[to]+1 }

// mark finds the redundant edges to the given nodes.
func (r *reduction) mark(columns []int32) {
	first, last := r.position[columns[0]], int32(0)
	for i, node := range columns {
		r.column[node] = int32(i)
		for _, from := range r.d.Dependents(int(node)) {
			last = max(last, r.position[from])
		}
	}
	r.rows = slices.Grow(r.rows[:0], int(last-first+1))[:last-first+1]
	for position := first; position <= last; position++ {
		r.markNode(r.nodes[position], first)
	}
	for _, node := range columns {
		r.column[node] = none
	}
}

// markNode fills in the row of a node and marks its edges. What it reaches in
// two steps or more is known before its own edges are added.
func (r *reduction) markNode(node, first int32) {
	reach := &r.rows[r.position[node]-first]
	*reach = row{}
	targets := r.d.Dependencies(int(node))
	for _, to := range targets {
		if at := r.position[to] - first; at >= 0 {
			below := &r.rows[at]
			for i := range reach {
				reach[i] |= below[i]
			}
		}
	}
	edge := r.d.dependencies.start[node]
	for i, to := range targets {
		if column := r.column[to]; column != none && reach.has(column) {
			r.redundant[int(edge)+i] = true
		}
	}
	for _, to := range targets {
		if column := r.column[to]; column != none {
			reach.add(column)
		}
	}
}
