package graph

import (
	"errors"
	"fmt"

	lib "github.com/dominikbraun/graph"
)

// ErrUnknownNode is returned for an edge from or to a node that was not added.
var ErrUnknownNode = errors.New("unknown node")

// Builder collects the nodes and edges of a graph. It is not safe for
// concurrent use. The zero value is not usable, call [New].
type Builder struct {
	model lib.Graph[int32, vertex]
	store *arrayStore
	index map[string]int32 // id to number in order of addition
	err   error            // of AddNode, reported by Build
}

// New returns a builder without nodes.
func New() *Builder {
	store := &arrayStore{}
	return &Builder{
		model: lib.NewWithStore[int32, vertex](vertexIndex, store, lib.Directed()),
		store: store,
		index: make(map[string]int32),
	}
}

// AddNode adds a node. Adding one that is there already changes nothing.
func (b *Builder) AddNode(id string) {
	if _, ok := b.index[id]; ok {
		return
	}
	v := vertex{index: int32(len(b.index)), id: id}
	if err := b.model.AddVertex(v); err != nil {
		b.err = errors.Join(b.err, fmt.Errorf("add node %q: %w", id, err))
		return
	}
	b.index[id] = v.index
}

// AddEdge says that node from depends on node to. Adding an edge that is there
// already changes nothing. Both nodes must have been added before, otherwise
// the error is an [ErrUnknownNode]. Cycles are reported by Build.
func (b *Builder) AddEdge(from, to string) error {
	f, ok := b.index[from]
	if !ok {
		return fmt.Errorf("%q depends on %q: %w %q, add it first", from, to, ErrUnknownNode, from)
	}
	t, ok := b.index[to]
	if !ok {
		return fmt.Errorf("%q depends on %q: %w %q, add it first", from, to, ErrUnknownNode, to)
	}
	err := b.model.AddEdge(f, t)
	if err != nil && !errors.Is(err, lib.ErrEdgeAlreadyExists) {
		return fmt.Errorf("%q depends on %q: %w", from, to, err)
	}
	return nil
}

// Build freezes what was added so far to a DAG. When it has cycles, the error
// is a [*CycleError]. The builder can be used further, DAGs that it built do
// not change.
func (b *Builder) Build() (*DAG, error) {
	if b.err != nil {
		return nil, b.err
	}
	d := freeze(b.store)
	if len(d.order) == d.Len() {
		return d, nil
	}
	cycles, err := d.cycles()
	if err != nil {
		return nil, fmt.Errorf("find cycles: %w", err)
	}
	return nil, newCycleError(cycles)
}
