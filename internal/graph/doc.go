// Package graph holds the one kind of graph the program has: a directed
// acyclic graph of named nodes in which an edge means "depends on".
//
// A [Builder] collects nodes and edges in any order. Its Build method checks
// for cycles and freezes the result to a [DAG], which never changes again and
// is safe for concurrent use. Everything that works on graphs starts there:
// topological order, closures, transitive reduction, critical path, [Walk] in
// parallel, and the DOT and Mermaid writers.
//
// Nodes of a DAG are numbered 0 to Len()-1 in the order of their ids, so that
// numbers, orders and drawings depend on what was added only, never on the
// order in which it was added.
//
// # What the library does and what it does not
//
// The mutable model is a directed graph of github.com/dominikbraun/graph
// v0.23.0. Its strongly connected components name the cycles. It does not
// leave this package, and these of its parts are not called, because they do
// not serve 100,000 nodes (measured with five edges a node, Go 1.26, two cores;
// CPU seconds, of PreventCycles wall clock):
//
//   - PreventCycles searches all ancestors at each AddEdge: 2.5 s for 2,000
//     nodes, 87 s for 10,000. Build finds all cycles at once at the end.
//   - TopologicalSort and StableTopologicalSort scan all vertices for each
//     one they emit: 14 s and 5 s for 10,000 nodes. [DAG.Order] is made with a
//     heap on arrays of integers: 0.8 ms, and 12 ms for 100,000 nodes.
//   - TransitiveReduction searches once an edge, with fresh maps: 4.8 s for
//     2,000 nodes, 155 s for 10,000. [DAG.Reduce] works on bit
//     sets: 1 ms and 7 ms, and 0.3 s for 100,000 nodes.
//   - AdjacencyMap, and with it most algorithms, copies the graph to nested
//     maps at each call: 0.8 s for 100,000 nodes. A DAG is read in place.
//   - The default store keeps each edge twice in nested maps, each with a map
//     of attributes: 177 MB for 100,000 nodes. The store here is two arrays.
//   - draw.DOT writes in map order and escapes nothing.
package graph
