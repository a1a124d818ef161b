package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

func TestDiagnosticsNeverShowASecret(t *testing.T) {
	const secret = "hunter2secret"
	declared := "variable \"s\" {\n  type = string\n  sensitive = true\n}\n"
	for sentence, tc := range map[string]struct{ src, vars string }{
		"a number that cannot be read":         {declared + `output "x" { value = tonumber(var.s) }`, `s = "` + secret + `"`},
		"an integer that cannot be read":       {declared + `output "x" { value = parseint(var.s, 10) }`, `s = "` + secret + `"`},
		"a document that cannot be read":       {declared + `output "x" { value = jsondecode(var.s) }`, `s = "` + secret + `"`},
		"a date that cannot be read":           {declared + `output "x" { value = formatdate("YYYY", var.s) }`, `s = "` + secret + `"`},
		"a local in between":                   {declared + "locals { l = \"a${var.s}\" }\noutput \"x\" { value = tonumber(local.l) }", `s = "` + secret + `"`},
		"the environment":                      {`output "x" { value = tonumber(env("SECRET")) }`, ``},
		"a value of the wrong type in a file":  {"variable \"s\" {\n  type = number\n  sensitive = true\n}\n", `s = "` + secret + `"`},
		"a value that its validation refuses":  {"variable \"s\" {\n  type = string\n  sensitive = true\n  validation {\n    condition = length(var.s) > 100\n    error_message = \"too short\"\n  }\n}\n", `s = "` + secret + `"`},
		"a list with an element that is wrong": {"variable \"s\" {\n  type = list(number)\n  sensitive = true\n}\n", `s = ["` + secret + `"]`},
	} {
		t.Run(sentence, func(t *testing.T) {
			shown := diagnosticsOf(t, tc.src, tc.vars, secret, nil)
			if shown == "" {
				t.Fatal("the mistake is not reported")
			}
			if strings.Contains(shown, secret) {
				t.Errorf("the secret is shown:\n%s", shown)
			}
		})
	}
	for sentence, src := range map[string]string{
		"text from the command line":         "variable \"s\" {\n  type = number\n  sensitive = true\n}\n",
		"an expression that cannot be read":  "variable \"s\" {\n  type = list(string)\n  sensitive = true\n}\n",
		"text that its validation refuses":   "variable \"s\" {\n  type = string\n  sensitive = true\n  validation {\n    condition = false\n    error_message = \"no\"\n  }\n}\n",
		"a secret in the name of a function": "variable \"s\" {\n  type = any\n  sensitive = true\n  default = []\n}\n",
	} {
		t.Run(sentence, func(t *testing.T) {
			shown := diagnosticsOf(t, src, "", secret, []string{"s=" + secret + "(1)"})
			if strings.Contains(shown, secret) {
				t.Errorf("the secret is shown:\n%s", shown)
			}
		})
	}
}

// diagnosticsOf gives all diagnostics of a configuration as a user sees them,
// with the snippets.
func diagnosticsOf(t *testing.T, src, vars, secret string, set []string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"main.hcl": src, "x.auto.esdvars": vars} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, diags := Load(Options{Path: dir, Vars: set, Environ: func(string) (string, bool) { return secret, true }})
	if !diags.HasErrors() {
		_, more := c.Evaluate(t.Context(), func(*Object) (cty.Value, hcl.Diagnostics) { return cty.DynamicVal, nil })
		diags = append(diags, more...)
	}
	var shown bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&shown, c.Files(), 100, false).WriteDiagnostics(diags); err != nil {
		t.Fatal(err)
	}
	return shown.String()
}
