package plan_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"esd/internal/apply"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/state"
)

func TestForecast(t *testing.T) {
	c := newConfig()
	for _, name := range []string{"a", "b"} {
		c.add(name, "1").Spec.(*thing).download = 100
	}
	c.add("c", "1", "a").Spec.(*thing).download = -1
	c.add("target.image.x", "1", "b", "c")
	s := recorded(c)
	s.Durations["recipe.a#build"] = state.Duration{Seconds: 10}
	s.Durations["recipe.b#build"] = state.Duration{Seconds: 12}
	s.Durations["recipe.c#build"] = state.Duration{Seconds: 5, PeakMemory: 3 << 30, Size: 70}
	for name, test := range map[string]struct {
		cpus int
		want plan.Forecast
	}{
		"with processors enough, the longest path": {4, plan.Forecast{
			CPUs: 4, Seconds: 15, WorkSeconds: 27, CoreSeconds: 27, Unknown: 2, Download: 200, UnknownDownload: 1, UnknownUpload: 1,
			CriticalSeconds: 15, PeakMemory: 3 << 30, PeakStep: "recipe.c#build", UnknownMemory: 2,
			Critical: []string{"recipe.a#build", "recipe.c#build", "target.image.x#assemble", "target.image.x#publish"},
		}},
		"with few, all the work": {1, plan.Forecast{
			CPUs: 1, Seconds: 27, WorkSeconds: 27, CoreSeconds: 27, Unknown: 2, Download: 200, UnknownDownload: 1, UnknownUpload: 1,
			CriticalSeconds: 15, PeakMemory: 3 << 30, PeakStep: "recipe.c#build", UnknownMemory: 2,
			Critical: []string{"recipe.a#build", "recipe.c#build", "target.image.x#assemble", "target.image.x#publish"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustPlan(t, request(c, newWorld(), s, func(r *plan.Request) { r.CPUs = test.cpus }))
			if diff := cmp.Diff(test.want, p.Forecast); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("of steps that were never done, nothing but their number", func(t *testing.T) {
		p := mustPlan(t, request(c, newWorld(), nil))
		if f := p.Forecast; f.Unknown != 5 || f.Seconds != 0 || f.Critical != nil || f.PeakMemory != 0 || f.UnknownMemory != 3 {
			t.Errorf("%+v", f)
		}
	})
}

// sleeper stands in for all kinds of block: its steps take the time that their
// records say.
type sleeper struct {
	providers.Provider
	seconds map[string]float64
}

func (s sleeper) Apply(_ context.Context, run providers.Run) (providers.Result, error) {
	time.Sleep(time.Duration(s.seconds[run.Address.String()] * float64(time.Second)))
	return providers.Result{}, nil
}

type forgetful struct{}

func (forgetful) Append(apply.Entry) error { return nil }

// randomSteps are n steps, each of which needs a few before it, and some of which
// need much memory.
func randomSteps(rng *rand.Rand, n int) *plan.Plan {
	p := &plan.Plan{Mode: plan.Apply}
	for i := range n {
		s := plan.Step{ID: fmt.Sprintf("recipe.p%05d#build", i), Address: fmt.Sprintf("recipe.p%05d", i), Kind: "recipe", Op: "build"}
		for range min(i, rng.IntN(4)) {
			s.Needs = append(s.Needs, p.Steps[rng.IntN(i)].ID)
		}
		s.Seconds, s.Resources = float64(1+rng.IntN(600))/10, providers.Resources{CPUs: 1 + rng.IntN(4), Memory: int64(rng.IntN(4)) << 30}
		p.Steps = append(p.Steps, s)
	}
	return p
}

// TestTheForecastIsWhatARunTakes lets real runs sleep, in virtual time.
func TestTheForecastIsWhatARunTakes(t *testing.T) {
	worst := 0.0
	for seed := range uint64(12) {
		for _, limit := range []struct {
			cpus   int
			memory int64
		}{{1, 0}, {4, 0}, {16, 0}, {16, 8 << 30}} {
			synctest.Test(t, func(t *testing.T) {
				p := randomSteps(rand.New(rand.NewPCG(seed, 1)), 300)
				f, err := plan.ForecastOf(p, limit.cpus, limit.memory)
				if err != nil {
					t.Fatal(err)
				}
				fake := sleeper{seconds: map[string]float64{}}
				for _, s := range p.Steps {
					fake.seconds[s.Address] = s.Seconds
				}
				report, err := apply.Run(t.Context(), apply.Options{
					Plan: p, Provider: func(string) providers.Provider { return fake }, State: state.New(state.NewID(), "test"), Journal: forgetful{},
					CPUs: limit.cpus, Memory: limit.memory, LogDir: t.TempDir(),
				})
				if err != nil || !report.OK() {
					t.Fatal(err, report)
				}
				off := f.Seconds/report.Elapsed.Seconds() - 1
				if worst = max(worst, off, -off); off > 0.05 || off < -0.05 {
					t.Errorf("seed %d, %+v: %.1f s are forecast, and it took %.1f s", seed, limit, f.Seconds, report.Elapsed.Seconds())
				}
			})
		}
	}
	t.Logf("%.2f %% off at the worst", 100*worst)
}

func BenchmarkForecastOf100000Steps(b *testing.B) {
	p := randomSteps(rand.New(rand.NewPCG(1, 1)), 100000)
	for b.Loop() {
		if _, err := plan.ForecastOf(p, 64, 256<<30); err != nil {
			b.Fatal(err)
		}
	}
}
