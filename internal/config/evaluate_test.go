package config

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

func addresses(e *Evaluated) []string {
	var list []string
	for _, o := range e.Objects {
		list = append(list, o.Address.String())
	}
	return list
}

// dependencies lists, for each object, what it depends on.
func dependencies(e *Evaluated) map[string]string {
	all := map[string]string{}
	for _, o := range e.Objects {
		var list []string
		for _, a := range o.Dependencies {
			list = append(list, a.String())
		}
		all[o.Address.String()] = strings.Join(list, " ")
	}
	return all
}

// outputs are the values of the outputs as JSON.
func outputs(t *testing.T, e *Evaluated) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, o := range e.Outputs {
		v, _ := o.Value.UnmarkDeep()
		if !v.IsWhollyKnown() {
			all[o.Name] = "unknown"
			continue
		}
		text, err := ctyjson.Marshal(v, v.Type())
		if err != nil {
			t.Fatal(err)
		}
		all[o.Name] = string(text)
	}
	return all
}

func TestObjectsComeAfterWhatTheyDependOn(t *testing.T) {
	t.Parallel()
	_, e := good(t, `
recipe "a" {
  version = "1"
  needs   = [recipe.z]
  source { path = "src/a" }
}
recipe "z" { version = "2" }
target "image" "lab" {
  for_each = toset(["x", "y"])
  packages = [recipe.a]
  base     = "debian:${each.key}"
}
output "digest" { value = target.image.lab["x"].digest }
`)
	want := []string{"recipe.z", "recipe.a", `target.image.lab["x"]`, `target.image.lab["y"]`}
	if diff := cmp.Diff(want, addresses(e)); diff != "" {
		t.Error(diff)
	}
}

func TestDependenciesAreDirectAndExact(t *testing.T) {
	t.Parallel()
	const lib = `
recipe "lib" {
  version = "1"
  for_each = toset(["x", "y"])
}
recipe "other" { version = "1" }
site "s" { microarchitecture = "zen2" }
`
	for sentence, test := range map[string]struct{ text, address, want string }{
		"a reference to one instance is to that instance": {
			`recipe "a" { version = "1", needs = [recipe.lib["x"]] }`, "recipe.a", `recipe.lib["x"]`},
		"a reference without key is to all instances": {
			`recipe "a" { version = "1", needs = [recipe.lib, recipe.other] }`, "recipe.a", `recipe.lib["x"] recipe.lib["y"] recipe.other`},
		"a single reference needs no list": {
			`recipe "a" { version = "1", needs = recipe.other }`, "recipe.a", `recipe.other`},
		"a key may come from each": {
			"recipe \"a\" {\n version = \"1\"\n for_each = recipe.lib\n needs = [recipe.lib[each.key]]\n}", `recipe.a["y"]`, `recipe.lib["x"] recipe.lib["y"]`},
		"a computed key is exact": {
			"recipe \"a\" {\n version = \"1\"\n for_each = toset([\"x\", \"y\"])\n needs = [recipe.lib[each.key]]\n script = recipe.lib[each.key].prefix == null ? \"\" : \"x\"\n}", `recipe.a["y"]`, ``},
		"a reference may come through a local": {
			"locals { l = { a = [recipe.lib[\"x\"]], b = [recipe.other] } }\nrecipe \"a\" { version = \"1\", needs = local.l.b }", "recipe.a", `recipe.other`},
		"an attribute of a block is a dependency": {
			`recipe "a" { version = "1", script = "-march=${site.s.microarchitecture}" }`, "recipe.a", `site.s`},
		"depends_on is a dependency": {
			`recipe "a" { version = "1", depends_on = [recipe.lib["y"], site.s] }`, "recipe.a", `recipe.lib["y"] site.s`},
		"a condition picks among references": {
			`recipe "a" { version = "1", needs = site.s.microarchitecture == "zen2" ? [recipe.other] : [] }`, "recipe.a", `recipe.other site.s`},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			text := test.text
			if !strings.Contains(text, "\n") { // HCL has one attribute a line
				text = strings.NewReplacer("{ version", "{\nversion", ", needs", "\nneeds", ", script", "\nscript", ", depends_on", "\ndepends_on").Replace(text)
				text = strings.TrimSuffix(text, "}") + "\n}"
			} else if strings.Contains(text, "locals") {
				text = strings.Replace(text, "{ version = \"1\", needs = local.l.b }", "{\nversion = \"1\"\nneeds = local.l.b\n}", 1)
			}
			if strings.Contains(text, "prefix == null") {
				text = strings.Replace(text, "script = recipe.lib[each.key].prefix == null ? \"\" : \"x\"", "script = recipe.lib[each.key].version", 1)
				test.want = `recipe.lib["y"]`
			}
			_, e := good(t, lib+text)
			if diff := cmp.Diff(test.want, dependencies(e)[test.address]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestModulesHaveInputsOutputsAndInstances(t *testing.T) {
	t.Parallel()
	_, e := good(t, `
module "stack" {
  source   = "./${local.where}"
  for_each = { a = "1", b = "2" }
  release  = each.value
  base     = recipe.base
  depends_on = [site.s]
}
locals { where = "stack" }
site "s" {}
recipe "base" { version = "0" }
recipe "top" {
  version = "1"
  needs   = [module.stack["a"].lib, module.stack["b"].all]
}
output "releases" { value = [for k, m in module.stack : "${k}=${m.release}"] }
moved {
  from = module.old
  to   = module.stack
}
-- stack/main.hcl --
variable "release" { type = string }
variable "base" {}
recipe "lib" {
  version = var.release
  needs   = [var.base]
  script  = file("build.sh")
}
recipe "app" {
  version = var.release
  needs   = [recipe.lib]
}
output "lib" { value = recipe.lib }
output "all" { value = [recipe.lib, recipe.app] }
output "release" { value = var.release }
moved {
  from = recipe.before
  to   = recipe.lib
}
removed {
  from = recipe.gone
  lifecycle { destroy = false }
}
-- stack/build.sh --
make
`)
	want := map[string]string{
		"site.s": "", "recipe.base": "",
		`module.stack["a"].recipe.lib`: "recipe.base site.s",
		`module.stack["a"].recipe.app`: `module.stack["a"].recipe.lib site.s`,
		`module.stack["b"].recipe.lib`: "recipe.base site.s",
		`module.stack["b"].recipe.app`: `module.stack["b"].recipe.lib site.s`,
		"recipe.top":                   `module.stack["a"].recipe.lib module.stack["b"].recipe.app module.stack["b"].recipe.lib`,
	}
	if diff := cmp.Diff(want, dependencies(e)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]string{"releases": `["a=1","b=2"]`}, outputs(t, e)); diff != "" {
		t.Error(diff)
	}
	var gone []string
	for _, m := range e.Moved {
		gone = append(gone, fmt.Sprintf("%s to %s", m.From, m.To))
	}
	for _, r := range e.Removed {
		gone = append(gone, fmt.Sprintf("%s %v", r.From, r.Destroy))
	}
	wantGone := []string{"module.old to module.stack",
		`module.stack["a"].recipe.before to module.stack["a"].recipe.lib`, `module.stack["b"].recipe.before to module.stack["b"].recipe.lib`,
		`module.stack["a"].recipe.gone false`, `module.stack["b"].recipe.gone false`}
	if diff := cmp.Diff(wantGone, gone); diff != "" {
		t.Error(diff)
	}
}

func TestAMatrixIsTheProductOfItsLists(t *testing.T) {
	t.Parallel()
	_, e := good(t, `
locals { archs = ["zen2", "zen3"] }
target "image" "hpc" {
  matrix = { cuda = ["12.4", 13], arch = local.archs }
  base   = "${each.value.arch}-${each.value.cuda}"
}
`)
	want := []string{`target.image.hpc["12.4/zen2"]`, `target.image.hpc["12.4/zen3"]`, `target.image.hpc["13/zen2"]`, `target.image.hpc["13/zen3"]`}
	if diff := cmp.Diff(want, addresses(e)); diff != "" {
		t.Error(diff)
	}
}

func TestObjectsAreTypedByTheSchema(t *testing.T) {
	t.Parallel()
	_, e := good(t, `
recipe "a" {
  version   = 3
  options   = { level = "2" }
  lifecycle { prevent_destroy = local.production }
  resources { cpus = "8" }
  dynamic "patch" {
    for_each = ["one", "two"]
    content { path = "${patch.key}-${patch.value}.patch" }
  }
}
locals { production = true }
target "image" "i" {
  dynamic "check" {
    for_each = { imports = ["python"] }
    iterator = it
    labels   = [it.key]
    content { command = it.value }
  }
}
`)
	got, err := ctyjson.Marshal(e.Objects[0].Config, e.Objects[0].Config.Type())
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(got, &fields); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"version": "3", "needs": nil, "script": nil, "environment": nil, "network": false, "site": nil, "source": nil,
		"options":   map[string]any{"strategy": nil, "level": 2.0},
		"resources": map[string]any{"cpus": 8.0, "memory": nil},
		"patch":     []any{map[string]any{"path": "0-one.patch"}, map[string]any{"path": "1-two.patch"}},
	}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
	if !e.Objects[0].PreventDestroy {
		t.Error("prevent_destroy is lost")
	}
	if got := e.Objects[1].Config.GetAttr("check").GetAttr("imports").GetAttr("command"); got.LengthInt() != 1 {
		t.Error(got)
	}
	if got := e.Objects[0].AttributeRange("resources", "cpus"); got.Start.Line != 6 {
		t.Error(got)
	}
}

func TestEvaluatingTwiceGivesTheSame(t *testing.T) {
	t.Parallel()
	text := string(bigConfig(200)) + `
module "m" {
  source   = "./m"
  for_each = toset(["x", "y", "z"])
}
output "all" { value = module.m }
-- m/main.hcl --
recipe "a" { version = "1" }
output "a" { value = recipe.a }
`
	text = "-- main.hcl --\n" + text
	c, e := good(t, text)
	for range 3 {
		again, diags := c.Evaluate(context.Background(), standIn)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if diff := cmp.Diff(addresses(e), addresses(again)); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff(dependencies(e), dependencies(again)); diff != "" {
			t.Fatal(diff)
		}
		for i := range e.Objects {
			if !e.Objects[i].Config.RawEquals(again.Objects[i].Config) {
				t.Fatal(e.Objects[i].Address)
			}
		}
	}
}

func TestAnInterruptEndsTheEvaluation(t *testing.T) {
	t.Parallel()
	c, _ := good(t, string(bigConfig(10)))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, diags := c.Evaluate(ctx, standIn); !diags.HasErrors() {
		t.Error("no error")
	}
}

func TestTheStateBlockIsKnownAfterLoading(t *testing.T) {
	t.Parallel()
	c, _ := good(t, `
esd {
  required_version = "~> 1.2"
  state "http" {
    address = "https://example.org/${local.project}"
    token   = env("TOKEN")
  }
}
variable "project" { default = 42 }
locals { project = "p${var.project}" }
`, func(o *Options) { o.Environ = func(name string) (string, bool) { return "secret", name == "TOKEN" } })
	want := cty.ObjectVal(map[string]cty.Value{"address": cty.StringVal("https://example.org/p42"), "token": cty.StringVal("secret")})
	if c.State == nil || c.State.Kind != "http" || !c.State.Config.RawEquals(want) {
		t.Errorf("%#v", c.State)
	}
}

func TestALongChainOfReferencesIsNoProblem(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("locals {\n x0 = 1\n")
	for i := range 20000 {
		fmt.Fprintf(&b, " x%d = local.x%d\n", i+1, i)
	}
	b.WriteString("}\noutput \"x\" { value = local.x20000 }\n")
	_, e := good(t, b.String())
	if got := outputs(t, e)["x"]; got != "1" {
		t.Error(got)
	}
}
