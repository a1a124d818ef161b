package bench

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"text/tabwriter"
	"time"
)

// table is what a benchmark prints when it is done: a line for each program
// that did the same work, the first of which is what the others are compared
// with.
type table struct {
	title string
	rows  []row
}

// row has medians.
type row struct {
	name             string
	cpu, least, wall time.Duration
	rss              int64
	runs             int
}

func newTable(b *testing.B, title string) *table {
	t := &table{title: title}
	b.Cleanup(func() {
		if len(t.rows) > 0 {
			t.print()
		}
	})
	return t
}

// add measures f as often as the benchmark says, in a benchmark of its own.
// What prepares before and what cleans up after each time do not count.
func (t *table) add(b *testing.B, name string, f func(b *testing.B) usage, cleanup func()) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		var samples []usage
		for b.Loop() {
			samples = append(samples, f(b))
			b.StopTimer()
			if cleanup != nil {
				cleanup()
			}
			b.StartTimer()
		}
		r := row{
			name: name, runs: len(samples),
			cpu:  median(samples, func(u usage) time.Duration { return u.cpu }),
			wall: median(samples, func(u usage) time.Duration { return u.wall }),
			rss:  int64(median(samples, func(u usage) time.Duration { return time.Duration(u.rss) })),
		}
		r.least = slices.MinFunc(samples, func(a, b usage) int { return int(a.cpu - b.cpu) }).cpu
		t.rows = append(t.rows, r)
		b.ReportMetric(milliseconds(r.cpu), "cpu-ms")
		b.ReportMetric(milliseconds(r.wall), "wall-ms")
		b.ReportMetric(float64(r.rss)/1e6, "peak-MB")
		b.ReportMetric(0, "ns/op")
	})
}

func median(samples []usage, of func(usage) time.Duration) time.Duration {
	values := make([]time.Duration, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// print goes past the log of the benchmark, which is cut off after some lines.
func (t *table) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\n%s\n\tCPU ms\tat least\twall ms\tpeak MB\ttimes the first\truns\t\n", t.title)
	for _, r := range t.rows {
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.1f\t%.0f\t%.1f\t%d\t\n", r.name, milliseconds(r.cpu), milliseconds(r.least),
			milliseconds(r.wall), float64(r.rss)/1e6, float64(r.cpu)/float64(t.rows[0].cpu), r.runs)
	}
	w.Flush()
	fmt.Fprintln(os.Stdout)
}
