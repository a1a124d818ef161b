package compare_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/compare"
)

// deployed is a state with two environments and two images of them.
func deployed() *compare.Inventory {
	sim, viz := group("environment.sim", "*nest@3.7/n", "cmake@3/c builds-only"), group("environment.viz", "*paraview@5/p")
	return inventory(compare.State, "state", sim, viz,
		&compare.Group{
			Kind: compare.Target, Address: "target.image.lab", Contains: sim.Packages[:1], Places: []string{"r.example.org/lab:25.06"},
			Facts: []compare.Fact{{Kind: compare.BaseFact, ID: "sha256:aabbccddeeff"}, {Kind: "user", Value: "root"}},
		},
		&compare.Group{Kind: compare.Target, Address: "target.image.viz", Contains: viz.Packages, Places: []string{"r.example.org/viz:1"}},
	)
}

func image(name string, lines ...string) *compare.Inventory {
	g := group("", lines...)
	g.Kind, g.RunOnly = compare.Target, true
	g.Facts = []compare.Fact{{Kind: compare.BaseFact, Value: "debian 12.5", ID: "sha256:aabbccddeeff0011"}, {Kind: "env", Name: "PATH", ID: "x"}}
	return inventory(compare.Image, name, g)
}

func TestAnImageIsComparedWithTheTargetThatIsPublishedThere(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		image *compare.Inventory
		want  []string
	}{
		"under the same tag":       {image("r.example.org/lab:25.06", "nest@3.7/n"), nil},
		"under another tag":        {image("r.example.org/viz:2", "paraview@5/p"), nil},
		"with other packages":      {image("r.example.org/lab:25.06", "nest@3.8/m"), []string{"~ nest version(3.7>3.8)"}},
		"or with all that can run": {image("elsewhere/x:1", "nest@3.7/n"), []string{"- paraview 5"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := diffOf(t, deployed(), test.image)
			if len(d.Groups) != 1 {
				t.Fatalf("%d groups", len(d.Groups))
			}
			if diff := cmp.Diff(test.want, lines(d.Groups[0])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestALockIsComparedWithAnImageWithoutItsRecipes(t *testing.T) {
	t.Parallel()
	for _, kind := range []compare.Kind{compare.SpackLock, compare.Lock} {
		lock := inventory(kind, "lock", group("environment.sim", "*nest@3.7/n"))
		d := diffOf(t, image("elsewhere/x:1", "nest@3.7/n", "recipe.spike@1.0/s", "module.a.recipe.b@1/b"), lock)
		if !d.Empty() || !strings.Contains(strings.Join(d.Notes, "\n"), "recipes in the image were left out") {
			t.Errorf("%s: %q %q", kind, lines(d.Groups[0]), d.Notes)
		}
	}
	d := diffOf(t, image("elsewhere/x:1", "nest@3.7/n"), inventory(compare.SpackLock, "lock", group("environment.sim", "*nest@3.7/n")))
	if strings.Contains(strings.Join(d.Notes, "\n"), "recipes") {
		t.Errorf("of recipes that are not there it is said: %q", d.Notes)
	}
}

func TestAnotherBaseOfAnImageThanTheStateHasIsTold(t *testing.T) {
	t.Parallel()
	other := image("r.example.org/lab:25.06", "nest@3.7/n")
	other.Groups[0].Facts[0].ID = "sha256:ffeeddccbbaa"
	want := []string{"fact base : sha256:aabbccddeeff > debian 12.5 sha256:ffeeddccbbaa"}
	if diff := cmp.Diff(want, lines(diffOf(t, deployed(), other).Groups[0])); diff != "" {
		t.Error(diff)
	}
}

func TestAStateIsComparedWithWhatRunsOfALock(t *testing.T) {
	t.Parallel()
	st := deployed()
	st.Groups[0].RunOnly, st.Groups[0].Packages = true, st.Groups[0].Packages[:1]
	lock := inventory(compare.Lock, "lock", group("environment.sim", "*nest@3.8/m", "cmake@3/c builds-only"), &compare.Group{Kind: compare.Pins})
	d := diffOf(t, st, lock)
	var got []string
	for _, g := range d.Groups {
		got = append(got, g.From+g.To)
		got = append(got, lines(g)...)
	}
	want := []string{"environment.simenvironment.sim", "~ nest version(3.7>3.8)", "environment.viz", "- paraview 5"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOfWhatAPlanDoesNotMentionNothingIsSaid(t *testing.T) {
	t.Parallel()
	plan := inventory(compare.Plan, "plan", group("environment.sim", "*nest@3.8/m"))
	plan.Partial = true
	d := diffOf(t, deployed(), plan)
	if len(d.Groups) != 1 || d.Groups[0].To != "environment.sim" {
		t.Errorf("groups: %v", d.Groups)
	}
}

func TestWhatHasNothingInCommonIsRefusedInWords(t *testing.T) {
	t.Parallel()
	plan := inventory(compare.Plan, "p", &compare.Group{Kind: compare.Recipes, Packages: group("", "recipe.x@1/x").Packages})
	_, err := compare.Diff(plan, inventory(compare.SpackLock, "spack.lock", group("", "zlib@1/z")))
	var nothing *compare.NothingError
	if !errors.As(err, &nothing) || !strings.Contains(err.Error(), "p is a saved plan and spack.lock is the lock of a Spack environment") {
		t.Error(err)
	}
}

func TestAnInventoryIsNarrowedToWhatIsWanted(t *testing.T) {
	t.Parallel()
	inv := deployed()
	inv.Only(func(address string) bool { return address == "environment.viz" })
	if len(inv.Groups) != 1 || inv.Groups[0].Address != "environment.viz" {
		t.Errorf("%v", inv.Groups)
	}
}
