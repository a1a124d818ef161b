package state_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/state"
)

func several() *state.State {
	s := state.New(lineage, "0.1.0")
	for _, address := range []string{
		"recipe.a", "recipe.ab", `recipe.v["x"]`, `recipe.v["x.y]"]`, `recipe.v["z"]`,
		`target.image.lab["zen3"]`, `module.m.recipe.a`, `module.m.module.n["k"].recipe.a`, `module.o["k"].recipe.a`,
		"environment.sim/zlib-ng@2.2.1/abcdefg", "environment.sim/hdf5@1.14/bcdefga",
	} {
		o := object(address, "recipe.a", `recipe.v["x"]`, `module.m.recipe.a`)
		if strings.HasPrefix(address, "environment") {
			o.Kind = "environment"
		}
		s.Put(o)
	}
	return s
}

func TestSelect(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		pattern string
		want    []string
	}{
		"an address means itself, not what it is the beginning of by letters": {"recipe.a", []string{"recipe.a"}},
		"a block means its instances":                                         {"recipe.v", []string{`recipe.v["x"]`, `recipe.v["x.y]"]`, `recipe.v["z"]`}},
		"an instance means itself":                                            {`recipe.v["x.y]"]`, []string{`recipe.v["x.y]"]`}},
		"any instance":                                                        {`recipe.*[*]`, []string{`recipe.v["x"]`, `recipe.v["x.y]"]`, `recipe.v["z"]`}},
		"a module means all that is in it":                                    {"module.m", []string{`module.m.module.n["k"].recipe.a`, "module.m.recipe.a"}},
		"a kind":                                                              {"target.image", []string{`target.image.lab["zen3"]`}},
		"part of a name":                                                      {"recipe.*b", []string{"recipe.ab"}},
		"packages by name":                                                    {"environment.sim/zlib*", []string{"environment.sim/zlib-ng@2.2.1/abcdefg"}},
		"an asterisk in quotes is no joker":                                   {`recipe.v["*"]`, nil},
		"nothing":                                                             {"recipe.nothing", nil},
		"what is no address selects nothing":                                  {"recipe..a", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, several().Select(tc.pattern)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	if got := several().Select(""); len(got) != 11 {
		t.Errorf("the empty pattern selects %v", got)
	}
}

func TestMove(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		from, to string
		want     []state.Moved
		says     string
	}{
		"an object": {from: "recipe.a", to: "recipe.c", want: []state.Moved{{From: "recipe.a", To: "recipe.c"}}},
		"a block with its instances": {from: "recipe.v", to: "recipe.w", want: []state.Moved{
			{From: `recipe.v["x"]`, To: `recipe.w["x"]`}, {From: `recipe.v["x.y]"]`, To: `recipe.w["x.y]"]`}, {From: `recipe.v["z"]`, To: `recipe.w["z"]`}}},
		"an instance":                 {from: `recipe.v["x"]`, to: `recipe.v["q"]`, want: []state.Moved{{From: `recipe.v["x"]`, To: `recipe.v["q"]`}}},
		"a block that gets for_each":  {from: "recipe.a", to: `recipe.a["x"]`, want: []state.Moved{{From: "recipe.a", To: `recipe.a["x"]`}}},
		"a block that loses for_each": {from: `recipe.v["x"]`, to: "recipe.solo", want: []state.Moved{{From: `recipe.v["x"]`, To: "recipe.solo"}}},
		"a module": {from: "module.m", to: `module.p["q"]`, want: []state.Moved{
			{From: `module.m.module.n["k"].recipe.a`, To: `module.p["q"].module.n["k"].recipe.a`}, {From: "module.m.recipe.a", To: `module.p["q"].recipe.a`}}},
		"into a module": {from: "recipe.a", to: "module.new.recipe.a", want: []state.Moved{{From: "recipe.a", To: "module.new.recipe.a"}}},
		"a package with another environment": {from: "environment.sim", to: `environment.s["a/b"]`, want: []state.Moved{
			{From: "environment.sim/hdf5@1.14/bcdefga", To: `environment.s["a/b"]/hdf5@1.14/bcdefga`},
			{From: "environment.sim/zlib-ng@2.2.1/abcdefg", To: `environment.s["a/b"]/zlib-ng@2.2.1/abcdefg`}}},
		"onto another":             {from: "recipe.a", to: "recipe.ab", says: "in the state already"},
		"to another kind":          {from: "recipe.a", to: "target.image.a", says: "no address of a recipe"},
		"to a module":              {from: "recipe.a", to: "module.m", says: "no address of a recipe"},
		"from nowhere":             {from: "recipe.nothing", to: "recipe.x", says: "no object"},
		"an instance of instances": {from: "recipe.v", to: `recipe.w["q"]`, says: "no object"},
		"from what is no address":  {from: "recipe a", to: "recipe.x", says: "no address"},
		"to what is no address":    {from: "recipe.a", to: "recipe.[", says: "no address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := several()
			before := encode(t, s)
			got, err := s.Move(tc.from, tc.to)
			if tc.says != "" {
				if err == nil || !strings.Contains(err.Error(), tc.says) {
					t.Fatalf("got %v, want %q", err, tc.says)
				}
				if encode(t, s) != before {
					t.Error("changed all the same")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if _, err := s.Move(tc.to, tc.from); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, encode(t, s)); diff != "" {
				t.Errorf("moving back does not restore it:\n%s", diff)
			}
		})
	}
}

func TestMoveRenamesDependencies(t *testing.T) {
	t.Parallel()
	s := several()
	if _, err := s.Move("module.m", "module.a"); err != nil {
		t.Fatal(err)
	}
	want := []string{"module.a.recipe.a", "recipe.a", `recipe.v["x"]`}
	for _, address := range s.Addresses() {
		if diff := cmp.Diff(want, s.Get(address).Dependencies); diff != "" {
			t.Errorf("%s: -want +got:\n%s", address, diff)
		}
	}
}

func TestRemoveIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s := several()
	var missing *state.NotFoundError
	if err := s.Remove("recipe.a", "recipe.nothing"); !errors.As(err, &missing) || missing.Address != "recipe.nothing" {
		t.Errorf("got %v", err)
	}
	if s.Get("recipe.a") == nil {
		t.Error("removed half")
	}
	if err := s.Remove("recipe.a", "recipe.ab"); err != nil || s.Get("recipe.a") != nil || len(s.Objects) != 9 {
		t.Errorf("%v, %v left", err, s.Addresses())
	}
}

func TestPushChecksLineageAndSerial(t *testing.T) {
	t.Parallel()
	make := func(lineage string, serial int64) *state.State {
		s := state.New(lineage, "0.1.0")
		s.Serial = serial
		return s
	}
	other := "00000000-0000-4000-8000-000000000000"
	for name, tc := range map[string]struct {
		recorded, pushed *state.State
		force            bool
		serial           int64
		says             string
	}{
		"onto nothing":              {pushed: make(lineage, 3), serial: 3},
		"newer":                     {recorded: make(lineage, 3), pushed: make(lineage, 4), serial: 4},
		"the same serial":           {recorded: make(lineage, 3), pushed: make(lineage, 3), says: "not newer"},
		"older":                     {recorded: make(lineage, 3), pushed: make(lineage, 2), says: "not newer"},
		"another lineage":           {recorded: make(lineage, 3), pushed: make(other, 4), says: "different deployments"},
		"older by force":            {recorded: make(lineage, 3), pushed: make(lineage, 2), force: true, serial: 4},
		"another lineage by force":  {recorded: make(lineage, 3), pushed: make(other, 9), force: true, serial: 10},
		"newer with needless force": {recorded: make(lineage, 3), pushed: make(lineage, 5), force: true, serial: 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := state.PreparePush(tc.recorded, tc.pushed, tc.force)
			if tc.says != "" {
				var conflict *state.ConflictError
				if !errors.As(err, &conflict) || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || got.Serial != tc.serial || got.Lineage != tc.pushed.Lineage {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}
