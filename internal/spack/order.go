package spack

import (
	"cmp"
	"slices"
	"strings"
)

// Edges are the dependencies of any of the given types, in the order in which
// Spack walks over them (sort_edges in Spack's traverse.py): by name, and two
// of one name by their types, since 1.0 also by what they provide.
func (s *Spec) Edges(types DepTypes) []Edge {
	edges := make([]Edge, 0, len(s.Dependencies))
	for _, e := range s.Dependencies {
		if e.Types&types != 0 {
			edges = append(edges, e)
		}
	}
	compare := func(a, b Edge) int {
		c := cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Types, b.Types))
		if c == 0 && s.SpecfileVersion >= 5 {
			c = slices.Compare(a.Virtuals, b.Virtuals)
		}
		return c
	}
	if !slices.IsSortedFunc(edges, compare) { // it is, in files of Spack
		slices.SortStableFunc(edges, compare)
	}
	return edges
}

// Preorder lists roots and all that they reach over edges of the given types,
// each once, a package before its dependencies and these in the order of
// [Spec.Edges]. Edges to specs that are not there are left out.
func (all Specs) Preorder(types DepTypes, roots ...Hash) []*Spec {
	seen := make(map[Hash]bool, len(all))
	var list []*Spec
	var stack []Hash // the next is last
	for _, root := range roots {
		stack = append(stack, root)
		for len(stack) > 0 {
			h := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			s := all[h]
			if s == nil || seen[h] {
				continue
			}
			seen[h] = true
			list = append(list, s)
			edges := s.Edges(types)
			for i := len(edges) - 1; i >= 0; i-- {
				stack = append(stack, edges[i].Hash)
			}
		}
	}
	return list
}
