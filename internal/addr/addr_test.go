package addr

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheWrittenFormParsesBack(t *testing.T) {
	for written, want := range map[string]Address{
		`recipe.greet`:                            {Kind: "recipe", Name: "greet"},
		`recipe.greet["a b"]`:                     {Kind: "recipe", Name: "greet", Key: "a b", Keyed: true},
		`recipe.greet[""]`:                        {Kind: "recipe", Name: "greet", Keyed: true},
		`target.image.lab["x86_64_v3/12.4"]`:      {Kind: "target.image", Name: "lab", Key: "x86_64_v3/12.4", Keyed: true},
		`module.s["k.\"]"].module.t.recipe.r`:     {Module: `module.s["k.\"]"].module.t`, Kind: "recipe", Name: "r"},
		`module.a.cache.artifact.shared["é\n"]`:   {Module: "module.a", Kind: "cache.artifact", Name: "shared", Key: "é\n", Keyed: true},
		`environment.sim/zlib-ng@2.2.1/abcdefg`:   {Kind: "environment", Name: "sim", Package: "zlib-ng@2.2.1/abcdefg"},
		`module.m.environment.s["zen3"]/nest@3.8`: {Module: "module.m", Kind: "environment", Name: "s", Key: "zen3", Keyed: true, Package: "nest@3.8"},
	} {
		got, err := Parse(written)
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", written, diff)
		}
		if got.String() != written {
			t.Errorf("%s is written as %s", written, got)
		}
	}
}

func TestWhatIsNoAddressSaysWhy(t *testing.T) {
	for _, written := range []string{
		"", "recipe", "recipe.", ".greet", "recipe.greet.", "recipe.greet[1]", `recipe.greet["a"`, `recipe.greet["a"]x`,
		"target.image", "module.a", `recipe.greet['a']`, "recipe greet", "recipe.greet[`a`]",
		"environment.sim/", "environment.sim/a b", "environment.sim/@1", "environment.sim/a@1/", "environment.sim/a@1/b/c", "recipe.greet/a",
	} {
		_, err := Parse(written)
		var syntax *SyntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%q: got %v, want a SyntaxError", written, err)
		}
	}
}

func TestATargetMatchesInstancesAndModules(t *testing.T) {
	instance := Address{Module: `module.s["k"]`, Kind: "recipe", Name: "r", Key: "x", Keyed: true}
	for target, want := range map[string]bool{
		`module.s["k"]`:               true,
		`module.s`:                    true,
		`module.s["k"].recipe.r`:      true,
		`module.s["k"].recipe.r["x"]`: true,
		`module.s["k"].recipe.r["y"]`: false,
		`module.s["l"]`:               false,
		`module.sx`:                   false,
		`recipe.r`:                    false,
	} {
		parsed, err := ParseTarget(target)
		if err != nil {
			t.Fatal(err)
		}
		if got := parsed.Matches(instance); got != want {
			t.Errorf("%s matches %s: %v, want %v", target, instance, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`module.s["k"].recipe.r["x"]`)
	f.Add(`target.image.lab`)
	f.Fuzz(func(t *testing.T, s string) {
		a, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(a.String())
		if err != nil || again != a {
			t.Fatalf("%q parses to %#v, written %q, which parses to %#v, %v", s, a, a, again, err)
		}
	})
}

func TestAPackageIsNamedByAsMuchAsTellsItFromOthers(t *testing.T) {
	p := Address{Kind: "environment", Name: "sim", Key: "k", Keyed: true, Package: "zlib-ng@2.2.1/abcdefg"}
	for target, want := range map[string]bool{
		`environment.sim`:                                true,
		`environment.sim["k"]`:                           true,
		`environment.sim/zlib-ng`:                        true,
		`environment.sim["k"]/zlib-ng@2.2.1`:             true,
		`environment.sim["k"]/zlib-ng@2.2.1/abc`:         true,
		`environment.sim["k"]/zlib-ng@2.2.1/abcdefghijk`: true,
		`environment.sim["k"]/zlib-ng@2.2`:               false,
		`environment.sim["k"]/zlib`:                      false,
		`environment.sim["l"]/zlib-ng`:                   false,
		`environment.sim["k"]/zlib-ng@2.2.1/abd`:         false,
	} {
		parsed, err := ParseTarget(target)
		if err != nil {
			t.Fatal(err)
		}
		if got := parsed.Matches(p); got != want {
			t.Errorf("%s matches %s: %v, want %v", target, p, got, want)
		}
	}
	if (Address{Kind: "environment", Name: "sim"}).Within(p) {
		t.Error("an environment is within one of its packages")
	}
}
