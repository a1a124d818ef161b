package plan_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/schema"
	"esd/internal/state"
)

// world is all that exists: what caches hold, what is installed on this
// machine, and what stands where targets go. The fake kinds below look at it
// and change it as real kinds do with registries and directories; everything
// else in these tests is real.
type world struct {
	mu        sync.Mutex
	cached    map[string]bool              // content keys
	installed map[string]bool              // content keys
	published map[string]string            // address to content key; "?" for something foreign
	notDrift  map[string]string            // address to a problem that is none of somebody else's making
	failing   error                        // of Observe
	rounds    []string                     // the addresses of each call of Observe
	planned   map[string]providers.Planned // overrides what Plan gives
	asks      string                       // the kind of settings that Plan asks for
}

func newWorld() *world {
	return &world{cached: map[string]bool{}, installed: map[string]bool{}, published: map[string]string{}, notDrift: map[string]string{}}
}

// fake is a kind with something to plan: packages (recipe) or targets
// (target.image). It stands in for the real kinds.
type fake struct {
	*world
	kind string
}

var (
	_ providers.Provider = fake{}
	_ providers.Claimer  = fake{}
	_ providers.Reuser   = fake{}
)

func (f fake) Schema() *schema.Block { return &schema.Block{Kind: f.kind} }

func (f fake) Resolve(context.Context, providers.ResolveRequest) (*providers.Object, hcl.Diagnostics) {
	return nil, nil
}

func (f fake) Apply(context.Context, providers.Run) (providers.Result, error) {
	return providers.Result{}, nil
}

func (f fake) DefaultForm() providers.Form {
	if f.kind == "recipe" {
		return providers.Archive
	}
	return providers.Published
}

func (f fake) Reuse(string, json.RawMessage) (json.RawMessage, error) {
	return json.RawMessage(`{}`), nil
}

func (f fake) Claims(o *providers.Object) []string { return o.Spec.(*thing).claims }

// thing is the spec of a fake object.
type thing struct {
	needs, buildNeeds []addr.Address
	claims            []string
	resources         providers.Resources
	download          int64
}

func (f fake) Observe(_ context.Context, req providers.ObserveRequest) (map[addr.Address]providers.Observation, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var asked []string
	out := map[addr.Address]providers.Observation{}
	for _, o := range req.Objects {
		asked = append(asked, o.Address.String())
		if f.kind == "recipe" {
			f.observePackage(o, out)
			continue
		}
		if key := f.published[o.Address.String()]; key != "" {
			out[o.Address] = providers.Observation{
				Exists: true, Key: strings.TrimPrefix(key, "?"), Attributes: map[string]any{"digest": "sha256:" + key},
				Problem: f.notDrift[o.Address.String()], NotDrift: f.notDrift[o.Address.String()] != "",
			}
		}
	}
	f.rounds = append(f.rounds, strings.Join(asked, " "))
	return out, f.failing
}

func (f fake) observePackage(o *providers.Object, out map[addr.Address]providers.Observation) {
	if !f.cached[o.Key] {
		return
	}
	obs := providers.Observation{
		Exists: true, Key: o.Key, Forms: map[providers.Form]string{providers.Archive: "cache main"},
		Attributes: map[string]any{"digest": "sha256:" + o.Key},
	}
	if f.installed[o.Key] {
		obs.Forms[providers.Installed] = "this machine"
	}
	out[o.Address] = obs
}

func (f fake) Plan(req providers.PlanRequest) (providers.Planned, error) {
	if p, ok := f.planned[req.Object.Address.String()]; ok {
		return p, nil
	}
	t := req.Object.Spec.(*thing)
	if f.asks != "" {
		req.Settings.ByKind(f.asks)
	}
	if f.kind != "recipe" {
		var needs []providers.Need
		for _, a := range t.needs {
			needs = append(needs, providers.Need{Address: a, Form: providers.Archive})
		}
		return providers.Planned{Steps: []providers.Step{
			{Op: "assemble", Title: "assemble", Needs: needs},
			{Op: "publish", Title: "publish", After: []string{"assemble"}, Completes: true, Provides: []providers.Form{providers.Published}, Upload: -1},
		}}, nil
	}
	step := providers.Step{
		Op: "build", Title: "build", Provides: []providers.Form{providers.Archive, providers.Installed}, Completes: true,
		Resources: t.resources, Download: t.download,
	}
	needs := slices.Concat(t.needs, t.buildNeeds)
	if _, cached := req.Observed.Forms[providers.Archive]; cached && !req.Replace {
		step.Op, needs = "fetch", t.needs
	}
	if req.Replace {
		step.Spec = json.RawMessage(`{"replace":true}`)
	}
	for _, a := range needs {
		step.Needs = append(step.Needs, providers.Need{Address: a, Form: providers.Installed})
	}
	return providers.Planned{Steps: []providers.Step{step}}, nil
}

func (f fake) PlanDestroy(req providers.DestroyRequest) ([]providers.Step, error) {
	if f.kind == "recipe" {
		return nil, nil
	}
	return []providers.Step{{Op: "unpublish", Title: "remove", Completes: true}}, nil
}

func kinds(w *world) func(string) providers.Kind {
	return func(kind string) providers.Kind {
		switch kind {
		case "recipe", "target.image":
			return fake{w, kind}
		case "site":
			return onlyKind{}
		}
		return nil
	}
}

type onlyKind struct{}

func (onlyKind) Schema() *schema.Block { return &schema.Block{Kind: "site"} }
func (onlyKind) Resolve(context.Context, providers.ResolveRequest) (*providers.Object, hcl.Diagnostics) {
	return nil, nil
}

// at reads an address; the kind recipe is left out for brevity.
func at(s string) addr.Address {
	if !strings.Contains(s, ".") {
		s = "recipe." + s
	}
	a, err := addr.Parse(s)
	if err != nil {
		panic(err)
	}
	return a
}

func target(s string) addr.Target {
	if !strings.Contains(s, ".") {
		s = "recipe." + s
	}
	t, err := addr.ParseTarget(s)
	if err != nil {
		panic(err)
	}
	return t
}

func targets(list ...string) []addr.Target {
	var out []addr.Target
	for _, s := range list {
		out = append(out, target(s))
	}
	return out
}

// config is a configuration in the making: objects in the order in which they
// are declared, which has to be dependencies first.
type config struct {
	objects []*providers.Object
	index   map[addr.Address]*providers.Object
	asks    string // the kind of settings that steps are planned with
}

func newConfig() *config { return &config{index: map[addr.Address]*providers.Object{}} }

// add declares an object: a package at a version that needs others (names
// behind a tilde are needed to build only), or a target made of packages.
func (c *config) add(address, version string, needs ...string) *providers.Object {
	a := at(address)
	t := &thing{}
	o := &providers.Object{Address: a, Kind: a.Kind, Title: a.Name + " " + version, Spec: t,
		Inputs: []providers.Input{{Name: "version", Text: version, Shown: true}}}
	h := sha256.New()
	fmt.Fprintln(h, a.Kind, a.Name, version)
	for _, n := range needs {
		name, buildOnly := strings.CutPrefix(n, "~")
		dep := c.index[at(name)]
		if dep == nil {
			panic(name + " is not declared yet")
		}
		if buildOnly {
			t.buildNeeds = append(t.buildNeeds, dep.Address)
		} else {
			t.needs = append(t.needs, dep.Address)
		}
		o.Dependencies = append(o.Dependencies, dep.Address)
		o.Inputs = append(o.Inputs, providers.Input{Name: dep.Address.String(), Text: dep.Key[:16], Object: true})
		fmt.Fprintln(h, dep.Key)
	}
	o.Key = hex.EncodeToString(h.Sum(nil))
	o.Attributes = cty.ObjectVal(map[string]cty.Value{
		"address": cty.StringVal(a.String()), "version": cty.StringVal(version), "digest": cty.UnknownVal(cty.String),
	})
	c.objects = append(c.objects, o)
	c.index[a] = o
	return o
}

func (c *config) key(address string) string { return c.index[at(address)].Key }

// cache puts packages into the cache of the world.
func (w *world) cache(c *config, names ...string) {
	for _, n := range names {
		w.cached[c.key(n)] = true
	}
}

// recordOf is the record of an object as it is configured.
func recordOf(o *providers.Object) *state.Object {
	r := &state.Object{
		Address: o.Address.String(), Kind: o.Kind, Key: o.Key, Inputs: map[string]string{}, PreventDestroy: o.PreventDestroy,
		Attributes: state.Attributes{"digest": "sha256:" + o.Key}, When: "2026-01-01T00:00:00Z",
	}
	for _, in := range o.Inputs {
		r.Inputs[in.Name] = in.Recorded()
	}
	for _, d := range o.Dependencies {
		r.Dependencies = append(r.Dependencies, d.String())
	}
	return r
}

// recorded is a state with the given objects as they are configured.
func recorded(c *config, names ...string) *state.State {
	s := state.New("11111111-2222-3333-4444-555555555555", "1.0.0")
	s.Serial = 7
	for _, n := range names {
		s.Put(recordOf(c.index[at(n)]))
	}
	return s
}

// deployed is a world and a state in which all of the configuration exists.
func deployed(c *config) (*world, *state.State) {
	w, s := newWorld(), recorded(c)
	for _, o := range c.objects {
		s.Put(recordOf(o))
		if o.Kind == "recipe" {
			w.cached[o.Key] = true
		} else {
			w.published[o.Address.String()] = o.Key
		}
	}
	return w, s
}

func request(c *config, w *world, s *state.State, change ...func(*plan.Request)) plan.Request {
	req := plan.Request{
		Mode: plan.Apply, Objects: c.objects, Kind: kinds(w), State: s, ESDVersion: "1.0.0", CPUs: 4,
		Config: plan.ConfigID{Path: "/stack/main.hcl", Digest: "d"},
	}
	for _, f := range change {
		f(&req)
	}
	return req
}

func mustPlan(t testing.TB, req plan.Request) *plan.Plan {
	t.Helper()
	p, err := plan.Make(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// told writes the changes of a plan, a line each: what happens, why, and where
// it comes from.
func told(p *plan.Plan) []string {
	lines := []string{}
	for _, c := range p.Changes {
		line := string(c.Action) + " " + strings.TrimPrefix(c.Address, "recipe.") + ": " + c.Reason
		if c.From != "" {
			line += " (from " + strings.TrimPrefix(c.From, "recipe.") + ")"
		}
		if c.Drift {
			line += " (drift)"
		}
		lines = append(lines, line)
	}
	return lines
}

// work writes the steps of a plan with what they need.
func work(p *plan.Plan) []string {
	short := func(id string) string { return strings.TrimPrefix(id, "recipe.") }
	lines := []string{}
	for _, s := range p.Steps {
		line := short(s.ID)
		for i, n := range s.Needs {
			if i == 0 {
				line += " <-"
			}
			line += " " + short(n)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

// carryOut does what a plan says in the world and in the state, in the order
// of its steps.
func carryOut(t testing.TB, p *plan.Plan, w *world, s *state.State, c *config) *state.State {
	t.Helper()
	next := s.Clone()
	done := map[string]bool{}
	for _, step := range p.Steps {
		for _, need := range step.Needs {
			if !done[need] {
				t.Fatalf("%s stands before %s, which it needs", step.ID, need)
			}
		}
		done[step.ID] = true
		switch step.Op {
		case "build", "fetch":
			if step.Op == "fetch" && !w.cached[step.Key] {
				t.Fatalf("%s: there is nothing to fetch", step.ID)
			}
			o := c.index[at(step.Address)].Spec.(*thing)
			needs := o.needs
			if step.Op == "build" {
				needs = slices.Concat(o.needs, o.buildNeeds)
			}
			for _, a := range needs {
				if !w.installed[c.index[a].Key] {
					t.Fatalf("%s needs %s, which is not installed", step.ID, a)
				}
			}
			w.cached[step.Key], w.installed[step.Key] = true, true
		case "assemble":
			for _, a := range c.index[at(step.Address)].Spec.(*thing).needs {
				if !w.cached[c.index[a].Key] {
					t.Fatalf("%s needs %s, which is in no cache", step.ID, a)
				}
			}
		case "publish":
			w.published[step.Address] = step.Key
		case "unpublish":
			delete(w.published, step.Address)
		}
	}
	moved := map[string]*state.Object{}
	for _, ch := range p.Changes {
		if ch.From != "" && next.Objects[ch.From] != nil {
			o := *next.Objects[ch.From]
			o.Address = ch.Address
			moved[ch.Address] = &o
			delete(next.Objects, ch.From)
		}
	}
	maps.Copy(next.Objects, moved)
	for _, ch := range p.Changes {
		switch ch.Action {
		case plan.Remove, plan.Forget:
			delete(next.Objects, ch.Address)
		case plan.Move:
		default:
			next.Put(&state.Object{
				Address: ch.Address, Kind: ch.Kind, Key: ch.Key, Inputs: ch.Record.Inputs, Dependencies: ch.Record.Dependencies,
				PreventDestroy: ch.Record.PreventDestroy, Attributes: state.Attributes{"digest": "sha256:" + ch.Key},
			})
		}
	}
	return next
}

func toJSON(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
