package config

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLaterSourcesOfVariablesOverrideEarlierOnes(t *testing.T) {
	t.Parallel()
	const files = `
-- main.hcl --
variable "v" { default = "default" }
variable "list" {
  type    = list(string)
  default = []
}
output "v" { value = var.v }
output "list" { value = var.list }
-- esd.esdvars --
v = "file"
-- b.auto.esdvars --
v = "auto b"
-- a.auto.esdvars --
v = "auto a"
-- given --
v = "given"
`
	without := func(names ...string) string {
		kept := "-- main.hcl --" + strings.SplitN(files, "-- main.hcl --", 2)[1]
		for _, name := range names {
			before, after, _ := strings.Cut(kept, "-- "+name+" --\n")
			_, after, found := strings.Cut(after, "\n--")
			if found {
				after = "--" + after
			}
			kept = before + after
		}
		return kept
	}
	environ := func(name string) (string, bool) {
		values := map[string]string{"ESD_VAR_v": "environment", "ESD_VAR_list": `["x"]`, "ESD_VAR_other": "ignored"}
		v, ok := values[name]
		return v, ok
	}
	for sentence, test := range map[string]struct {
		text   string
		change func(*Options)
		want   string
	}{
		"the default is the last resort":        {without("esd.esdvars", "b.auto.esdvars", "a.auto.esdvars"), func(*Options) {}, `"default"`},
		"the environment overrides the default": {without("esd.esdvars", "b.auto.esdvars", "a.auto.esdvars"), func(o *Options) { o.Environ = environ }, `"environment"`},
		"the file overrides the environment":    {without("b.auto.esdvars", "a.auto.esdvars"), func(o *Options) { o.Environ = environ }, `"file"`},
		"automatic files go by name":            {files, func(o *Options) { o.Environ = environ }, `"auto b"`},
		"a file on the command line overrides":  {files, func(o *Options) { o.VarFiles = []string{filepath.Join(o.Path, "given")} }, `"given"`},
		"the last value on the command line rules": {files, func(o *Options) {
			o.VarFiles = []string{filepath.Join(o.Path, "given")}
			o.Vars = []string{"v=1", "v=a=b"}
		}, `"a=b"`},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			_, e := good(t, test.text, test.change)
			if diff := cmp.Diff(test.want, outputs(t, e)["v"]); diff != "" {
				t.Error(diff)
			}
		})
	}
	_, e := good(t, files, func(o *Options) { o.Environ = environ })
	if diff := cmp.Diff(`["x"]`, outputs(t, e)["list"]); diff != "" {
		t.Error(diff)
	}
}

func TestWrongValuesOfVariablesAreRefused(t *testing.T) {
	t.Parallel()
	const text = `
variable "v" {
  type    = number
  default = 1
}
`
	for sentence, test := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"a value for nothing":          {func(o *Options) { o.Vars = []string{"w=1"} }, `It declares: v.`},
		"no value":                     {func(o *Options) { o.Vars = []string{"v"} }, "not NAME=VALUE"},
		"a value of another type":      {func(o *Options) { o.Vars = []string{"v=true"} }, "number required, but have bool"},
		"a reference":                  {func(o *Options) { o.Vars = []string{"v=many"} }, "literal"},
		"a file that is not there":     {func(o *Options) { o.VarFiles = []string{"/nonexistent"} }, "Cannot read file"},
		"a broken expression":          {func(o *Options) { o.Vars = []string{"v=["} }, "is read as an expression"},
		"an expression that is a bomb": {func(o *Options) { o.Vars = []string{"v=" + strings.Repeat("(", 1e6)} }, "nested too deeply"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			c, _, diags := run(t, text, test.change)
			if got := strings.Join(strings.Fields(render(c, diags)), " "); !strings.Contains(got, test.want) {
				t.Errorf("%q is not in\n%s", test.want, got)
			}
		})
	}
}

func TestVersionsFitConstraints(t *testing.T) {
	for constraint, want := range map[string]bool{
		">= 1.0": true, ">= 1.2.3": true, "> 1.2.3": false, "~> 1.2": true, "~> 1.1.0": false, "~> 1": true, "~> 2": false,
		"!= 1.2.3": false, "= 1.2.3": true, "1.2.3": true, ">= 1, < 2": true, "<1.2": false, "<= v1.2.3": true,
	} {
		if got, err := versionFits("1.2.3-dev+x", constraint); err != nil || got != want {
			t.Errorf("%s: %v, %v", constraint, got, err)
		}
	}
	for _, constraint := range []string{"", "newest", "=> 1", "1.2.3.4", ">= 1,", "~> -1"} {
		if _, err := versionFits("1.2.3", constraint); err == nil {
			t.Errorf("%q is accepted", constraint)
		}
	}
}
