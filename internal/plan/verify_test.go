package plan_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/addr"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/state"
)

// then is the world in which a plan is saved, and now the one in which it is
// done: what a test makes of the first.
type moment struct {
	config  *config
	state   *state.State
	outputs []plan.OutputValue
	moved   []plan.Moved
	removed []plan.Removed
	said    map[string]map[string]string // address to attribute to value
	digest  string
}

func (m *moment) request(t testing.TB, w *world, mode plan.Mode) plan.Request {
	return request(m.config, w, m.state, func(r *plan.Request) {
		r.Mode, r.Outputs, r.Moved, r.Removed = mode, m.outputs, m.moved, m.removed
		r.Config.Digest = m.digest
		r.Said = func(a addr.Address) map[string]string { return m.said[a.String()] }
	})
}

// record puts a changed record in place of one, a serial later.
func (m *moment) record(address string, f func(*state.Object)) {
	m.next()
	o := &state.Object{Address: at(address).String(), Kind: at(address).Kind, Key: strings.Repeat("e", 64)}
	if r := m.state.Get(o.Address); r != nil {
		*o = *r
	}
	o.When = "2026-02-02T02:02:02Z"
	f(o)
	m.state.Put(o)
}

// recordAs records an object as another configuration has it.
func (m *moment) recordAs(c *config, address string) {
	m.record(address, func(o *state.Object) {
		*o = *recordOf(c.index[at(address)])
		o.When = "2026-02-02T02:02:02Z"
	})
}

func (m *moment) forget(address string) {
	m.next()
	delete(m.state.Objects, at(address).String())
}

// next is another version of the state.
func (m *moment) next() {
	if m.state == nil {
		m.state = state.New("11111111-2222-3333-4444-555555555555", "1.0.0")
	}
	m.state = m.state.Clone()
	m.state.Serial++
}

// reconfigure puts another configuration in place.
func (m *moment) reconfigure(c *config) { m.config, m.digest = c, "another" }

// setting adds a block without content key.
func (c *config) setting(address string) {
	a := at(address)
	c.objects = append(c.objects, &providers.Object{Address: a, Kind: a.Kind, Spec: address})
}

func without(c *config, names ...string) *config {
	c.objects = slices.DeleteFunc(c.objects, func(o *providers.Object) bool { return slices.Contains(names, o.Address.String()) })
	return c
}

// asSaved is a plan as it comes out of its file.
func asSaved(t testing.TB, p *plan.Plan) *plan.Plan {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plan")
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := plan.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

const lab = "target.image.lab"

// upgrade is the moment at which a new app is planned: lib and tool are as
// wanted; a further image, side, has nothing to do with it.
func upgrade() (*moment, *world) {
	before := stack("1.0")
	before.add("other", "1.0")
	before.add("target.image.side", "1", "other")
	w, s := deployed(before)
	w.installed[before.key("lib")], w.installed[before.key("tool")] = true, true
	w.published["target.image.edge"] = before.key("target.image.side")
	after := stack("1.1")
	after.add("other", "1.0")
	after.add("target.image.side", "1", "other")
	return &moment{config: after, state: s, digest: "d", said: map[string]map[string]string{lab: {"publish": "a"}}}, w
}

func TestWhetherASavedPlanIsStale(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		mode plan.Mode
		then func(*moment)
		now  func(*moment)
		want []string // shifts, or what was done already behind "done ", or further changes behind "further "
	}{
		"not if nothing has moved": {now: func(*moment) {}},

		// What others applied.
		"not if something unrelated was recorded": {now: func(m *moment) {
			m.record("recipe.else", func(*state.Object) {})
		}},
		"not if something unrelated was made again": {now: func(m *moment) {
			m.record("other", func(o *state.Object) { o.Key = strings.Repeat("a", 64) })
		}},
		"not if something unrelated is recorded no longer": {now: func(m *moment) { m.forget("target.image.side") }},
		"not if a package was recorded again as it was":    {now: func(m *moment) { m.record("app", func(*state.Object) {}) }},
		"if another apply has made another package": {
			now:  func(m *moment) { m.recordAs(stack("2.0"), "app") },
			want: []string{"recipe.app: was made again as 2b79d7d by an apply since: version 1.0 → 2.0"},
		},
		"if another apply has made another image": {
			now:  func(m *moment) { m.recordAs(stack("2.0"), lab) },
			want: []string{lab + ": was made again as d9b855f by an apply since: recipe.app changed"},
		},
		"if the record of what changes is gone": {
			now:  func(m *moment) { m.forget("app") },
			want: []string{"recipe.app: is not recorded any more"},
		},
		"if what changes was tainted": {
			now:  func(m *moment) { m.record("app", func(o *state.Object) { o.Tainted = true }) },
			want: []string{"recipe.app: was tainted since"},
		},
		"if what was tainted is not any more": {
			then: func(m *moment) { m.record("app", func(o *state.Object) { o.Tainted = true }) },
			now:  func(m *moment) { m.record("app", func(o *state.Object) { o.Tainted = false }) },
			want: []string{"recipe.app: is not tainted any more"},
		},
		"if the protection of what changes was changed": {
			now:  func(m *moment) { m.record(lab, func(o *state.Object) { o.PreventDestroy = true }) },
			want: []string{lab + ": prevent_destroy was changed by an apply since"},
		},
		"if what changes was made again with other results": {
			now: func(m *moment) {
				m.record(lab, func(o *state.Object) { o.Attributes = state.Attributes{"digest": "x"} })
			},
			want: []string{lab + ": was recorded again with other results (dff98ce)"},
		},
		"if something that is kept and needed was made again": {
			now:  func(m *moment) { m.record("lib", func(o *state.Object) { o.Key = strings.Repeat("a", 64) }) },
			want: []string{"recipe.lib: is needed by the plan, and was made again as aaaaaaa by an apply since: it is another one"},
		},
		"if something that is kept and needed is recorded no longer": {
			now:  func(m *moment) { m.forget("tool") },
			want: []string{"recipe.tool: is needed by the plan, and is not recorded any more"},
		},
		"not if another apply has done the same": {
			now:  func(m *moment) { m.recordAs(stack("1.1"), "app"); m.recordAs(stack("1.1"), lab) },
			want: []string{"done recipe.app", "done " + lab},
		},
		"not if a part of it was done": {
			now: func(m *moment) { m.recordAs(stack("1.1"), "app") }, want: []string{"done recipe.app"},
		},
		"if another apply has done a part of it, and something else": {
			now:  func(m *moment) { m.recordAs(stack("1.1"), "app"); m.recordAs(stack("2.0"), lab) },
			want: []string{lab + ": was made again as d9b855f by an apply since: recipe.app changed"},
		},

		// States that do not follow.
		"if the state went backward": {
			now:  func(m *moment) { m.next(); m.state.Serial = 3 },
			want: []string{"it was made against serial 7 of state 11111111, but the state went backward to serial 3: perhaps a backup was put back"},
		},
		"if there is no state any more": {
			now:  func(m *moment) { m.state = nil },
			want: []string{"it was made against serial 7 of state 11111111, and there is no state now"},
		},
		"if there is another state": {
			now:  func(m *moment) { m.next(); m.state.Lineage = "99999999-2222-3333-4444-555555555555" },
			want: []string{"it was made against serial 7 of state 11111111, and there is serial 8 of state 99999999 now, which is another state altogether"},
		},
		"not if the state has come into being since with something unrelated": {
			then: func(m *moment) { m.state = nil }, now: func(m *moment) { m.record("recipe.else", func(*state.Object) {}) },
		},
		"not if the state has come into being since with some of it": {
			then: func(m *moment) { m.state = nil }, now: func(m *moment) { m.recordAs(stack("1.0"), "lib") },
			want: []string{"done recipe.lib"},
		},
		"if the state has come into being since with something else": {
			then: func(m *moment) { m.state = nil }, now: func(m *moment) { m.recordAs(stack("1.0"), "app") },
			want: []string{"recipe.app: was recorded meanwhile as ba5bb4d, which the plan does not know of: version 1.1 → 1.0"},
		},

		// The configuration.
		"not if something unrelated was added to the configuration": {
			now: func(m *moment) {
				m.config.add("target.image.new", "1", "other")
				m.reconfigure(m.config)
			},
			want: []string{"further target.image.new"},
		},
		"not if something unrelated was changed": {
			now: func(m *moment) {
				c := stack("1.1")
				c.add("other", "2.0")
				c.add("target.image.side", "1", "other")
				m.reconfigure(c)
			},
			want: []string{"further recipe.other", "further target.image.side"},
		},
		"not if something unrelated was removed": {
			now: func(m *moment) { m.reconfigure(without(m.config, "target.image.side")) }, want: []string{"unconfigured target.image.side"},
		},
		"not if somebody else has recorded what the configuration does not have": {
			now:  func(m *moment) { m.record("recipe.theirs", func(*state.Object) {}); m.digest = "another" },
			want: []string{"unconfigured recipe.theirs"},
		},
		"if a package that is built was changed, that first": {
			now: func(m *moment) { m.reconfigure(stack("1.2")) },
			want: []string{
				"recipe.app: the configuration has changed: version 1.1 → 1.2", lab + ": the configuration has changed: recipe.app changed",
			},
		},
		"if what is built is no longer configured": {
			now:  func(m *moment) { m.reconfigure(without(m.config, "recipe.app", lab)) },
			want: []string{"recipe.app: is no longer in the configuration", lab + ": is no longer in the configuration"},
		},
		"if what is made is protected now": {
			now:  func(m *moment) { m.config.index[at(lab)].PreventDestroy = true; m.digest = "another" },
			want: []string{lab + ": the configuration has changed: prevent_destroy changed"},
		},
		"if what is made goes elsewhere": {
			now: func(m *moment) {
				m.said = map[string]map[string]string{lab: {"publish": "b", "files": "f"}}
				m.digest = "another"
			},
			want: []string{lab + ": the configuration has changed: files changed, publish changed"},
		},
		"if what is kept and needed was changed": {
			now:  func(m *moment) { m.config.index[at("tool")].Key = strings.Repeat("a", 64); m.digest = "another" },
			want: []string{"recipe.tool: is needed by the plan, and the configuration of it has changed"},
		},
		"if what is made is not locked any more": {
			now:  func(m *moment) { m.config.index[at(lab)].Unlocked = "its lock is old"; m.digest = "another" },
			want: []string{lab + ": is not locked as it is configured now"},
		},

		// Settings.
		"if a block that steps use says something else": {
			then: func(m *moment) {
				m.said["site.here"] = map[string]string{"url": "a"}
				m.config.setting("site.here")
				uses(m, lab, "site.here")
			},
			now: func(m *moment) {
				m.said = map[string]map[string]string{lab: m.said[lab], "site.here": {"url": "b"}}
				m.digest = "another"
			},
			want: []string{"site.here: is used by the plan, and has changed: url changed"},
		},
		"if a block that steps use is gone": {
			then: func(m *moment) { m.config.setting("site.here"); uses(m, "app", "site.here") },
			now:  func(m *moment) { m.reconfigure(without(m.config, "site.here")) },
			want: []string{"site.here: is used by the plan, and is no longer in the configuration"},
		},
		"if another block is added of a kind of which all serve": {
			then: func(m *moment) { m.config.asks = "site" },
			now:  func(m *moment) { m.config.setting("site.there"); m.digest = "another" },
			want: []string{"site.there: was added, and would be used by the plan"},
		},
		"not if a block is added that no step uses": {
			now: func(m *moment) { m.config.setting("site.there"); m.digest = "another" },
		},

		// What goes.
		"not if what goes is gone": {
			then: func(m *moment) { without(m.config, "target.image.side", "recipe.other") },
			now:  func(m *moment) { m.forget("target.image.side"); m.forget("other") },
			want: []string{"done recipe.other", "done target.image.side"},
		},
		"if what goes is configured again": {
			then: func(m *moment) { without(m.config, "target.image.side") },
			now: func(m *moment) {
				c := stack("1.1")
				c.add("other", "1.0")
				c.add("target.image.side", "1", "other")
				m.reconfigure(c)
			},
			want: []string{"target.image.side: is in the configuration again"},
		},
		"if what goes was made again": {
			then: func(m *moment) { without(m.config, "target.image.side") },
			now: func(m *moment) {
				m.record("target.image.side", func(o *state.Object) { o.Key = strings.Repeat("a", 64) })
			},
			want: []string{"target.image.side: was made again as aaaaaaa by an apply since"},
		},
		"if what goes is needed by something that was recorded since": {
			then: func(m *moment) { without(m.config, "target.image.side") },
			now: func(m *moment) {
				m.record("recipe.else", func(o *state.Object) { o.Dependencies = []string{"target.image.side"} })
			},
			want: []string{"target.image.side: is needed by recipe.else now"},
		},
		"if what was to go is only to be forgotten now": {
			then: func(m *moment) { without(m.config, "target.image.side") },
			now:  func(m *moment) { m.removed = []plan.Removed{{From: target("target.image.side")}}; m.digest = "another" },
			want: []string{"target.image.side: the configuration has changed: it would be only forgotten now"},
		},
		"if what was to be forgotten would go now": {
			then: func(m *moment) {
				without(m.config, "target.image.side")
				m.removed = []plan.Removed{{From: target("target.image.side")}}
			},
			now:  func(m *moment) { m.removed = nil; m.digest = "another" },
			want: []string{"target.image.side: the configuration has changed: it would be destroyed now"},
		},
		"not if something was added that a destroy does not touch": {
			mode: plan.Destroy, now: func(m *moment) { m.record("recipe.else", func(*state.Object) {}) },
		},
		"if a destroy would take what is protected now": {
			mode: plan.Destroy, now: func(m *moment) { m.config.index[at(lab)].PreventDestroy = true; m.digest = "another" },
			want: []string{lab + ": prevent_destroy protects it now"},
		},
		"not if a destroy was done": {
			mode: plan.Destroy,
			now: func(m *moment) {
				for _, address := range m.state.Addresses() {
					m.forget(address)
				}
			},
			want: []string{"done recipe.app", "done recipe.lib", "done recipe.other", "done recipe.tool", "done " + lab, "done target.image.side"},
		},

		// Moves.
		"not if what moves has moved": {
			then: func(m *moment) { moveSide(m) },
			now: func(m *moment) {
				m.record("target.image.edge", func(o *state.Object) { *o = *m.state.Get("target.image.side"); o.Address = "target.image.edge" })
				m.forget("target.image.side")
			},
			want: []string{"done target.image.edge"},
		},
		"if what moves has moved and was made again": {
			then: func(m *moment) { moveSide(m) },
			now: func(m *moment) {
				m.record("target.image.edge", func(o *state.Object) {
					*o = *m.state.Get("target.image.side")
					o.Address, o.Tainted = "target.image.edge", true
				})
				m.forget("target.image.side")
			},
			want: []string{"target.image.edge: was tainted since"},
		},
		"if a move is no longer configured": {
			then: func(m *moment) { moveSide(m) },
			now:  func(m *moment) { m.moved, m.digest = nil, "another" },
			want: []string{"target.image.edge: is not recorded any more"},
		},

		// Outputs.
		"if an output is to have another value": {
			then: func(m *moment) { m.outputs = []plan.OutputValue{{Name: "x", Value: json.RawMessage(`1`)}} },
			now: func(m *moment) {
				m.outputs = []plan.OutputValue{{Name: "x", Value: json.RawMessage(`2`)}}
				m.digest = "another"
			},
			want: []string{"output x: has another value now"},
		},
		"if an output is no longer configured": {
			then: func(m *moment) { m.outputs = []plan.OutputValue{{Name: "x", Value: json.RawMessage(`1`)}} },
			now:  func(m *moment) { m.outputs, m.digest = nil, "another" },
			want: []string{"output x: is no longer in the configuration"},
		},
		"not if another output was added": {
			now: func(m *moment) {
				m.outputs = []plan.OutputValue{{Name: "x", Value: json.RawMessage(`1`)}}
				m.digest = "another"
			},
		},
		"not if an output that was not known is known": {
			then: func(m *moment) { m.outputs = []plan.OutputValue{{Name: "x", Unknown: true}} },
			now:  func(m *moment) { m.outputs = []plan.OutputValue{{Name: "x", Value: json.RawMessage(`2`)}}; m.next() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, w := upgrade()
			if test.then != nil {
				test.then(m)
			}
			w.asks = m.config.asks
			mode := test.mode
			if mode == "" {
				mode = plan.Apply
			}
			p := asSaved(t, mustPlan(t, m.request(t, w, mode)))
			test.now(m)
			verified, err := p.Verify(m.request(t, w, mode))
			if diff := cmp.Diff(test.want, shifts(t, verified, err)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// uses lets the block at an address refer to another one.
func uses(m *moment, address, other string) {
	o := m.config.index[at(address)]
	o.Dependencies = append(o.Dependencies, at(other))
}

// moveSide gives the image that nothing else is about another address.
func moveSide(m *moment) {
	o := m.config.index[at("target.image.side")]
	o.Address = at("target.image.edge")
	m.config.index[o.Address] = o
	m.moved = []plan.Moved{{From: target("target.image.side"), To: target("target.image.edge")}}
}

func shifts(t *testing.T, v *plan.Verified, err error) []string {
	t.Helper()
	var stale *plan.StaleError
	var list []string
	switch {
	case errors.As(err, &stale):
		if !errors.Is(err, plan.ErrStale) || !strings.Contains(err.Error(), "plan again") {
			t.Error(err)
		}
		if stale.Problem != "" {
			list = append(list, stale.Problem)
		}
		for _, s := range stale.Shifts {
			list = append(list, s.Address+": "+s.What)
		}
		return list
	case err != nil:
		t.Fatal(err)
	}
	for _, address := range v.Done {
		list = append(list, "done "+address)
	}
	for _, address := range v.Further {
		list = append(list, "further "+address)
	}
	for _, address := range v.Unconfigured {
		list = append(list, "unconfigured "+address)
	}
	if _, err := v.Plan.Graph(); err != nil {
		t.Error(err)
	}
	return list
}

func TestWhatIsLeftToDoOfASavedPlan(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		mode plan.Mode
		then func(*moment)
		now  func(*moment)
		told []string
		work []string
		sum  plan.Summary
	}{
		"all where nothing was done": {
			now:  func(m *moment) { m.record("recipe.else", func(*state.Object) {}) },
			told: []string{"build app: version 1.0 → 1.1", "update " + lab + ": recipe.app changed"},
			work: []string{"app#build", lab + "#assemble <- app#build", lab + "#publish <- " + lab + "#assemble"},
			sum:  plan.Summary{Build: 1, Update: 1},
		},
		"steps whose product is recorded, to make sure of it": {
			now:  func(m *moment) { m.recordAs(stack("1.1"), "app") },
			told: []string{"build app: version 1.0 → 1.1", "update " + lab + ": recipe.app changed"},
			work: []string{"app#build", lab + "#assemble <- app#build", lab + "#publish <- " + lab + "#assemble"},
			sum:  plan.Summary{Build: 1, Update: 1},
		},
		"nothing where all was done": {
			now:  func(m *moment) { m.recordAs(stack("1.1"), "app"); m.recordAs(stack("1.1"), lab) },
			told: []string{}, work: []string{},
		},
		"of what goes, only what is still there": {
			mode: plan.Destroy,
			now:  func(m *moment) { m.forget(lab); m.forget("app") },
			told: []string{
				"forget lib: everything is to be destroyed", "forget other: everything is to be destroyed",
				"forget tool: everything is to be destroyed", "destroy target.image.side: everything is to be destroyed",
			},
			work: []string{"target.image.side#unpublish"},
			sum:  plan.Summary{Destroy: 1, Forget: 3},
		},
		"nothing of a move that was made, so that it does not take what came after it": {
			then: moveSide,
			now: func(m *moment) {
				m.record("target.image.edge", func(o *state.Object) { *o = *m.state.Get("target.image.side"); o.Address = "target.image.edge" })
				m.record("target.image.side", func(o *state.Object) { o.Key = strings.Repeat("b", 64) })
			},
			told: []string{"build app: version 1.0 → 1.1", "update " + lab + ": recipe.app changed"},
			work: []string{"app#build", lab + "#assemble <- app#build", lab + "#publish <- " + lab + "#assemble"},
			sum:  plan.Summary{Build: 1, Update: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, w := upgrade()
			if test.then != nil {
				test.then(m)
			}
			mode := test.mode
			if mode == "" {
				mode = plan.Apply
			}
			p := asSaved(t, mustPlan(t, m.request(t, w, mode)))
			before := toJSON(t, p)
			test.now(m)
			verified, err := p.Verify(m.request(t, w, mode))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.told, told(verified.Plan)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.work, work(verified.Plan)); diff != "" {
				t.Error(diff)
			}
			got := verified.Plan.Summary
			got.Reused, got.Unchanged = 0, 0
			if diff := cmp.Diff(test.sum, got); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(before, toJSON(t, p)); diff != "" {
				t.Errorf("the plan itself was changed: %s", diff)
			}
		})
	}
}

func TestWhatWasMadeAnewIsNotMadeAnewAgain(t *testing.T) {
	t.Parallel()
	m, w := upgrade()
	m.config = stack("1.0")
	p := asSaved(t, mustPlan(t, request(m.config, w, m.state, func(r *plan.Request) { r.Replaces = targets("app") })))
	spec := func(p *plan.Plan) string {
		for _, s := range p.Steps {
			if s.Address == "recipe.app" {
				return string(s.Spec)
			}
		}
		return "no step"
	}
	if got := spec(p); got != `{"replace":true}` {
		t.Fatal(got)
	}
	m.recordAs(stack("1.0"), "app") // the run was killed behind this
	verified, err := p.Verify(request(m.config, w, m.state))
	if err != nil {
		t.Fatal(err)
	}
	if got := spec(verified.Plan); got != `{}` {
		t.Errorf("it would be built twice: %s", got)
	}
}

func TestAStalePlanSaysWhyInFewLines(t *testing.T) {
	t.Parallel()
	e := &plan.StaleError{Then: plan.StateID{Lineage: "a", Serial: 12}, Now: plan.StateID{Lineage: "a", Serial: 14}}
	for range 30 {
		e.Shifts = append(e.Shifts, plan.Shift{Address: "recipe.a", What: "is not recorded any more"})
	}
	lines := strings.Split(e.Error(), "\n")
	if lines[0] != "the saved plan is stale: what it rests on has moved since it was made (serial 12 → 14):" || len(lines) != 11 || lines[9] != "  and 22 more" {
		t.Error(e.Error())
	}
}
