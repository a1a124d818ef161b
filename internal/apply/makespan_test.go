package apply_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"esd/internal/apply"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/state"
	"esd/internal/state/journal"
)

// TestMakespan runs random graphs of sleeping steps and compares the time that
// they take with what no schedule can beat: the longest path, and all work
// spread over the processors. The time is virtual.
func TestMakespan(t *testing.T) {
	for _, cpus := range []int{4, 16, 64} {
		sum, worst := 0.0, 0.0
		const graphs = 20
		for seed := range uint64(graphs) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, uint64(cpus)))
				s, bound := sleeping(t, rng, 400, cpus)
				s.opts.Events = nil
				report, err := apply.Run(t.Context(), s.opts)
				if err != nil || !report.OK() {
					t.Fatal(err)
				}
				ratio := report.Elapsed.Seconds() / bound
				sum, worst = sum+ratio, max(worst, ratio)
				if ratio > 2 { // what any list schedule keeps
					t.Errorf("seed %d: %.2f times the bound", seed, ratio)
				}
			})
		}
		t.Logf("%d processors: %.1f %% over the bound in the mean, %.1f %% at the worst, of %d graphs", cpus, 100*(sum/graphs-1), 100*(worst-1), graphs)
		if mean := sum / graphs; mean > 1.05 {
			t.Errorf("%d processors: %.1f %% over the bound in the mean", cpus, 100*(mean-1))
		}
	}
}

// sleeping is a run of n steps that sleep as long as their records say, and
// the time in seconds that no schedule can beat.
func sleeping(t *testing.T, rng *rand.Rand, n, cpus int) (*setting, float64) {
	var lines []string
	seconds, finish := make([]float64, n), make([]float64, n)
	area, longest := 0.0, 0.0
	needs := make([][]int, n)
	for i := range n {
		line := fmt.Sprintf("p%d:", i)
		for range min(i, rng.IntN(4)) {
			d := rng.IntN(i)
			line += fmt.Sprintf(" p%d", d)
			needs[i] = append(needs[i], d)
		}
		lines = append(lines, line)
	}
	s := newSetting(t, planOf(lines...))
	s.opts.CPUs = cpus
	for i := range n {
		seconds[i] = float64(1+rng.IntN(600)) / 10
		step := &s.opts.Plan.Steps[i]
		step.Seconds, step.Resources.CPUs = seconds[i], 1+rng.IntN(2)
		for _, d := range needs[i] {
			finish[i] = max(finish[i], finish[d])
		}
		finish[i] += seconds[i]
		longest, area = max(longest, finish[i]), area+seconds[i]*float64(step.Resources.CPUs)
		s.fake.does[fmt.Sprint("p", i)] = func(context.Context, providers.Run) (providers.Result, error) {
			time.Sleep(time.Duration(seconds[i] * float64(time.Second)))
			return providers.Result{}, nil
		}
	}
	return s, max(longest, area/float64(cpus))
}

// kept writes the entries of a run into a real journal.
type kept struct{ *journal.Writer }

func (k kept) Append(e apply.Entry) error {
	return k.Writer.Append(journal.Entry{Step: e.Step, Result: "done", When: "2026-01-01T00:00:00Z", Object: e.Object, Removed: e.Removed, Measured: e.Step, Duration: &e.Duration})
}

// BenchmarkNothingToDo is what a run costs beside its steps: each of them is
// entered into a real journal, on disk, before what needs it begins.
func BenchmarkNothingToDo(b *testing.B) {
	for name, lines := range map[string]func(i int) string{
		"wide":  func(i int) string { return fmt.Sprintf("p%d", i) },
		"chain": func(i int) string { return fmt.Sprintf("p%d: p%d", i, max(i-1, 0)) },
	} {
		b.Run(name, func(b *testing.B) {
			const steps = 1000
			var list []string
			for i := range steps {
				list = append(list, lines(i))
			}
			p := planOf(list...)
			p.Steps[0].Needs = nil
			for b.Loop() {
				run(b, p)
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/1000-steps")
		})
	}
}

func run(b *testing.B, p *plan.Plan) {
	w, err := journal.Create(b.TempDir(), journal.Header{Run: "r", Lineage: state.NewID(), Operation: "apply", When: "2026-01-01T00:00:00Z"})
	if err != nil {
		b.Fatal(err)
	}
	s := newSetting(b, p)
	s.opts.Journal, s.opts.Events, s.opts.CPUs = kept{w}, nil, 2
	report, err := apply.Run(context.Background(), s.opts)
	if err != nil || !report.OK() {
		b.Fatal(err, report)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
}
