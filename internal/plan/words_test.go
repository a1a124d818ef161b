package plan_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/state"
)

func TestReasons(t *testing.T) {
	shown := func(name, text string) providers.Input { return providers.Input{Name: name, Text: text, Shown: true} }
	hidden := func(name, text string) providers.Input { return providers.Input{Name: name, Text: text} }
	object := func(name, key string) providers.Input { return providers.Input{Name: name, Text: key, Object: true} }
	for name, test := range map[string]struct {
		before, after []providers.Input
		causes        []string
		cause         string
	}{
		"a value that may be shown": {
			[]providers.Input{shown("version", "1.2.0")}, []providers.Input{shown("version", "1.3.0")},
			[]string{"version 1.2.0 → 1.3.0"}, "",
		},
		"a value that is too long to be shown": {
			[]providers.Input{hidden("script", "aa")}, []providers.Input{hidden("script", "bb")}, []string{"script changed"}, "",
		},
		"a value that became too long": {
			[]providers.Input{shown("script", "make")}, []providers.Input{hidden("script", "bb")}, []string{"script changed"}, "",
		},
		"an input that is new": {nil, []providers.Input{hidden("file a.c", "aa")}, []string{"file a.c added"}, ""},
		"an input that is gone": {
			[]providers.Input{hidden("env B", "x"), hidden("env A", "x")}, nil, []string{"env A removed", "env B removed"}, "",
		},
		"own changes stand before those of others": {
			[]providers.Input{object("recipe.lib", "aa"), shown("version", "1")},
			[]providers.Input{object("recipe.lib", "bb"), shown("version", "2")},
			[]string{"version 1 → 2", "recipe.lib changed"}, "",
		},
		"the change of another object is the cause": {
			[]providers.Input{object("recipe.lib", "aa")}, []providers.Input{object("recipe.lib", "bb")},
			[]string{"recipe.lib changed"}, "recipe.lib",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &state.Object{Key: "old", Inputs: map[string]string{}}
			for _, in := range test.before {
				r.Inputs[in.Name] = in.Recorded()
			}
			causes, cause := plan.Explain(r, &providers.Object{Key: "new", Inputs: test.after})
			if diff := cmp.Diff(test.causes, causes); diff != "" {
				t.Error(diff)
			}
			if cause != test.cause {
				t.Errorf("cause %q", cause)
			}
		})
	}
}

func TestChangesSayWhatLedToThem(t *testing.T) {
	c := stack("1.0")
	w, s := deployed(c)
	next := stack("1.1")
	p := mustPlan(t, request(next, w, s))
	image, _ := p.Change("target.image.lab")
	if image.Cause != "recipe.app" || image.PriorKey != c.key("target.image.lab") || image.Key != next.key("target.image.lab") {
		t.Errorf("%+v", image)
	}
	if image.Prior["digest"] != "sha256:"+c.key("target.image.lab") {
		t.Errorf("what was recorded of it: %v", image.Prior)
	}
	if diff := cmp.Diff([]string{"digest"}, image.Unknown); diff != "" {
		t.Error(diff)
	}
	tool, _ := p.Change("recipe.tool")
	if tool.NeededBy != "recipe.app" || tool.Prior != nil {
		t.Errorf("%+v", tool)
	}
	if app, _ := p.Change("recipe.app"); app.NeededBy != "target.image.lab" {
		t.Errorf("%+v", app)
	}
	if _, found := p.Change("recipe.none"); found {
		t.Error("a change of nothing")
	}
}

func TestSummary(t *testing.T) {
	c := stack("1.0")
	for name, test := range map[string]struct {
		plan func() *plan.Plan
		want plan.Summary
	}{
		"of a first apply": {
			func() *plan.Plan { return mustPlan(t, request(c, newWorld(), nil)) }, plan.Summary{Build: 3, Create: 1},
		},
		"cached packages are reused, recorded or not": {
			func() *plan.Plan {
				w := newWorld()
				w.cache(c, "app", "lib")
				return mustPlan(t, request(c, w, recorded(c, "lib")))
			}, plan.Summary{Reused: 2, Create: 1},
		},
		"a target that exists is adopted": {
			func() *plan.Plan { w, _ := deployed(c); return mustPlan(t, request(c, w, nil)) }, plan.Summary{Adopt: 1},
		},
		"of nothing to do": {
			func() *plan.Plan { w, s := deployed(c); return mustPlan(t, request(c, w, s)) }, plan.Summary{Unchanged: 1},
		},
		"of a destroy": {
			func() *plan.Plan {
				w, s := deployed(c)
				return mustPlan(t, request(c, w, s, func(r *plan.Request) { r.Mode = plan.Destroy }))
			}, plan.Summary{Destroy: 1, Forget: 3},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.plan().Summary); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOutputs(t *testing.T) {
	text := func(s string) json.RawMessage { return json.RawMessage(`"` + s + `"`) }
	c := newConfig()
	for name, test := range map[string]struct {
		recorded map[string]state.Output
		now      []plan.OutputValue
		req      func(*plan.Request)
		want     []plan.OutputChange
	}{
		"the same": {
			recorded: map[string]state.Output{"a": state.NewOutput(nil, text("x"))}, now: []plan.OutputValue{{Name: "a", Value: text("x")}},
		},
		"added": {
			now: []plan.OutputValue{{Name: "a", Value: text("x")}}, want: []plan.OutputChange{{Name: "a", After: text("x")}},
		},
		"changed": {
			recorded: map[string]state.Output{"a": state.NewOutput(nil, text("x"))}, now: []plan.OutputValue{{Name: "a", Value: text("y")}},
			want: []plan.OutputChange{{Name: "a", Before: text("x"), After: text("y")}},
		},
		"known after apply": {
			recorded: map[string]state.Output{"a": state.NewOutput(nil, text("x"))}, now: []plan.OutputValue{{Name: "a", Unknown: true}},
			want: []plan.OutputChange{{Name: "a", Before: text("x"), Unknown: true}},
		},
		"removed": {
			recorded: map[string]state.Output{"a": state.NewOutput(nil, text("x"))},
			want:     []plan.OutputChange{{Name: "a", Before: text("x"), Removed: true}},
		},
		"sensitive ones are added without their value": {
			now:  []plan.OutputValue{{Name: "a", Value: text("secret"), Sensitive: true}},
			want: []plan.OutputChange{{Name: "a", Sensitive: true}},
		},
		"sensitive ones are not compared": {
			recorded: map[string]state.Output{"a": state.NewSensitiveOutput(nil)}, now: []plan.OutputValue{{Name: "a", Sensitive: true}},
		},
		"one that becomes sensitive shows nothing any more": {
			recorded: map[string]state.Output{"a": state.NewOutput(nil, text("x"))}, now: []plan.OutputValue{{Name: "a", Sensitive: true}},
			want: []plan.OutputChange{{Name: "a", Sensitive: true}},
		},
		"a sensitive one that is removed is still said to be one": {
			recorded: map[string]state.Output{"a": state.NewSensitiveOutput(nil)},
			want:     []plan.OutputChange{{Name: "a", Sensitive: true, Removed: true}},
		},
		"a narrowed plan leaves them alone": {
			now: []plan.OutputValue{{Name: "a", Value: text("x")}}, req: func(r *plan.Request) { r.Targets = targets("lib") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := recorded(c)
			if test.recorded != nil {
				s.Outputs = test.recorded
			}
			req := request(stack("1.0"), newWorld(), s)
			req.Outputs = test.now
			if test.req != nil {
				test.req(&req)
			}
			if diff := cmp.Diff(test.want, mustPlan(t, req).Outputs); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestKeptObjectsAreToldOnRequest(t *testing.T) {
	c := stack("1.0")
	w, s := deployed(c)
	p := mustPlan(t, request(c, w, s, func(r *plan.Request) { r.Explain, r.Targets = true, targets("app", "target.image.lab") }))
	want := []plan.Kept{{Address: "recipe.app", Reason: "is in cache main"}, {Address: "target.image.lab", Reason: "exists as wanted"}}
	if diff := cmp.Diff(want, p.Kept); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(toJSON(t, p), "exists as wanted") {
		t.Error("what is kept is no part of a saved plan")
	}
}

// randomConfig is a configuration of n packages and a few targets.
func randomConfig(rng *rand.Rand, n int, version func(int) string) *config {
	c := newConfig()
	var names []string
	for i := range n {
		var needs []string
		for _, d := range rng.Perm(i)[:min(i, rng.IntN(4))] {
			if rng.IntN(3) == 0 {
				needs = append(needs, "~"+names[d])
			} else {
				needs = append(needs, names[d])
			}
		}
		name := "p" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		names = append(names, name)
		c.add(name, version(i), needs...)
	}
	for i := range 1 + rng.IntN(3) {
		c.add("target.image.t"+string(rune('a'+i)), "1", names[rng.IntN(n)], names[rng.IntN(n)])
	}
	return c
}

// demanded is the smallest set of steps by the words of the rules: who needs
// what in which form, one object at a time.
func demanded(c *config, w *world, roots map[string]bool) map[string]bool {
	const archive, installed = 1, 2
	steps := map[string]bool{}
	seen := map[string]int{}
	var need func(name string, form int)
	need = func(name string, form int) {
		o := c.index[at(name)]
		if seen[name]&form != 0 || w.installed[o.Key] && w.cached[o.Key] || form == archive && w.cached[o.Key] {
			return
		}
		seen[name] |= form
		t := o.Spec.(*thing)
		if w.cached[o.Key] {
			steps[name+"#fetch"] = true
		} else {
			steps[name+"#build"] = true
			for _, a := range t.buildNeeds {
				need(a.String(), installed)
			}
		}
		for _, a := range t.needs {
			need(a.String(), installed)
		}
	}
	for name := range roots {
		o := c.index[at(name)]
		if o.Kind == "recipe" {
			need(name, archive)
			continue
		}
		if w.published[name] != o.Key {
			steps[name+"#assemble"], steps[name+"#publish"] = true, true
			for _, a := range o.Spec.(*thing).needs {
				need(a.String(), archive)
			}
		}
	}
	return steps
}

func TestPlansOfRandomGraphs(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		n := 1 + rng.IntN(40)
		c := randomConfig(rng, n, func(int) string { return "1" })
		w, s := newWorld(), recorded(c)
		for _, o := range c.objects {
			switch {
			case o.Kind == "recipe" && rng.IntN(2) == 0:
				w.cached[o.Key] = true
				w.installed[o.Key] = rng.IntN(3) == 0
			case o.Kind != "recipe" && rng.IntN(3) == 0:
				w.published[o.Address.String()] = o.Key
			}
			if rng.IntN(2) == 0 {
				s.Put(recordOf(o))
			}
		}
		used := map[string]bool{}
		for _, o := range c.objects {
			for _, d := range o.Dependencies {
				used[d.String()] = true
			}
		}
		roots := map[string]bool{}
		for _, o := range c.objects {
			if o.Kind != "recipe" || !used[o.Address.String()] {
				roots[o.Address.String()] = true
			}
		}
		want := demanded(c, w, roots)
		req := request(c, w, s)
		p := mustPlan(t, req)
		got := map[string]bool{}
		for _, step := range p.Steps {
			got[step.ID] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: not the smallest set of steps (-want +got):\n%s", seed, diff)
		}
		if rounds := len(w.rounds); rounds > 4 { // two kinds, two rounds each
			t.Fatalf("seed %d: %d calls of Observe: %v", seed, rounds, w.rounds)
		}
		if again := mustPlan(t, req); toJSON(t, again) != toJSON(t, p) {
			t.Fatalf("seed %d: the same request gives another plan", seed)
		}
		req.State = carryOut(t, p, w, s, c)
		if again := mustPlan(t, req); !again.Empty() {
			t.Fatalf("seed %d: after apply there is still to do: %v", seed, told(again))
		}
	}
}

func TestPlanningWritesNothing(t *testing.T) {
	c := stack("1.1")
	w, s := deployed(stack("1.0"))
	before := toJSON(t, s.Objects)
	for _, mode := range []plan.Mode{plan.Apply, plan.Destroy, plan.RefreshOnly} {
		if _, err := plan.Make(context.Background(), request(c, w, s, func(r *plan.Request) { r.Mode = mode })); err != nil {
			t.Error(err)
		}
	}
	if toJSON(t, s.Objects) != before || s.Serial != 7 {
		t.Error("the state was changed")
	}
}
