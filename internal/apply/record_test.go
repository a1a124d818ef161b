package apply_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"esd/internal/apply"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/state"
	"esd/internal/state/journal"
)

func object(address string, dependencies ...string) *state.Object {
	return &state.Object{
		Address: address, Kind: "recipe", Key: key, Dependencies: dependencies, When: "2026-01-01T00:00:00Z",
		Attributes: state.Attributes{"was": address},
	}
}

func TestAnObjectIsRecordedWhenAllThatCompletesItIsDone(t *testing.T) {
	p := planOf("image")
	first := p.Steps[0]
	first.ID, first.Op, first.Completes = "recipe.image#assemble", "assemble", false
	one, two := first, first
	one.ID, one.Op, one.Completes, one.Needs = "recipe.image#publish 1", "publish 1", true, []string{first.ID}
	two.ID, two.Op, two.Completes, two.Needs = "recipe.image#publish 2", "publish 2", true, []string{one.ID}
	p.Steps = []plan.Step{first, one, two}
	found := func(name string, value any) behave {
		return func(context.Context, providers.Run) (providers.Result, error) {
			return providers.Result{Attributes: map[string]any{name: value, "last": name}}, nil
		}
	}
	t.Run("with what all its steps found out", func(t *testing.T) {
		s := newSetting(t, p)
		s.fake.does["image#assemble"], s.fake.does["image#publish 1"] = found("digest", "d"), found("one", 1)
		s.fake.does["image#publish 2"] = found("two", 2)
		r := s.run(t, t.Context())
		o := s.opts.State.Get("recipe.image")
		if o == nil || r.Recorded != 1 {
			t.Fatal("it is not recorded")
		}
		want := state.Attributes{"version": "1", "digest": "d", "one": 1, "two": 2, "last": "two"}
		if diff := cmp.Diff(want, o.Attributes); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"recipe.a", "recipe.z"}, o.Dependencies); diff != "" {
			t.Error(diff)
		}
		if o.Key != key || o.Inputs["script"] != "x" || o.When == "" {
			t.Errorf("%+v", o)
		}
		var objects []bool
		for _, e := range s.journal.entries {
			objects = append(objects, e.Object != nil)
		}
		if diff := cmp.Diff([]bool{false, false, true}, objects); diff != "" {
			t.Errorf("entries of the journal with the object: %s", diff)
		}
	})
	t.Run("or partly, when the rest of a new one has failed", func(t *testing.T) {
		s := newSetting(t, p)
		s.fake.does["image#publish 2"] = fails
		s.run(t, t.Context())
		if s.opts.State.Get("recipe.image") == nil {
			t.Error("nobody knows that it is half there")
		}
	})
	t.Run("and not before: the older record stays", func(t *testing.T) {
		s := newSetting(t, p)
		older := object("recipe.image")
		s.opts.State.Put(older)
		s.fake.does["image#publish 2"] = fails
		s.run(t, t.Context())
		if s.opts.State.Get("recipe.image") != older {
			t.Error("it is recorded although it is not complete")
		}
	})
	t.Run("and not where nothing of it was done", func(t *testing.T) {
		s := newSetting(t, p)
		s.fake.does["image#publish 1"], s.fake.does["image#publish 2"] = fails, fails
		s.run(t, t.Context())
		if s.opts.State.Get("recipe.image") != nil {
			t.Error("it is recorded although it is nowhere")
		}
	})
}

func TestDurationsAreRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSetting(t, planOf("a", "b"))
		s.fake.does["a"] = func(context.Context, providers.Run) (providers.Result, error) {
			time.Sleep(3 * time.Second)
			return providers.Result{PeakMemory: 7, Size: 8}, nil
		}
		s.fake.does["b"] = func(context.Context, providers.Run) (providers.Result, error) {
			return providers.Result{Reused: true}, nil
		}
		s.opts.State.Durations["recipe.b#build"] = state.Duration{Seconds: 99}
		r := s.run(t, t.Context())
		want := map[string]state.Duration{
			"recipe.a#build": {Seconds: 3, PeakMemory: 7, Size: 8},
			"recipe.b#build": {Seconds: 99}, // it was not done, so nothing was learned
		}
		if diff := cmp.Diff(want, s.opts.State.Durations); diff != "" {
			t.Error(diff)
		}
		for _, o := range r.Done {
			if o.Reused != (o.Step.Address == "recipe.b") {
				t.Errorf("%s: reused %v", o.Step.ID, o.Reused)
			}
		}
	})
}

func TestChangesWithoutSteps(t *testing.T) {
	for name, test := range map[string]struct {
		before []*state.Object
		change plan.Change
		check  func(t *testing.T, s *state.State, r *apply.Report)
	}{
		"adopt records what was found": {
			nil, plan.Change{
				Address: "recipe.a", Action: plan.Adopt, Key: key, Attributes: map[string]any{"version": "2"},
				Record: &plan.Record{Attributes: map[string]any{"digest": "d"}, PreventDestroy: true},
			},
			func(t *testing.T, s *state.State, r *apply.Report) {
				o := s.Get("recipe.a")
				if o == nil || o.Attributes["digest"] != "d" || o.Attributes["version"] != "2" || !o.PreventDestroy || r.Recorded != 1 {
					t.Errorf("%+v", o)
				}
			},
		},
		"refresh records what is there, and nothing of the configuration": {
			[]*state.Object{object("recipe.a")}, plan.Change{
				Address: "recipe.a", Action: plan.Refresh, Key: strings.Repeat("0", 64), Attributes: map[string]any{"version": "2"},
				Record: &plan.Record{Attributes: map[string]any{"digest": "d"}},
			},
			func(t *testing.T, s *state.State, _ *apply.Report) {
				o := s.Get("recipe.a")
				if diff := cmp.Diff(state.Attributes{"digest": "d"}, o.Attributes); diff != "" || o.Key != strings.Repeat("0", 64) {
					t.Errorf("%+v", o)
				}
			},
		},
		"forget removes the record": {
			[]*state.Object{object("recipe.a")}, plan.Change{Address: "recipe.a", Action: plan.Forget},
			func(t *testing.T, s *state.State, r *apply.Report) {
				if s.Get("recipe.a") != nil || r.Removed != 1 {
					t.Error("it is still there")
				}
			},
		},
		"move keeps the record under the new address, and renames it where others depend on it": {
			[]*state.Object{object("recipe.old"), object("recipe.user", "recipe.old", "recipe.x")},
			plan.Change{Address: "recipe.new", From: "recipe.old", Action: plan.Move},
			func(t *testing.T, s *state.State, _ *apply.Report) {
				if diff := cmp.Diff([]string{"recipe.new", "recipe.user"}, sortedObjects(s)); diff != "" {
					t.Error(diff)
				}
				if o := s.Get("recipe.new"); o.Attributes["was"] != "recipe.old" || o.Address != "recipe.new" {
					t.Errorf("%+v", o)
				}
				if diff := cmp.Diff([]string{"recipe.new", "recipe.x"}, s.Get("recipe.user").Dependencies); diff != "" {
					t.Error(diff)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSetting(t, &plan.Plan{Mode: plan.Apply, Changes: []plan.Change{test.change}})
			for _, o := range test.before {
				s.opts.State.Put(o)
			}
			test.check(t, s.opts.State, s.run(t, t.Context()))
		})
	}
}

func TestADestroyedObjectIsForgottenWhenItsStepsAreDone(t *testing.T) {
	p := planOf("a", "b")
	for i := range p.Changes {
		p.Changes[i].Action, p.Changes[i].Record = plan.Remove, nil
	}
	s := newSetting(t, p)
	s.opts.State.Put(object("recipe.a"))
	s.opts.State.Put(object("recipe.b"))
	s.fake.does["b"] = fails
	r := s.run(t, t.Context())
	if diff := cmp.Diff([]string{"recipe.b"}, sortedObjects(s.opts.State)); diff != "" || r.Removed != 1 {
		t.Error(diff)
	}
	if e := s.journal.entries; len(e) != 1 || e[0].Removed != "recipe.a" {
		t.Errorf("%+v", e)
	}
}

// TestMovesSurviveBeingKilled writes the entries of moves into a real journal
// and folds it into the state that there was before: it must give the state
// that the run had.
func TestMovesSurviveBeingKilled(t *testing.T) {
	for name, moves := range map[string][][2]string{
		"one":                                  {{"recipe.a", "recipe.x"}},
		"a row, each to the place of the next": {{"recipe.a", "recipe.b"}, {"recipe.b", "recipe.c"}, {"recipe.c", "recipe.d"}},
		"the same row, listed from its end":    {{"recipe.c", "recipe.d"}, {"recipe.b", "recipe.c"}, {"recipe.a", "recipe.b"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &plan.Plan{Mode: plan.Apply}
			for _, m := range moves {
				p.Changes = append(p.Changes, plan.Change{From: m[0], Address: m[1], Action: plan.Move})
			}
			s := newSetting(t, p)
			for _, a := range []string{"recipe.a", "recipe.b", "recipe.c"} {
				s.opts.State.Put(object(a))
			}
			s.opts.State.Put(object("recipe.user", "recipe.a", "recipe.b"))
			s.opts.State.Serial = 1
			before := s.opts.State.Clone()
			s.run(t, t.Context())

			dir := t.TempDir()
			w, err := journal.Create(dir, journal.Header{Run: "r", Lineage: before.Lineage, Serial: 1, Operation: "apply", When: "2026-01-02T00:00:00Z"})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range s.journal.entries {
				if err := w.Append(journal.Entry{Step: e.Step, Result: "done", When: time.Now().UTC().Format(time.RFC3339), Object: e.Object, Removed: e.Removed}); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			read, err := journal.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			folded := journal.Fold(before, read)
			if !folded.State.SameContent(s.opts.State) {
				t.Errorf("folded: %v\nthe run had: %v", sortedObjects(folded.State), sortedObjects(s.opts.State))
			}
		})
	}
}
