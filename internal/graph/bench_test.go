//go:build unix

package graph

import (
	"context"
	"fmt"
	"io"
	"syscall"
	"testing"
)

// The graphs have about five edges a node, see layered. CPU is user and system
// time of the whole process, so garbage collection counts.

func benchmark(b *testing.B, run func(b *testing.B, nodes []string, edges []edge, d *DAG)) {
	for _, n := range []int{1_000, 2_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("nodes=%d", n), func(b *testing.B) {
			nodes, edges := layered(n)
			d := build(b, nodes, edges)
			b.ReportAllocs()
			b.ResetTimer()
			before := cpuSeconds(b)
			run(b, nodes, edges, d)
			b.StopTimer()
			b.ReportMetric((cpuSeconds(b)-before)*1000/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(d.Edges()), "edges")
		})
	}
}

func cpuSeconds(b *testing.B) float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Skip(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func BenchmarkBuild(b *testing.B) {
	benchmark(b, func(b *testing.B, nodes []string, edges []edge, _ *DAG) {
		for b.Loop() {
			build(b, nodes, edges)
		}
	})
}

func BenchmarkOrder(b *testing.B) {
	benchmark(b, func(b *testing.B, _ []string, _ []edge, d *DAG) {
		for b.Loop() {
			d.sort()
		}
	})
}

func BenchmarkReduce(b *testing.B) {
	benchmark(b, func(b *testing.B, _ []string, _ []edge, d *DAG) {
		for b.Loop() {
			d.Reduce()
		}
	})
}

func BenchmarkCriticalPath(b *testing.B) {
	benchmark(b, func(b *testing.B, _ []string, _ []edge, d *DAG) {
		for b.Loop() {
			d.CriticalPath(func(node int) float64 { return float64(node % 17) })
		}
	})
}

func BenchmarkWalk(b *testing.B) {
	benchmark(b, func(b *testing.B, _ []string, _ []edge, d *DAG) {
		opts := WalkOptions{Workers: 4, Priority: func(node int) float64 { return float64(node % 17) }}
		for b.Loop() {
			if _, err := Walk(b.Context(), d, opts, func(context.Context, int) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkDOT(b *testing.B) {
	benchmark(b, func(b *testing.B, _ []string, _ []edge, d *DAG) {
		for b.Loop() {
			if err := d.WriteDOT(io.Discard, DrawOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCycle closes one large cycle over all layers: the worst case of
// finding what to report.
func BenchmarkCycle(b *testing.B) {
	benchmark(b, func(b *testing.B, nodes []string, edges []edge, d *DAG) {
		builder := newBuilder(b, nodes, edges)
		last, first := d.Order()[d.Len()-1], d.Order()[0]
		for _, top := range append(tops(d), last) {
			if err := builder.AddEdge(d.ID(first), d.ID(top)); err != nil {
				b.Fatal(err)
			}
		}
		for b.Loop() {
			if _, err := builder.Build(); err == nil {
				b.Fatal("no cycle")
			}
		}
	})
}

// tops returns the nodes on which nothing depends.
func tops(d *DAG) []int {
	var nodes []int
	for node := range d.Len() {
		if len(d.Dependents(node)) == 0 {
			nodes = append(nodes, node)
		}
	}
	return nodes
}
