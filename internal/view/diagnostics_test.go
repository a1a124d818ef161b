package view

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

const source = `recipe "greet" {
	version = var.release
  sorce { path = "src/greet" }
  script  = "make ${var.token} ${each.key}"
}

target "image" "lab" {
  packages = [
    recipe.gret,
    recipe.tools,
  ]
  labels = { "org.example.a" = "a very long line that goes on and on and on", "org.example.b" = recipe.lib.prefx, "c" = "and on" }
`

func parsed(t *testing.T) (map[string]*hcl.File, hcl.Diagnostics) {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(source), "main.hcl", hcl.InitialPos)
	return map[string]*hcl.File{"main.hcl": f}, diags
}

func rangeOf(t *testing.T, from, to string) *hcl.Range {
	t.Helper()
	start := strings.Index(source, from)
	end := strings.Index(source[start:], to) + start + len(to)
	pos := func(at int) hcl.Pos {
		before := source[:at]
		return hcl.Pos{Line: strings.Count(before, "\n") + 1, Column: at - strings.LastIndexByte(before, '\n'), Byte: at}
	}
	return &hcl.Range{Filename: "main.hcl", Start: pos(start), End: pos(end)}
}

func someDiagnostics(t *testing.T) (hcl.Diagnostics, map[string]*hcl.File) {
	files, diags := parsed(t)
	expr, _ := hclsyntax.ParseExpression([]byte(`"${var.release}${var.token}${var.later}${each.key}${local.map}${var.nothing}"`), "", hcl.InitialPos)
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{
		"var": cty.ObjectVal(map[string]cty.Value{
			"release": cty.StringVal("25\x1b[31m.06"), "token": cty.StringVal("hunter2").Mark("sensitive"),
			"later": cty.UnknownVal(cty.String), "nothing": cty.NullVal(cty.String),
		}),
		"each":  cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal("zen3")}),
		"local": cty.ObjectVal(map[string]cty.Value{"map": cty.MapVal(map[string]cty.Value{"a": cty.StringVal("hunter3").Mark("sensitive")})}),
	}}
	diags = append(diags,
		&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Unsupported block type", Subject: rangeOf(t, "sorce", "sorce"),
			Detail: `Blocks of type "sorce" are not expected here. Did you mean "source"?`},
		&hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "Value is deprecated", Subject: rangeOf(t, "var.release", "release"), Expression: expr, EvalContext: ctx,
			Detail: "Use something else, which is described in the reference of the language:\n\n    version = \"1.0\"\n\nThis goes away with version 2 of the language."},
		&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Invalid function argument", Subject: rangeOf(t, `"make`, `each.key}"`), Expression: expr, EvalContext: ctx, Detail: "It cannot be."},
		&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Reference to unknown recipe", Subject: rangeOf(t, "recipe.gret", "recipe.gret"), Context: rangeOf(t, "packages", "]"),
			Detail: `There is no recipe "gret". Did you mean "greet"?`},
		&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Unknown attribute", Subject: rangeOf(t, "recipe.lib.prefx", "prefx"), Detail: "Did you mean \"prefix\"?"},
		&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Cannot read \x1b]0;evil\x07file", Subject: &hcl.Range{Filename: "b\x1b[2J.hcl", Start: hcl.InitialPos, End: hcl.InitialPos}},
		&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "No source at all"},
	)
	return diags, files
}

func TestDiagnosticsLookAsAgreed(t *testing.T) {
	diags, files := someDiagnostics(t)
	for name, o := range map[string]Options{
		"diagnostics":        {Unicode: true, Width: 80},
		"diagnostics_color":  {Unicode: true, Width: 80, Color: true},
		"diagnostics_ascii":  {},
		"diagnostics_narrow": {Unicode: true, Width: 30},
	} {
		t.Run(name, func(t *testing.T) {
			got := written(t, func(b *bytes.Buffer) error { return Diagnostics(b, diags, files, o) })
			golden(t, name, got)
			if bytes.Contains(got, []byte("hunter")) {
				t.Error("shows a sensitive value")
			}
			for line := range strings.Lines(string(got)) {
				if line = stripSequences(strings.TrimRight(line, "\n")); o.Width > 0 && displayWidth(line) > o.Width && !strings.Contains(line, "version =") {
					t.Errorf("wider than the terminal: %q", line)
				}
			}
		})
	}
}

func TestDiagnosticsAsJSONHaveTerraformsShape(t *testing.T) {
	diags, files := someDiagnostics(t)
	got := written(t, func(b *bytes.Buffer) error { return DiagnosticsJSON(b, diags, files) })
	golden(t, "diagnostics_json", got)
	var doc struct {
		Diagnostics []struct {
			Snippet *struct {
				Code  string
				Start int `json:"highlight_start_offset"`
				End   int `json:"highlight_end_offset"`
			}
		}
	}
	if err := json.Unmarshal(got, &doc); err != nil {
		t.Fatal(err)
	}
	if s := doc.Diagnostics[1].Snippet; s.Code[s.Start:s.End] != "sorce" {
		t.Errorf("the highlight is %q", s.Code[s.Start:s.End])
	}
	if bytes.Contains(got, []byte("hunter2\"")) || bytes.Contains(got, []byte("hunter3")) {
		t.Error("shows a sensitive value")
	}
}

func TestErrorsLookAsAgreed(t *testing.T) {
	for name, err := range map[string]error{
		"error_plain":  fmt.Errorf("cannot publish: %w", errors.New("registry.example.org: connection refused\nIs it running?\n  try: curl https://registry.example.org")),
		"error_joined": errors.Join(errors.New("one"), errors.Join(errors.New("two\nmore of two"), errors.New("three"))),
		"error_two":    fmt.Errorf("%w (%w)", errors.New("took longer than its timeout of 1s"), errors.New("killed")),
	} {
		golden(t, name, written(t, func(b *bytes.Buffer) error { return Error(b, err, Options{Unicode: true, Width: 60}) }))
	}
}

func TestDiagnosticsWithinAnErrorAreFound(t *testing.T) {
	diags, _ := someDiagnostics(t)
	got := written(t, func(b *bytes.Buffer) error { return Error(b, fmt.Errorf("loading: %w", diags), Options{}) })
	if !bytes.Contains(got, []byte("Unsupported block type")) {
		t.Error(string(got))
	}
}

func FuzzDiagnosticsOfAnySource(f *testing.F) {
	f.Add([]byte(source), 10, 20, 40)
	f.Add([]byte("a = \xff\x1b\n"), 4, 90, 20)
	f.Fuzz(func(t *testing.T, src []byte, start, end, width int) {
		file, diags := hclsyntax.ParseConfig(src, "f", hcl.InitialPos)
		files := map[string]*hcl.File{"f": file}
		start, end = max(start, 0), max(end, 0)
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "s", Subject: &hcl.Range{
			Filename: "f", Start: hcl.Pos{Line: 1, Column: 1, Byte: start}, End: hcl.Pos{Line: 1, Column: 2, Byte: end},
		}})
		var b bytes.Buffer
		if err := Diagnostics(&b, diags, files, Options{Width: width & 0xff}); err != nil {
			t.Fatal(err)
		}
		if err := DiagnosticsJSON(&b, diags, files); err != nil {
			t.Fatal(err)
		}
		if bytes.ContainsAny(b.Bytes(), "\x1b\x07") {
			t.Fatalf("%q", b.String())
		}
	})
}
