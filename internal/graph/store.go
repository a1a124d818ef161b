package graph

import (
	"errors"

	lib "github.com/dominikbraun/graph"
)

// vertex is what the library keeps for a node: its number in order of
// addition, which is also its hash, and its id.
type vertex struct {
	index int32
	id    string
}

func vertexIndex(v vertex) int32 { return v.index }

// link is an edge in the list of all edges. next is the position of the edge
// of the same source that was added before it, or none.
type link struct {
	from, to, next int32
}

const none = -1

// wideDegree is the number of edges of one source from which on they are
// looked up in a set; below, following the list is faster and needs no memory.
const wideDegree = 32

// arrayStore is the library's Store on two arrays. Vertices have to be added
// in the order of their numbers. Vertices and edges are only added, and their
// weights, attributes and data are not kept: this package uses none of them.
type arrayStore struct {
	vertices []vertex
	newest   []int32 // newest edge of each vertex, or none
	degree   []int32
	links    []link
	wide     map[[2]int32]struct{} // edges of the sources with many
}

var _ lib.Store[int32, vertex] = (*arrayStore)(nil)

// errAppendOnly is returned for all changes other than additions.
var errAppendOnly = errors.New("graph: the store only adds vertices and edges")

func (s *arrayStore) AddVertex(k int32, v vertex, _ lib.VertexProperties) error {
	switch n := int32(len(s.vertices)); {
	case k < n:
		return lib.ErrVertexAlreadyExists
	case k > n:
		return errAppendOnly
	}
	s.vertices = append(s.vertices, v)
	s.newest = append(s.newest, none)
	s.degree = append(s.degree, 0)
	return nil
}

func (s *arrayStore) Vertex(k int32) (vertex, lib.VertexProperties, error) {
	if k < 0 || int(k) >= len(s.vertices) {
		return vertex{}, lib.VertexProperties{}, lib.ErrVertexNotFound
	}
	return s.vertices[k], lib.VertexProperties{}, nil
}

func (s *arrayStore) ListVertices() ([]int32, error) {
	all := make([]int32, len(s.vertices))
	for i := range all {
		all[i] = int32(i)
	}
	return all, nil
}

func (s *arrayStore) VertexCount() (int, error) { return len(s.vertices), nil }

func (s *arrayStore) AddEdge(from, to int32, _ lib.Edge[int32]) error {
	s.links = append(s.links, link{from: from, to: to, next: s.newest[from]})
	s.newest[from] = int32(len(s.links) - 1)
	s.degree[from]++
	switch {
	case s.degree[from] == wideDegree:
		if s.wide == nil {
			s.wide = make(map[[2]int32]struct{})
		}
		for e := s.newest[from]; e != none; e = s.links[e].next {
			s.wide[[2]int32{from, s.links[e].to}] = struct{}{}
		}
	case s.degree[from] > wideDegree:
		s.wide[[2]int32{from, to}] = struct{}{}
	}
	return nil
}

func (s *arrayStore) hasEdge(from, to int32) bool {
	if from < 0 || int(from) >= len(s.vertices) {
		return false
	}
	if s.degree[from] >= wideDegree {
		_, ok := s.wide[[2]int32{from, to}]
		return ok
	}
	for e := s.newest[from]; e != none; e = s.links[e].next {
		if s.links[e].to == to {
			return true
		}
	}
	return false
}

func (s *arrayStore) Edge(from, to int32) (lib.Edge[int32], error) {
	if !s.hasEdge(from, to) {
		return lib.Edge[int32]{}, lib.ErrEdgeNotFound
	}
	return lib.Edge[int32]{Source: from, Target: to}, nil
}

func (s *arrayStore) ListEdges() ([]lib.Edge[int32], error) {
	all := make([]lib.Edge[int32], len(s.links))
	for i, e := range s.links {
		all[i] = lib.Edge[int32]{Source: e.from, Target: e.to}
	}
	return all, nil
}

// EdgeCount is not part of the interface at v0.23.0, but of its next version.
func (s *arrayStore) EdgeCount() (int, error) { return len(s.links), nil }

func (s *arrayStore) RemoveVertex(int32) error { return errAppendOnly }

func (s *arrayStore) RemoveEdge(int32, int32) error { return errAppendOnly }

func (s *arrayStore) UpdateEdge(int32, int32, lib.Edge[int32]) error { return errAppendOnly }
