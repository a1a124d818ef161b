// Package providertest is the conformance suite of the providers: what the
// planner relies on and every kind of block must keep, whatever it makes. A new
// kind calls [Run] from its tests; how its objects look is its own business.
package providertest

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"esd/internal/addr"
	"esd/internal/archive"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/state"
)

// Configuration is a configuration with the identities of its objects, and the
// kinds that computed them.
type Configuration struct {
	Kind    func(string) providers.Kind
	Objects []*providers.Object // dependencies first
}

// Case is one object that is put to the test.
type Case struct {
	// Open resolves the configuration with kinds of its own, as another process
	// would.
	Open func(testing.TB) Configuration
	// Address is the object; what it depends on is brought about first.
	Address addr.Address
	// Dir contains everything that the kinds could write to.
	Dir string
}

// Run puts the provider of one object to the test.
func Run(t *testing.T, c Case) {
	t.Run("the schema is the same each time", func(t *testing.T) {
		first, second := c.Open(t), c.Open(t)
		kind := first.object(t, c.Address).Kind
		if first.Kind(kind).Schema() != second.Kind(kind).Schema() {
			t.Error("it is made anew")
		}
	})
	t.Run("resolving is deterministic and writes nothing", func(t *testing.T) { c.resolve(t) })
	t.Run("observing writes nothing", func(t *testing.T) { c.observe(t) })
	t.Run("planning is deterministic, and its steps fit together", func(t *testing.T) { c.plan(t) })
	t.Run("a step that was interrupted can be run again", func(t *testing.T) { c.interrupt(t) })
	t.Run("applying twice gives the same", func(t *testing.T) { c.apply(t) })
}

func (c Configuration) object(t testing.TB, a addr.Address) *providers.Object {
	t.Helper()
	for _, o := range c.Objects {
		if o.Address == a {
			return o
		}
	}
	t.Fatalf("the configuration has no %s", a)
	return nil
}

func (c Configuration) provider(t testing.TB, o *providers.Object) providers.Provider {
	t.Helper()
	p, ok := c.Kind(o.Kind).(providers.Provider)
	if !ok {
		t.Fatalf("%s is no provider", o.Kind)
	}
	return p
}

func nothingRecorded(addr.Address) *state.Object { return nil }

// look observes all objects of the configuration that can be planned.
func (c Configuration) look(t testing.TB) map[addr.Address]providers.Observation {
	t.Helper()
	byKind := map[string][]*providers.Object{}
	for _, o := range c.Objects {
		if _, ok := c.Kind(o.Kind).(providers.Provider); ok {
			byKind[o.Kind] = append(byKind[o.Kind], o)
		}
	}
	out := map[addr.Address]providers.Observation{}
	for kind, objects := range byKind {
		found, err := c.Kind(kind).(providers.Provider).Observe(context.Background(), providers.ObserveRequest{
			Objects: objects, Recorded: nothingRecorded, Settings: plan.NewSettings(c.Objects),
		})
		if err != nil {
			t.Fatalf("observing %s: %v", kind, err)
		}
		for a, o := range found {
			out[a] = o
		}
	}
	return out
}

func (c Configuration) plan(t testing.TB, o *providers.Object, seen map[addr.Address]providers.Observation) []providers.Step {
	t.Helper()
	p := c.provider(t, o)
	planned, err := p.Plan(providers.PlanRequest{
		Object: o, Observed: seen[o.Address], Demand: []providers.Form{p.DefaultForm(), providers.Installed},
		Settings: plan.NewSettings(c.Objects), Recorded: nothingRecorded,
		Lookup:      func(a addr.Address) *providers.Object { return c.object(t, a) },
		Observation: func(a addr.Address) (providers.Observation, bool) { obs, ok := seen[a]; return obs, ok },
	})
	if err != nil {
		t.Fatalf("planning %s: %v", o.Address, err)
	}
	return planned.Steps
}

// do runs all steps of one object, in an order that their After allows.
func (c Configuration) do(t testing.TB, o *providers.Object, steps []providers.Step) ([]providers.Result, error) {
	t.Helper()
	var results []providers.Result
	for _, s := range steps {
		r, err := c.provider(t, o).Apply(context.Background(), run(o, s))
		if err != nil {
			return results, err
		}
		results = append(results, r)
	}
	return results, nil
}

func run(o *providers.Object, s providers.Step) providers.Run {
	return providers.Run{
		Address: o.Address, Op: s.Op, Key: o.Key, Spec: s.Spec, CPUs: 1, Attempt: 1, Log: io.Discard, Progress: func(_, _ int64) {},
	}
}

// prepare brings about what the object depends on.
func (c Configuration) prepare(t testing.TB, a addr.Address) {
	t.Helper()
	for _, o := range c.Objects {
		if _, ok := c.Kind(o.Kind).(providers.Provider); !ok || o.Address == a {
			continue
		}
		if !slices.Contains(c.object(t, a).Dependencies, o.Address) && !c.needed(t, a, o.Address) {
			continue
		}
		if _, err := c.do(t, o, c.plan(t, o, c.look(t))); err != nil {
			t.Fatalf("preparing %s: %v", o.Address, err)
		}
	}
}

func (c Configuration) needed(t testing.TB, by, what addr.Address) bool {
	for _, dep := range c.object(t, by).Dependencies {
		if dep == what || c.needed(t, dep, what) {
			return true
		}
	}
	return false
}

func (c Case) resolve(t *testing.T) {
	before := snapshot(t, c.Dir)
	one, two := c.Open(t).object(t, c.Address), c.Open(t).object(t, c.Address)
	if one.Key != two.Key || len(one.Key) != 64 {
		t.Errorf("the key is %s once and %s then", one.Key, two.Key)
	}
	if !reflect.DeepEqual(one.Inputs, two.Inputs) || !one.Attributes.RawEquals(two.Attributes) {
		t.Error("inputs or attributes differ")
	}
	if !one.Attributes.Type().HasAttribute("address") {
		t.Error("references to it find no address")
	}
	if after := snapshot(t, c.Dir); after != before {
		t.Error("something was written")
	}
}

func (c Case) observe(t *testing.T) {
	before := snapshot(t, c.Dir)
	c.Open(t).look(t)
	if after := snapshot(t, c.Dir); after != before {
		t.Error("something was written")
	}
}

func (c Case) plan(t *testing.T) {
	conf := c.Open(t)
	o, seen := conf.object(t, c.Address), conf.look(t)
	steps := conf.plan(t, o, seen)
	other := c.Open(t)
	if one, two := encode(t, steps), encode(t, other.plan(t, other.object(t, c.Address), other.look(t))); one != two {
		t.Errorf("the same request gives\n%s\nand\n%s", one, two)
	}
	ops, completes, provided := map[string]bool{}, false, map[providers.Form]bool{}
	for _, s := range steps {
		if ops[s.Op] {
			t.Errorf("two steps are called %q", s.Op)
		}
		for _, op := range s.After {
			if !ops[op] {
				t.Errorf("%q comes after %q, which does not stand before it", s.Op, op)
			}
		}
		ops[s.Op] = true
		for _, n := range s.Needs {
			if !conf.needed(t, c.Address, n.Address) {
				t.Errorf("%q needs %s, which the object does not depend on", s.Op, n.Address)
			}
		}
		if !json.Valid(s.Spec) || s.Title == "" {
			t.Errorf("%q has no title, or its spec is no JSON", s.Op)
		}
		completes = completes || s.Completes
		for _, f := range s.Provides {
			provided[f] = true
		}
	}
	if form := conf.provider(t, o).DefaultForm(); !completes || !provided[form] {
		t.Errorf("no step completes the object, or none provides the form %q", form)
	}
}

func (c Case) interrupt(t *testing.T) {
	conf := c.Open(t)
	conf.prepare(t, c.Address)
	o := conf.object(t, c.Address)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, s := range conf.plan(t, o, conf.look(t)) {
		if _, err := conf.provider(t, o).Apply(ctx, run(o, s)); err == nil {
			t.Logf("%q was done all the same", s.Op)
		}
	}
}

func (c Case) apply(t *testing.T) {
	conf := c.Open(t)
	conf.prepare(t, c.Address)
	o := conf.object(t, c.Address)
	steps := conf.plan(t, o, conf.look(t))
	first, err := conf.do(t, o, steps)
	if err != nil {
		t.Fatal(err)
	}
	again := c.Open(t) // another process
	second, err := again.do(t, again.object(t, c.Address), steps)
	if err != nil {
		t.Fatalf("the second time: %v", err)
	}
	for i := range first {
		if one, two := encode(t, first[i].Attributes), encode(t, second[i].Attributes); one != two {
			t.Errorf("%q gives %s first and %s then", steps[i].Op, one, two)
		}
		if steps[i].Completes && !second[i].Reused {
			t.Errorf("%q was done twice", steps[i].Op)
		}
	}
	obs := again.look(t)[c.Address]
	if !obs.Exists || obs.Key != o.Key {
		t.Errorf("after apply it is observed as %+v", obs)
	}
	steps, err = again.provider(t, o).PlanDestroy(providers.DestroyRequest{Address: c.Address, Recorded: &state.Object{
		Address: c.Address.String(), Kind: o.Kind, Key: o.Key, Attributes: obs.Attributes,
	}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.do(t, o, slices.Concat(steps, steps)); err != nil {
		t.Errorf("destroying twice: %v", err)
	}
}

func encode(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// snapshot is a digest of all that a directory contains, empty directories too.
func snapshot(t testing.TB, dir string) string {
	t.Helper()
	all := func(string, os.DirEntry) bool { return false }
	tree, err := archive.HashTree(context.Background(), dir, archive.HashOptions{Skip: all})
	if err != nil {
		t.Fatal(err)
	}
	names := tree.Digest
	err = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		names += "\n" + path
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
