package view

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
)

// shownOf is what people and programs are shown of errors at every line of a
// source, and of those that its parser has.
func shownOf(t *testing.T, name, text string, extra any) string {
	t.Helper()
	file, diags := hclsyntax.ParseConfig([]byte(text), name, hcl.InitialPos)
	if file == nil {
		file = &hcl.File{}
	}
	file.Bytes = []byte(text)
	offset := 0
	for i, line := range strings.Split(text, "\n") {
		at := hcl.Range{Filename: name, Start: hcl.Pos{Line: i + 1, Column: 1, Byte: offset}, End: hcl.Pos{Line: i + 1, Column: len(line) + 1, Byte: offset + len(line)}}
		end := at
		end.Start = hcl.Pos{Line: i + 1, Column: len(line), Byte: offset + max(len(line)-1, 0)}
		for _, at := range []hcl.Range{at, end} {
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Something", Subject: &at, Extra: extra})
		}
		offset += len(line) + 1
	}
	files := map[string]*hcl.File{name: file}
	people := written(t, func(b *bytes.Buffer) error { return Diagnostics(b, diags, files, Options{Width: 100}) })
	programs := written(t, func(b *bytes.Buffer) error { return DiagnosticsJSON(b, diags, files) })
	return string(people) + string(programs)
}

func TestSnippetsNeverShowSecrets(t *testing.T) {
	t.Parallel()
	for what, text := range map[string]string{
		"a password":                      "a {\n  password = \"hush\"\n}\n",
		"one without its second quote":    "a {\n  password = \"hush\n}\n",
		"one without its first quote":     "a {\n  password = hush\"\n}\n",
		"one without quotes":              "a {\n  password = hush!\n}\n",
		"one behind an arrow":             "a {\n  x = { password => \"hush\" }\n}\n",
		"a token among others":            "a {\n  headers = { a = \"b\", \"PRIVATE-TOKEN\" = \"hush\" }\n}\n",
		"a token with a colon":            "a {\n  headers = { \"PRIVATE-TOKEN\": \"hush\" }\n}\n",
		"a key in lines":                  "a {\n  client_private_key_pem = <<EOT\nhush==\nhush\nEOT\n  b = 1 1\n}\n",
		"a key in lines without an end":   "a {\n  client_private_key_pem = <<-EOT\n  hush==\n",
		"an object":                       "a {\n  credentials = {\n    a = \"hush\"\n    b = [\n\"hush\"]\n  }\n  c = 1 1\n}\n",
		"a connection string":             "a { conn_str = \"postgres://u:hush@h/db\" }\n",
		"a default of a secret":           "variable \"db_password\" {\n  default = \"hush\"\n}\n",
		"a default of a sensitive one":    "variable \"x\" {\n  default = \"hush\"\n  sensitive = true\n}\n",
		"one in a single line":            "variable \"x\" { default = \"hush\", sensitive = true }\n",
		"a URL with a password":           "a {\n  url = \"https://user:hush@example.org\"\n}\n",
		"a URL with a token":              "a {\n  x = [\n    \"https://example.org/a?token=hush\",\n  ]\n}\n",
		"a URL with a space and no quote": "a {\n  url = \"https://user:hush hush@example.org\n}\n",
		"a reference":                     "a {\n  publish = [\"user:hush@example.org/lab:1\"]\n}\n",
	} {
		if got := shownOf(t, "main.hcl", text, nil); strings.Contains(got, "hush") || !strings.Contains(got, "(not shown)") {
			t.Errorf("%s:\n%s", what, got)
		}
	}
}

func TestSnippetsNeverShowValuesOfVariables(t *testing.T) {
	t.Parallel()
	for what, text := range map[string]string{
		"a line":             "x = \"hush\"\n",
		"one without quotes": "x = hush\n",
		"a broken line":      "x = \"hush\nhush = \n",
		"no setting":         "hush\n\"hush\" = 1\n",
		"a text in lines":    "x = <<EOT\nhush==\nhush = 1\nEOT\ny = \"hush\n",
		"a list":             "x = [\n  \"hush\",\nhush = 1\n]\n",
	} {
		got := shownOf(t, "x.esdvars", text, nil)
		if strings.Contains(strings.ReplaceAll(got, "hush =", ""), "hush") {
			t.Errorf("%s:\n%s", what, got)
		}
	}
}

func TestSnippetsShowWhatIsNoSecret(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"  password = var.password", "  passphrase_variable = \"PASSPHRASE\"", "  version = \"hush\"", "  specs = [\"hdf5@1.10:1.12\", \"zlib@1.3\"]",
		"  base = \"example.org/debian@sha256:0123\"", "  git = \"ssh://git@example.org/a\"",
	} {
		if got := shownOf(t, "main.hcl", "a {\n"+line+"\n}\n", nil); !strings.Contains(got, strings.TrimSpace(line)) {
			t.Errorf("%s is shown as\n%s", line, got)
		}
	}
}

func TestTheSourceOfASecretIsNotShown(t *testing.T) {
	t.Parallel()
	got := shownOf(t, "main.hcl", "a {\n  x = \"hush\"\n}\n", schema.CheckNoSecret("https://a:b@c", ""))
	if strings.Contains(got, "hush") || !strings.Contains(got, "on main.hcl line 2, in a (not shown)") {
		t.Error(got)
	}
}

func TestValuesInScopeAreNoSecrets(t *testing.T) {
	t.Parallel()
	expr, _ := hclsyntax.ParseExpression([]byte(`"${var.db_password}${var.u}${var.plain}"`), "", hcl.InitialPos)
	d := &hcl.Diagnostic{Expression: expr, EvalContext: &hcl.EvalContext{Variables: map[string]cty.Value{"var": cty.ObjectVal(map[string]cty.Value{
		"db_password": cty.StringVal("hush"), "u": cty.StringVal("https://u:hush@example.org"), "plain": cty.StringVal("seen"),
	})}}}
	got := ""
	for _, v := range valuesInScope(d) {
		got += v.Traversal + " " + v.Statement + "\n"
	}
	if want := "var.db_password is not shown\nvar.plain is \"seen\"\nvar.u is not shown\n"; got != want {
		t.Errorf("%s", got)
	}
}
