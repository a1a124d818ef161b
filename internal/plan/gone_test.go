package plan_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/state"
)

// pair is a configuration in which one target needs another one, so that the
// order in which they go matters.
func pair() *config {
	c := newConfig()
	c.add("lib", "1.0")
	c.add("target.image.base", "1", "lib")
	o := c.add("target.image.top", "1", "lib")
	o.Dependencies = append(o.Dependencies, at("target.image.base"))
	return c
}

func TestWhatIsNoLongerConfigured(t *testing.T) {
	const base, top = "target.image.base", "target.image.top"
	only := func(c *config, names ...string) *config {
		c.objects = slices.DeleteFunc(c.objects, func(o *providers.Object) bool { return !slices.Contains(names, o.Address.String()) })
		return c
	}
	protect := func(s *state.State, address string) *state.State {
		o := *s.Objects[address]
		o.PreventDestroy = true
		s.Put(&o)
		return s
	}
	_, all := deployed(pair())
	for name, test := range map[string]struct {
		config *config
		state  *state.State
		req    func(*plan.Request)
		told   []string
		work   []string
		err    string
	}{
		"is destroyed, what needs it first": {
			config: only(pair()), state: all,
			told: []string{
				"forget lib: is no longer in the configuration", "destroy target.image.base: is no longer in the configuration",
				"destroy target.image.top: is no longer in the configuration",
			},
			work: []string{"target.image.base#unpublish <- target.image.top#unpublish", "target.image.top#unpublish"},
		},
		"is only forgotten where a removed block says so": {
			config: only(pair(), "recipe.lib", base), state: all,
			req:  func(r *plan.Request) { r.Removed = []plan.Removed{{From: target(top)}} },
			told: []string{"forget target.image.top: a removed block says so"},
		},
		"is destroyed where a removed block says so, protected or not": {
			config: only(pair(), "recipe.lib", base), state: protect(all.Clone(), top),
			req:  func(r *plan.Request) { r.Removed = []plan.Removed{{From: target(top), Destroy: true}} },
			told: []string{"destroy target.image.top: is no longer in the configuration"},
			work: []string{"target.image.top#unpublish"},
		},
		"stays protected as recorded": {
			config: only(pair(), "recipe.lib", base), state: protect(all.Clone(), top),
			err: "target.image.top would be destroyed, but prevent_destroy protects it",
		},
		"is left alone outside of --target": {
			config: only(pair(), "recipe.lib"), state: all, req: func(r *plan.Request) { r.Targets = targets("lib") },
		},
		"is left alone under --exclude": {
			config: only(pair(), "recipe.lib", base), state: all, req: func(r *plan.Request) { r.Excludes = targets(top) },
		},
		"is destroyed when named by --target": {
			config: only(pair(), "recipe.lib", base), state: all, req: func(r *plan.Request) { r.Targets = targets(top) },
			told: []string{"destroy target.image.top: is no longer in the configuration"}, work: []string{"target.image.top#unpublish"},
		},
		"of a kind that this version does not know is forgotten": {
			config: only(pair()), state: func() *state.State {
				s := state.New("11111111-2222-3333-4444-555555555555", "1")
				s.Put(&state.Object{Address: "environment.x", Kind: "environment", Key: pair().key("lib")})
				return s
			}(),
			told: []string{"forget environment.x: is no longer in the configuration"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := deployed(pair())
			req := request(test.config, w, test.state)
			if test.req != nil {
				test.req(&req)
			}
			check(t, req, test.told, test.work, test.err)
		})
	}
}

// check plans and compares; wantErr is the beginning of the expected error.
func check(t *testing.T, req plan.Request, wantTold, wantWork []string, wantErr string) {
	t.Helper()
	p, err := plan.Make(context.Background(), req)
	if wantErr != "" {
		if err == nil || len(err.Error()) < len(wantErr) || err.Error()[:len(wantErr)] != wantErr {
			t.Errorf("error %v, want %s", err, wantErr)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append([]string{}, wantTold...), told(p)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(append([]string{}, wantWork...), work(p)); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestDestroy(t *testing.T) {
	const base, top, why = "target.image.base", "target.image.top", ": everything is to be destroyed"
	for name, test := range map[string]struct {
		config func() *config
		req    func(*plan.Request)
		told   []string
		work   []string
		err    string
	}{
		"removes all, what needs others first": {
			told: []string{"forget lib" + why, "destroy " + base + why, "destroy " + top + why},
			work: []string{base + "#unpublish <- " + top + "#unpublish", top + "#unpublish"},
		},
		"of a target takes what needs it along": {
			req:  func(r *plan.Request) { r.Targets = targets(base) },
			told: []string{"destroy " + base + why, "destroy " + top + why},
			work: []string{base + "#unpublish <- " + top + "#unpublish", top + "#unpublish"},
		},
		"of a target that nothing needs takes that one only": {
			req: func(r *plan.Request) { r.Targets = targets(top) }, told: []string{"destroy " + top + why}, work: []string{top + "#unpublish"},
		},
		"leaves what is excluded, and what that needs": {
			req: func(r *plan.Request) { r.Excludes = targets(base) }, told: []string{"destroy " + top + why}, work: []string{top + "#unpublish"},
		},
		"of a target leaves it when something excluded needs it": {
			req: func(r *plan.Request) { r.Targets, r.Excludes = targets(base), targets(top) },
		},
		"is refused as a whole where something is protected": {
			config: func() *config { c := pair(); c.index[at(base)].PreventDestroy = true; return c },
			err:    "target.image.base would be destroyed, but prevent_destroy protects it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := pair()
			w, s := deployed(c)
			if test.config != nil {
				c = test.config()
			}
			req := request(c, w, s)
			req.Mode = plan.Destroy
			if test.req != nil {
				test.req(&req)
			}
			check(t, req, test.told, test.work, test.err)
			if len(w.rounds) > 0 {
				t.Errorf("a destroy looked at %v", w.rounds)
			}
		})
	}
}

func TestMoves(t *testing.T) {
	move := func(pairs ...string) func(*plan.Request) {
		return func(r *plan.Request) {
			for i := 0; i < len(pairs); i += 2 {
				r.Moved = append(r.Moved, plan.Moved{From: target(pairs[i]), To: target(pairs[i+1])})
			}
		}
	}
	at := func(addresses ...string) *config {
		c := newConfig()
		for _, a := range addresses {
			c.add(a, "1")
		}
		return c
	}
	const image = "target.image."
	for name, test := range map[string]struct {
		before, after []string
		moves         func(*plan.Request)
		told          []string
		err           string
	}{
		"a block": {
			[]string{image + "a"}, []string{image + "b"}, move(image+"a", image+"b"),
			[]string{"move target.image.b: moved from target.image.a (from target.image.a)"}, "",
		},
		"a block into an instance": {
			[]string{image + "a"}, []string{image + `a["x"]`}, move(image+"a", image+`a["x"]`),
			[]string{`move target.image.a["x"]: moved from target.image.a (from target.image.a)`}, "",
		},
		"a block with all its instances": {
			[]string{image + `a["x"]`, image + `a["y"]`}, []string{image + `b["x"]`, image + `b["y"]`}, move(image+"a", image+"b"),
			[]string{
				`move target.image.b["x"]: moved from target.image.a["x"] (from target.image.a["x"])`,
				`move target.image.b["y"]: moved from target.image.a["y"] (from target.image.a["y"])`,
			}, "",
		},
		"a module": {
			[]string{"module.m.target.image.a"}, []string{`module.n["k"].target.image.a`}, move("module.m", `module.n["k"]`),
			[]string{`move module.n["k"].target.image.a: moved from module.m.target.image.a (from module.m.target.image.a)`}, "",
		},
		"a chain, whatever the order of its links": {
			[]string{image + "a"}, []string{image + "c"}, move(image+"b", image+"c", image+"a", image+"b"),
			[]string{"move target.image.c: moved from target.image.a (from target.image.a)"}, "",
		},
		"nothing, where nothing is recorded under the old address": {
			[]string{image + "b"}, []string{image + "b"}, move(image+"a", image+"b"), nil, "",
		},
		"nothing, where the new address is taken: the old one goes": {
			[]string{image + "a", image + "b"}, []string{image + "b"}, move(image+"a", image+"b"),
			[]string{"destroy target.image.a: is no longer in the configuration"}, "",
		},
		"a circle is refused": {
			[]string{image + `a["x"]`}, []string{image + `a["x"]`}, move(image+`a["x"]`, image+`a["y"]`, image+`a["y"]`, image+`a["x"]`), nil,
			`the moved blocks run in a circle (target.image.a["x"] → target.image.a["y"] → target.image.a["x"])`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := at(test.before...), at(test.after...)
			w, s := newWorld(), recorded(before)
			for i, o := range before.objects {
				r := recordOf(o)
				if i < len(after.objects) && len(before.objects) == len(after.objects) {
					r.Key = after.objects[i].Key // keys do not tell addresses apart
					w.published[after.objects[i].Address.String()] = r.Key
				}
				s.Put(r)
			}
			for _, o := range after.objects {
				w.published[o.Address.String()] = o.Key
			}
			req := request(after, w, s, test.moves)
			p, err := plan.Make(context.Background(), req)
			if test.err != "" {
				var cycle *plan.MoveCycleError
				if !errors.As(err, &cycle) || err.Error()[:len(test.err)] != test.err {
					t.Error(err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append([]string{}, test.told...), told(p)); diff != "" {
				t.Error(diff)
			}
			next := carryOut(t, p, w, s, after)
			req.State = next
			if again := mustPlan(t, req); !again.Empty() {
				t.Errorf("the next plan has %v", told(again))
			}
		})
	}
	t.Run("records that depend on what moved follow it", func(t *testing.T) {
		c := pair()
		w, s := deployed(c)
		req := request(c, w, s, move(image+"base", image+"ground"))
		req.Mode, req.Targets = plan.Destroy, targets(image+"ground")
		p := mustPlan(t, req)
		want := []string{image + "ground#unpublish <- " + image + "top#unpublish", image + "top#unpublish"}
		if diff := cmp.Diff(want, work(p)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("what moves and changes says both", func(t *testing.T) {
		c := newConfig()
		c.add(image+"b", "2")
		s := recorded(c)
		old := newConfig()
		r := recordOf(old.add(image+"a", "1"))
		s.Put(r)
		p := mustPlan(t, request(c, newWorld(), s, move(image+"a", image+"b")))
		if diff := cmp.Diff([]string{"create target.image.b: version 1 → 2 (from target.image.a)"}, told(p)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRefreshOnly(t *testing.T) {
	const image = "target.image.lab"
	for name, test := range map[string]struct {
		change func(*world, *config)
		told   []string
	}{
		"nothing has changed": {func(*world, *config) {}, nil},
		"what is gone is forgotten": {
			func(w *world, _ *config) { delete(w.published, image) }, []string{"forget " + image + ": is gone (drift)"},
		},
		"what was changed is recorded as it is": {
			func(w *world, _ *config) { w.published[image] = "?" }, []string{"refresh " + image + ": was changed by somebody else (drift)"},
		},
		"what was never brought somewhere is no change": {
			func(w *world, _ *config) { w.published[image], w.notDrift[image] = "?", "not yet there" }, nil,
		},
		"a package that is in no cache any more is forgotten": {
			func(w *world, c *config) { delete(w.cached, c.key("tool")) }, []string{"forget tool: is in no cache any more (drift)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := stack("1.0")
			w, s := deployed(c)
			test.change(w, c)
			p := mustPlan(t, request(c, w, s, func(r *plan.Request) { r.Mode = plan.RefreshOnly }))
			if diff := cmp.Diff(append([]string{}, test.told...), told(p)); diff != "" {
				t.Error(diff)
			}
			if len(p.Steps) > 0 {
				t.Errorf("steps %v", work(p))
			}
			for _, ch := range p.Changes {
				if ch.Action == plan.Refresh && (ch.Prior["digest"] == nil || len(ch.Key) != 64) {
					t.Errorf("%+v", ch)
				}
			}
		})
	}
}

func TestSuggestionsAreNear(t *testing.T) {
	known := []string{"recipe.greet", "target.image.lab"}
	for written, want := range map[string]string{"recipe.great": "recipe.greet", "target.image.lap": "target.image.lab", "x": ""} {
		if got := plan.Suggest(written, known); got != want {
			t.Errorf("Suggest(%q) = %q", written, got)
		}
	}
}
