package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFunctionsMeanWhatTheyMeanInTerraform(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		`abs(-1)`: `1`, `alltrue([true, false])`: `false`, `alltrue([])`: `true`, `anytrue([false, true])`: `true`, `anytrue([])`: `false`,
		`basename("a/b.c")`: `"b.c"`, `dirname("a/b.c")`: `"a"`, `base64decode(base64encode("é"))`: `"é"`,
		`can(1 + "x")`: `false`, `ceil(1.2)`: `2`, `chomp("a\n")`: `"a"`, `chunklist([1, 2, 3], 2)`: `[[1,2],[3]]`,
		`coalesce(null, "", "b")`: `""`, `coalesce(null, "b")`: `"b"`, `coalescelist([], [1])`: `[1]`, `compact(["a", "", "b"])`: `["a","b"]`,
		`concat([1], [2])`: `[1,2]`, `contains(["a"], "a")`: `true`, `csvdecode("a,b\n1,2")`: `[{"a":"1","b":"2"}]`,
		`distinct([1, 1, 2])`: `[1,2]`, `element([1, 2], 3)`: `2`, `endswith("abc", "bc")`: `true`, `startswith("abc", "bc")`: `false`,
		`flatten([[1], [[2]]])`: `[1,2]`, `floor(1.8)`: `1`, `format("%03d-%s", 7, "x")`: `"007-x"`, `formatlist("%s!", ["a", "b"])`: `["a!","b!"]`,
		`file("hello.txt")`: `"hello\n"`, `fileexists("hello.txt")`: `true`, `fileexists("no")`: `false`,
		`fileset(".", "**/*.txt")`: `["hello.txt","sub/deep.txt"]`, `fileset(".", "*.txt")`: `["hello.txt"]`, `fileset("no", "*")`: `[]`,
		`filebase64("hello.txt")`: `"aGVsbG8K"`, `filesha256("hello.txt") == sha256(file("hello.txt"))`: `true`,
		`filemd5("hello.txt")`: `"b1946ac92492d2347c6235b4d2611184"`, `md5("hello\n")`: `"b1946ac92492d2347c6235b4d2611184"`,
		`templatefile("t.tmpl", { names = ["a", "b"] })`: `"a;b;\n"`, `templatefile("${path.module}/t.tmpl", { names = [] })`: `"\n"`,
		`indent(2, "a\nb")`: `"a\n  b"`, `index(["a", "b"], "b")`: `1`, `issensitive(sensitive(1))`: `true`, `issensitive(1)`: `false`,
		`join("-", ["a", "b"])`: `"a-b"`, `jsondecode("{\"a\":[1]}").a[0]`: `1`, `jsonencode({ a = 1 })`: `"{\"a\":1}"`,
		`keys({ b = 1, a = 2 })`: `["a","b"]`, `length("né")`: `2`, `length([1])`: `1`, `length({ a = 1 })`: `1`, `log(8, 2)`: `3`,
		`lookup({ a = 1 }, "a")`: `1`, `lookup({ a = 1 }, "b", 2)`: `2`, `lower("A")`: `"a"`, `upper("a")`: `"A"`,
		`matchkeys(["x", "y"], ["a", "b"], ["b"])`: `["y"]`, `max(1, 3)`: `3`, `min(1, 3)`: `1`, `merge({ a = 1 }, { b = 2 })`: `{"a":1,"b":2}`,
		`nonsensitive(sensitive("x"))`: `"x"`, `one([])`: `null`, `one([1])`: `1`, `parseint("ff", 16)`: `255`, `pow(2, 3)`: `8`,
		`range(3)`: `[0,1,2]`, `regex("[a-z]+", "12ab")`: `"ab"`, `regexall("[a-z]", "a1b")`: `["a","b"]`,
		`replace("a.b", ".", "-")`: `"a-b"`, `replace("a1", "/[0-9]/", "x")`: `"ax"`, `reverse([1, 2])`: `[2,1]`, `strrev("ab")`: `"ba"`,
		`setintersection(["a", "b"], ["b"])`: `["b"]`, `setproduct(["a"], ["b", "c"])`: `[["a","b"],["a","c"]]`, `setsubtract(["a", "b"], ["b"])`: `["a"]`, `setunion(["a"], ["b"])`: `["a","b"]`,
		`sha1("")`: `"da39a3ee5e6b4b0d3255bfef95601890afd80709"`, `substr(sha512(""), 0, 4)`: `"cf83"`, `base64sha256("")`: `"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="`,
		`signum(-3)`: `-1`, `slice([1, 2, 3], 1, 2)`: `[2]`, `sort(["b", "a"])`: `["a","b"]`, `split(",", "a,b")`: `["a","b"]`, `strcontains("abc", "b")`: `true`, `substr("abc", 1, 1)`: `"b"`,
		`sum([1, 2.5])`: `3.5`, `timeadd("2020-01-01T00:00:00Z", "1h")`: `"2020-01-01T01:00:00Z"`, `formatdate("YYYY", "2020-01-01T00:00:00Z")`: `"2020"`, `title("ab c")`: `"Ab C"`,
		`tobool("true")`: `true`, `tolist(toset(["b", "a"]))`: `["a","b"]`, `tomap({ a = 1 })`: `{"a":1}`, `tonumber("1")`: `1`, `tostring(1)`: `"1"`, `toset(["a", "a"])`: `["a"]`,
		`transpose({ a = ["x", "y"], b = ["x"] })`: `{"x":["a","b"],"y":["a"]}`, `trim("?a?", "?")`: `"a"`, `trimprefix("ab", "a")`: `"b"`, `trimspace(" a ")`: `"a"`, `trimsuffix("ab", "b")`: `"a"`,
		`try(local.none.x, "d")`: `"d"`, `urlencode("a b")`: `"a+b"`, `values({ b = 1, a = 2 })`: `[2,1]`,
		`yamldecode("a: [1]").a[0]`: `1`, `yamlencode({ a = 1 })`: `"\"a\": 1\n"`, `zipmap(["a"], [1])`: `{"a":1}`,
		`path.module`: `"."`, `path.root`: `"."`, `env("HOME")`: `"/home/x"`, `issensitive(env("HOME"))`: `true`, `try(env("NONE"), "d")`: `"d"`,
	}
	c, e := good(t, `
-- main.hcl --
locals { none = {} }
-- hello.txt --
hello
-- sub/deep.txt --
deep
-- t.tmpl --
%{ for n in names }${n};%{ endfor ~}

`, func(o *Options) {
		o.Environ = func(name string) (string, bool) { return "/home/x", name == "HOME" }
	})
	for expr, want := range cases {
		v, diags := c.EvalExpression(expr, e)
		if diags.HasErrors() {
			t.Errorf("%s: %s", expr, diags)
			continue
		}
		got := outputs(t, &Evaluated{Outputs: []Output{{Name: "v", Value: v}}})["v"]
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", expr, diff)
		}
	}
	for name := range c.root.decl.base.Functions {
		called := false
		for expr := range cases {
			called = called || strings.Contains(expr, name+"(")
		}
		switch name {
		case "filesha1", "filesha512", "filebase64sha256", "filebase64sha512", "base64sha512":
		default:
			if !called {
				t.Errorf("%s is not tested", name)
			}
		}
	}
}

func TestFunctionsRefuseWhatMakesNoSense(t *testing.T) {
	t.Parallel()
	c, e := good(t, "locals {}\n-- main.hcl --\nlocals {}\n-- bad.tmpl --\n${x\n-- self.tmpl --\n${templatefile(\"self.tmpl\", {})}\n-- deep.tmpl --\n"+strings.Repeat("${(", 100000))
	for expr, want := range map[string]string{
		`file("/dev/zero")`: "not a regular file", `file(".")`: "directory", `file("none")`: "there is no file",
		`templatefile("bad.tmpl", {})`: "", `templatefile("self.tmpl", {})`: "templatefile", `templatefile("deep.tmpl", {})`: "nested",
		`one([1, 2])`: "at most one", `index([], 1)`: "does not contain", `sum([])`: "at least one", `lookup({}, "a")`: "no key",
		`regex("(", "x")`: "", `base64decode("/w==")`: "UTF-8", `env("NONE")`: "not set", `uper("x")`: "upper", `1 +`: "", `timestamp()`: "on purpose",
		`recipe.x`: "No block", `length(1)`: "a string or a collection",
	} {
		_, diags := c.EvalExpression(expr, e)
		if !diags.HasErrors() || !strings.Contains(diags.Error(), want) {
			t.Errorf("%s: %v", expr, diags)
		}
	}
}

func TestFunctionsTakeUnknownValues(t *testing.T) {
	t.Parallel()
	c, e := good(t, `
target "image" "i" {}
`)
	for name, f := range c.root.decl.base.Functions {
		var args []string
		for range f.Params() {
			args = append(args, "target.image.i.digest")
		}
		if v := f.VarParam(); v != nil && len(args) == 0 {
			args = append(args, "target.image.i.digest")
		}
		// It may refuse the type of the argument, but not for being unknown.
		_, diags := c.EvalExpression(name+"("+strings.Join(args, ", ")+")", e)
		if strings.Contains(diags.Error(), "panic") {
			t.Errorf("%s: %s", name, diags)
		}
	}
}
