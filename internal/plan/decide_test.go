package plan_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/addr"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/state"
)

// stack is the configuration of most tests: an image of app, which needs lib
// to run and tool to be built; extra is used by nobody.
func stack(appVersion string) *config {
	c := newConfig()
	c.add("lib", "1.0")
	c.add("tool", "1.0")
	c.add("app", appVersion, "lib", "~tool")
	c.add("target.image.lab", "1", "app", "lib")
	return c
}

func TestDecisions(t *testing.T) {
	type scene struct {
		config *config
		world  *world
		state  *state.State
		req    func(*plan.Request)
	}
	everything := func() scene {
		c := stack("1.0")
		w, s := deployed(c)
		return scene{config: c, world: w, state: s}
	}
	change := func(s *state.State, address string, f func(*state.Object)) {
		o := *s.Objects[address]
		f(&o)
		s.Objects[address] = &o
	}
	const image = "target.image.lab"
	for name, test := range map[string]struct {
		scene func() scene
		told  []string
		work  []string
	}{
		"nothing exists: all is built, in the order of the needs": {
			func() scene { c := stack("1.0"); return scene{config: c, world: newWorld()} },
			[]string{
				"build app: not in any cache", "build lib: not in any cache", "build tool: not in any cache",
				"create target.image.lab: does not exist yet",
			},
			[]string{
				"app#build <- lib#build tool#build", "lib#build", "target.image.lab#assemble <- app#build lib#build",
				"target.image.lab#publish <- target.image.lab#assemble", "tool#build",
			},
		},
		"all is as recorded and as configured: nothing to do": {everything, []string{}, []string{}},
		"a cached package brings in neither its build needs nor its own build": {
			func() scene {
				s := scene{config: stack("1.0"), world: newWorld()}
				s.world.cache(s.config, "app", "lib")
				return s
			},
			[]string{"adopt app: is in cache main", "adopt lib: is in cache main", "create target.image.lab: does not exist yet"},
			[]string{"target.image.lab#assemble", "target.image.lab#publish <- target.image.lab#assemble"},
		},
		"a package to build needs cached ones installed: they are fetched": {
			func() scene {
				s := scene{config: stack("1.0"), world: newWorld()}
				s.world.cache(s.config, "lib", "tool")
				return s
			},
			[]string{
				"build app: not in any cache", "fetch lib: is in cache main", "fetch tool: is in cache main",
				"create target.image.lab: does not exist yet",
			},
			[]string{
				"app#build <- lib#fetch tool#fetch", "lib#fetch", "target.image.lab#assemble <- app#build lib#fetch",
				"target.image.lab#publish <- target.image.lab#assemble", "tool#fetch",
			},
		},
		"what exists as wanted and is not recorded is adopted": {
			func() scene { s := everything(); s.state = nil; return s },
			[]string{"adopt target.image.lab: exists as wanted"}, []string{},
		},
		"a new version of a package updates what is made of it": {
			func() scene { s := everything(); s.config = stack("1.1"); return s },
			[]string{
				"build app: version 1.0 → 1.1", "fetch lib: is in cache main", "fetch tool: is in cache main",
				"update target.image.lab: recipe.app changed",
			},
			[]string{
				"app#build <- lib#fetch tool#fetch", "lib#fetch", "target.image.lab#assemble <- app#build lib#fetch",
				"target.image.lab#publish <- target.image.lab#assemble", "tool#fetch",
			},
		},
		"a record that is behind what exists is brought up without work": {
			func() scene {
				s := everything()
				s.config = stack("1.1")
				s.world.published[image] = s.config.key(image)
				return s
			},
			[]string{"adopt target.image.lab: recipe.app changed; exists as wanted"}, []string{},
		},
		"what is gone is made again, and said to be drift": {
			func() scene { s := everything(); delete(s.world.published, image); return s },
			[]string{"create target.image.lab: was there, but is gone (drift)"},
			[]string{"target.image.lab#assemble", "target.image.lab#publish <- target.image.lab#assemble"},
		},
		"what somebody else changed is put right, and said to be drift": {
			func() scene { s := everything(); s.world.published[image] = "?"; return s },
			[]string{"update target.image.lab: was changed by somebody else (drift)"},
			[]string{"target.image.lab#assemble", "target.image.lab#publish <- target.image.lab#assemble"},
		},
		"what was never brought somewhere is no drift": {
			func() scene {
				s := everything()
				s.world.published[image], s.world.notDrift[image] = "?", "not published to x yet"
				return s
			},
			[]string{"update target.image.lab: not published to x yet"},
			[]string{"target.image.lab#assemble", "target.image.lab#publish <- target.image.lab#assemble"},
		},
		"something foreign stands where a target is to be created": {
			func() scene { s := everything(); s.state = nil; s.world.published[image] = "?"; return s },
			[]string{
				"adopt app: is in cache main", "adopt lib: is in cache main",
				"create target.image.lab: something else stands in its place",
			},
			[]string{"target.image.lab#assemble", "target.image.lab#publish <- target.image.lab#assemble"},
		},
		"a package that was built and is in no cache any more is built again where it is needed": {
			func() scene {
				s := everything()
				delete(s.world.cached, s.config.key("app"))
				delete(s.world.published, image)
				s.world.installed[s.config.key("lib")], s.world.installed[s.config.key("tool")] = true, true
				return s
			},
			[]string{"build app: was built, but is in no cache any more (drift)", "create target.image.lab: was there, but is gone (drift)"},
			[]string{"app#build", "target.image.lab#assemble <- app#build", "target.image.lab#publish <- target.image.lab#assemble"},
		},
		"a package that is in no cache any more and that nobody needs is left alone": {
			func() scene { s := everything(); delete(s.world.cached, s.config.key("app")); return s }, []string{}, []string{},
		},
		"a tainted target is made anew although it is as wanted": {
			func() scene {
				s := everything()
				change(s.state, image, func(o *state.Object) { o.Tainted = true })
				return s
			},
			[]string{"update target.image.lab: is tainted"},
			[]string{"target.image.lab#assemble", "target.image.lab#publish <- target.image.lab#assemble"},
		},
		"a tainted package is built anew although it is cached": {
			func() scene {
				s := everything()
				change(s.state, "recipe.lib", func(o *state.Object) { o.Tainted = true })
				return s
			},
			[]string{"build lib: is tainted"}, []string{"lib#build"},
		},
		"a tainted package whose configuration changed since is another one": {
			func() scene {
				s := everything()
				change(s.state, "recipe.app", func(o *state.Object) { o.Tainted = true })
				s.config = stack("1.1")
				s.world.cache(s.config, "app")
				s.world.published[image] = s.config.key(image)
				return s
			},
			[]string{"adopt target.image.lab: recipe.app changed; exists as wanted"}, []string{},
		},
		"--replace makes a target anew": {
			func() scene {
				s := everything()
				s.req = func(r *plan.Request) { r.Replaces = targets(image) }
				return s
			},
			[]string{"update target.image.lab: --replace asks for it"},
			[]string{"target.image.lab#assemble", "target.image.lab#publish <- target.image.lab#assemble"},
		},
		"--replace builds a package anew, with what it needs to be built": {
			func() scene {
				s := everything()
				s.req = func(r *plan.Request) { r.Replaces = targets("app") }
				return s
			},
			[]string{"build app: --replace asks for it", "fetch lib: is in cache main", "fetch tool: is in cache main"},
			[]string{"app#build <- lib#fetch tool#fetch", "lib#fetch", "tool#fetch"},
		},
		"--target takes what the target needs and nothing else": {
			func() scene {
				s := scene{config: stack("1.0"), world: newWorld()}
				s.req = func(r *plan.Request) { r.Targets = targets("lib") }
				return s
			},
			[]string{"build lib: not in any cache"}, []string{"lib#build"},
		},
		"--exclude leaves out what needs the excluded": {
			func() scene {
				s := scene{config: stack("1.0"), world: newWorld()}
				s.req = func(r *plan.Request) { r.Excludes = targets("app") }
				return s
			},
			[]string{}, []string{},
		},
		"without refresh the record is believed": {
			func() scene {
				s := everything()
				delete(s.world.published, image)
				s.req = func(r *plan.Request) { r.NoRefresh = true }
				return s
			},
			[]string{}, []string{},
		},
		"a protection that changed is recorded": {
			func() scene { s := everything(); s.config.index[at(image)].PreventDestroy = true; return s },
			[]string{"refresh target.image.lab: prevent_destroy changed"}, []string{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := test.scene()
			req := request(s.config, s.world, s.state)
			if s.req != nil {
				s.req(&req)
			}
			p := mustPlan(t, req)
			if diff := cmp.Diff(test.told, told(p)); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.work, work(p)); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if got, want := p.Empty(), len(test.told) == 0; got != want {
				t.Errorf("Empty() = %v", got)
			}
		})
	}
}

func TestDemandDecidesWhatIsLookedAt(t *testing.T) {
	c := stack("1.0")
	for name, test := range map[string]struct {
		world  func() *world
		state  *state.State
		rounds []string
	}{
		"a target that is as wanted: nothing else is asked about": {
			func() *world { w, _ := deployed(c); return w }, recorded(c, "target.image.lab"), []string{"target.image.lab"},
		},
		"two rounds at the most, the second about everything that could be needed": {
			newWorld, nil, []string{"target.image.lab", "recipe.lib recipe.tool recipe.app"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := test.world()
			mustPlan(t, request(c, w, test.state))
			if diff := cmp.Diff(test.rounds, w.rounds); diff != "" {
				t.Error(diff)
			}
		})
	}
	t.Run("a toplevel that turns out to be needed installed takes no third round", func(t *testing.T) {
		c := newConfig()
		c.add("base", "1")
		c.add("lib", "1", "base")
		c.add("app", "1", "lib")
		c.add("top", "1", "app")
		w := newWorld()
		w.cache(c, "base", "lib")
		// lib and top are asked about first; app, which top needs, needs lib
		// installed, and so base.
		p := mustPlan(t, request(c, w, nil, func(r *plan.Request) { r.Targets = targets("lib", "top") }))
		if diff := cmp.Diff([]string{"recipe.lib recipe.top", "recipe.base recipe.app"}, w.rounds); diff != "" {
			t.Error(diff)
		}
		if len(p.Steps) != 4 {
			t.Errorf("%d steps", len(p.Steps))
		}
	})
	t.Run("without refresh nobody is asked", func(t *testing.T) {
		w := newWorld()
		mustPlan(t, request(c, w, nil, func(r *plan.Request) { r.NoRefresh = true }))
		if len(w.rounds) > 0 {
			t.Error(w.rounds)
		}
	})
	t.Run("an error of observing is told with its kind", func(t *testing.T) {
		w := newWorld()
		w.failing = errors.New("connection refused")
		_, err := plan.Make(context.Background(), request(c, w, nil))
		var observe *plan.ObserveError
		if !errors.As(err, &observe) || observe.Kind != "target.image" || !errors.Is(err, w.failing) {
			t.Error(err)
		}
	})
}

func TestOptionsThatNameNothingAreRefused(t *testing.T) {
	c := stack("1.0")
	w, s := deployed(c)
	for name, test := range map[string]struct {
		req  func(*plan.Request)
		want string
	}{
		"--target, with a name that is near": {
			func(r *plan.Request) { r.Targets = targets("ap") }, "--target recipe.ap names nothing in the configuration or the state; did you mean recipe.app?",
		},
		"--exclude": {func(r *plan.Request) { r.Excludes = targets("toll") }, "--exclude recipe.toll names nothing"},
		"--replace": {func(r *plan.Request) { r.Replaces = targets("target.image.labs") }, "did you mean target.image.lab?"},
		"--exclude of a destroy, which would otherwise destroy what it was to keep": {
			func(r *plan.Request) { r.Mode, r.Excludes = plan.Destroy, targets("target.image.lap") }, "did you mean target.image.lab?",
		},
		"--target of a destroy that is configured but not recorded": {
			func(r *plan.Request) { r.Mode, r.State, r.Targets = plan.Destroy, recorded(c, "lib"), targets("app") }, "--target recipe.app names nothing",
		},
		"--target of a refresh": {func(r *plan.Request) { r.Mode, r.Targets = plan.RefreshOnly, targets("libs") }, "did you mean recipe.lib?"},
		"nothing near":          {func(r *plan.Request) { r.Targets = targets("module.x") }, "`esd state list` and `esd graph` show the addresses"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := plan.Make(context.Background(), request(c, w, s, test.req))
			var none *plan.NoSuchObjectError
			if !errors.As(err, &none) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Run("what the lock file does not pin is named, with what pins it", func(t *testing.T) {
		c := stack("1.0")
		c.index[at("app")].Unpinned = []providers.Pin{{Repository: "https://x/y.git", Ref: "main"}, {Image: "debian:12", Platform: "linux/amd64"}}
		_, err := plan.Make(context.Background(), request(c, newWorld(), nil))
		var unpinned *plan.UnpinnedError
		if !errors.As(err, &unpinned) || !strings.Contains(err.Error(), `base image "debian:12" and the ref "main" of https://x/y.git`) {
			t.Error(err)
		}
		if _, err := plan.Make(context.Background(), request(c, newWorld(), nil, func(r *plan.Request) { r.Mode = plan.Destroy })); err != nil {
			t.Errorf("a destroy needs no pins: %v", err)
		}
	})
	t.Run("two targets that go to the same place", func(t *testing.T) {
		c := stack("1.0")
		c.add("target.image.other", "1", "lib").Spec.(*thing).claims = []string{"registry/x:1", "registry/x:2"}
		c.index[at("target.image.lab")].Spec.(*thing).claims = []string{"registry/x:2"}
		_, err := plan.Make(context.Background(), request(c, newWorld(), nil))
		var conflict *plan.ConflictError
		if !errors.As(err, &conflict) || conflict.Place != "registry/x:2" ||
			!strings.Contains(err.Error(), "both target.image.lab and target.image.other go to registry/x:2") {
			t.Error(err)
		}
	})
	t.Run("a provider that needs what is not among the dependencies is a bug that is told", func(t *testing.T) {
		c, w := stack("1.0"), newWorld()
		w.planned = map[string]providers.Planned{"recipe.app": {Steps: []providers.Step{{
			Op: "build", Needs: []providers.Need{{Address: addr.Address{Kind: "recipe", Name: "stranger"}, Form: providers.Archive}},
		}}}}
		_, err := plan.Make(context.Background(), request(c, w, nil))
		if err == nil || !strings.Contains(err.Error(), "recipe.app needs recipe.stranger, which is not among its dependencies") {
			t.Error(err)
		}
	})
}
