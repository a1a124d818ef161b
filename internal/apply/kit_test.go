package apply_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"esd/internal/addr"
	"esd/internal/apply"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/schema"
	"esd/internal/state"
)

// behave is what a step does when it is run.
type behave func(ctx context.Context, run providers.Run) (providers.Result, error)

// fake stands in for the kinds of block: its steps do what a test says, by
// their identity, and else nothing. Everything else is real.
type fake struct {
	mu   sync.Mutex
	does map[string]behave
	ran  []string // in the order in which they began
}

var _ providers.Provider = (*fake)(nil)

func (f *fake) Schema() *schema.Block                                          { return nil }
func (f *fake) DefaultForm() providers.Form                                    { return providers.Archive }
func (f *fake) PlanDestroy(providers.DestroyRequest) ([]providers.Step, error) { return nil, nil }
func (f *fake) Plan(providers.PlanRequest) (providers.Planned, error) {
	return providers.Planned{}, nil
}
func (f *fake) Resolve(context.Context, providers.ResolveRequest) (*providers.Object, hcl.Diagnostics) {
	return nil, nil
}
func (f *fake) Observe(context.Context, providers.ObserveRequest) (map[addr.Address]providers.Observation, error) {
	return nil, nil
}

func (f *fake) Apply(ctx context.Context, run providers.Run) (providers.Result, error) {
	id := strings.TrimPrefix(run.Address.String(), "recipe.")
	f.mu.Lock()
	f.ran = append(f.ran, id)
	do := f.does[id+"#"+run.Op]
	if do == nil {
		do = f.does[id]
	}
	f.mu.Unlock()
	if do == nil {
		return providers.Result{}, nil
	}
	return do(ctx, run)
}

// memory is a journal that remembers what it was told, in order.
type memory struct {
	mu      sync.Mutex
	entries []apply.Entry
	fail    func(apply.Entry) error
}

func (m *memory) Append(e apply.Entry) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		if err := m.fail(e); err != nil {
			return err
		}
	}
	m.entries = append(m.entries, e)
	return nil
}

func (m *memory) has(step string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.entries, func(e apply.Entry) bool { return e.Step == step })
}

var key = strings.Repeat("ab", 32)

// planOf makes a plan of builds: "app: lib tool" is a package that needs two
// others. They are declared in any order.
func planOf(lines ...string) *plan.Plan {
	p := &plan.Plan{Mode: plan.Apply}
	for _, line := range lines {
		name, needs, _ := strings.Cut(line, ":")
		s := plan.Step{
			ID: "recipe." + name + "#build", Address: "recipe." + name, Kind: "recipe", Op: "build", Title: "build " + name,
			Completes: true, Seconds: -1, Key: key,
		}
		for _, n := range strings.Fields(needs) {
			s.Needs = append(s.Needs, "recipe."+n+"#build")
		}
		p.Steps = append(p.Steps, s)
		p.Changes = append(p.Changes, plan.Change{
			Address: s.Address, Kind: "recipe", Action: plan.Build, Key: key,
			Attributes: map[string]any{"version": "1"},
			Record:     &plan.Record{Inputs: map[string]string{"script": "x"}, Dependencies: []string{"recipe.z", "recipe.a"}},
		})
	}
	return p
}

// setting is a run in the making.
type setting struct {
	opts    apply.Options
	fake    *fake
	journal *memory
	events  []apply.Event
	inEvent bool
}

func newSetting(t testing.TB, p *plan.Plan) *setting {
	s := &setting{fake: &fake{does: map[string]behave{}}, journal: &memory{}}
	s.opts = apply.Options{
		Plan: p, Provider: func(string) providers.Provider { return s.fake },
		State:   state.New("11111111-2222-3333-4444-555555555555", "1.0.0"),
		Journal: s.journal, CPUs: 4, LogDir: t.TempDir(), Backoff: time.Millisecond,
		Events: func(e apply.Event) {
			if s.inEvent { // the race detector would see it too
				t.Error("two events at a time")
			}
			s.inEvent = true
			s.events = append(s.events, e)
			s.inEvent = false
		},
	}
	return s
}

func (s *setting) run(t testing.TB, ctx context.Context) *apply.Report {
	t.Helper()
	report, err := apply.Run(ctx, s.opts)
	if err != nil {
		t.Fatal(err)
	}
	s.checkEvents(t, report)
	return report
}

// checkEvents wants what holds for the events of every run.
func (s *setting) checkEvents(t testing.TB, report *apply.Report) {
	t.Helper()
	count := map[apply.EventKind]int{}
	running := 0
	for i, e := range s.events {
		count[e.Kind]++
		switch e.Kind {
		case apply.StepStarted:
			running++
		case apply.StepDone, apply.StepFailed:
			running--
		}
		c := e.Counts
		if c.Running != running || c.Done != count[apply.StepDone] || c.Failed != count[apply.StepFailed] ||
			c.Skipped != count[apply.StepSkipped] || c.Total != len(s.opts.Plan.Steps) {
			t.Errorf("event %d (%s): the counts %+v are wrong", i, e.Kind, c)
		}
	}
	if n := len(s.events); n == 0 || s.events[0].Kind != apply.RunStarted || s.events[n-1].Kind != apply.RunDone ||
		count[apply.RunStarted] != 1 || count[apply.RunDone] != 1 {
		t.Errorf("a run begins and ends once: %v", count)
	}
	if len(report.Done) != count[apply.StepDone] || len(report.Failed) != count[apply.StepFailed] || len(report.Skipped) != count[apply.StepSkipped] {
		t.Errorf("the report does not say what the events said: %v", count)
	}
	if running != 0 || len(report.Done)+len(report.Failed)+len(report.Skipped) != len(s.opts.Plan.Steps) {
		t.Error("steps are missing in the report")
	}
}

func names(outcomes []apply.Outcome) string {
	var list []string
	for _, o := range outcomes {
		list = append(list, strings.TrimSuffix(strings.TrimPrefix(o.Step.ID, "recipe."), "#build"))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func ended(r *apply.Report) string {
	return "done: " + names(r.Done) + "; failed: " + names(r.Failed) + "; skipped: " + names(r.Skipped)
}

var errBroken = errors.New("it is broken")

func fails(context.Context, providers.Run) (providers.Result, error) {
	return providers.Result{}, errBroken
}

func sortedObjects(s *state.State) []string { return slices.Sorted(maps.Keys(s.Objects)) }
