package config

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
)

// testSchemas resemble those of the real providers.
func testSchemas() map[string]*schema.Block {
	text := func(name string) schema.Attribute { return schema.Attribute{Name: name, Type: cty.String} }
	recipe := &schema.Block{
		Kind: "recipe", Repeats: true, Lifecycle: true,
		Attributes: []schema.Attribute{
			{Name: "version", Type: cty.String, Required: true, Doc: "The version, in quotes.", Check: schema.CheckVersion},
			{Name: "needs", References: []string{"recipe"}, Doc: "The recipes whose prefixes the script uses."},
			{Name: "script", Type: cty.String},
			{Name: "environment", Type: cty.Map(cty.String)},
			{Name: "network", Type: cty.Bool, Default: cty.False},
			{Name: "site", References: []string{"site"}},
			{Name: "options", Type: cty.ObjectWithOptionalAttrs(map[string]cty.Type{"strategy": cty.String, "level": cty.Number}, []string{"strategy", "level"})},
		},
		Blocks: []schema.Nested{
			{Name: "source", Block: schema.Block{Attributes: []schema.Attribute{text("path"), text("url"), text("sha256")}}},
			{Name: "resources", Block: schema.Block{Attributes: []schema.Attribute{{Name: "cpus", Type: cty.Number, Default: cty.NumberIntVal(1)}, {Name: "memory", Type: cty.String, Check: schema.CheckSize}}}},
			{Name: "patch", Nesting: schema.List, Block: schema.Block{Attributes: []schema.Attribute{{Name: "path", Type: cty.String, Required: true}}}},
		},
		Exports: []schema.Export{{Name: "prefix", Type: cty.String}, {Name: "digest", Type: cty.String, AfterApply: true}},
	}
	image := &schema.Block{
		Kind: "target.image", Repeats: true, Lifecycle: true,
		Attributes: []schema.Attribute{
			{Name: "packages", References: []string{"recipe"}},
			text("base"),
			{Name: "publish", Type: cty.List(cty.String)},
			{Name: "files", Type: cty.Map(cty.String)},
		},
		Blocks:  []schema.Nested{{Name: "check", Nesting: schema.Map, Label: "name", Block: schema.Block{Attributes: []schema.Attribute{{Name: "command", Type: cty.List(cty.String), Required: true}}}}},
		Exports: []schema.Export{{Name: "digest", Type: cty.String, AfterApply: true}, {Name: "size", Type: cty.Number, AfterApply: true}},
	}
	site := &schema.Block{Kind: "site", Attributes: []schema.Attribute{text("microarchitecture"), text("build_directory")}}
	cache := &schema.Block{Kind: "cache.artifact", Attributes: []schema.Attribute{{Name: "url", Type: cty.String, Required: true}, {Name: "push", Type: cty.Bool}}}
	executor := &schema.Block{Kind: "executor", Attributes: []schema.Attribute{{Name: "type", Type: cty.String}}}
	all := map[string]*schema.Block{}
	for _, s := range []*schema.Block{recipe, image, site, cache, executor} {
		all[s.Kind] = s
	}
	return all
}

// write lays out the files of an archive in a new directory. Text before the
// first file is main.hcl.
func write(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	archive := txtar.Parse([]byte(text))
	if len(archive.Files) == 0 || bytes.Contains(archive.Comment, []byte("{")) {
		archive.Files = append(archive.Files, txtar.File{Name: "main.hcl", Data: archive.Comment})
	}
	for _, file := range archive.Files {
		path := filepath.Join(dir, file.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// run loads and evaluates the files of an archive.
func run(t testing.TB, text string, change ...func(*Options)) (*Config, *Evaluated, hcl.Diagnostics) {
	t.Helper()
	opts := Options{Path: write(t, text), Schemas: testSchemas(), Version: "1.2.3"}
	for _, f := range change {
		f(&opts)
	}
	c, diags := Load(opts)
	if diags.HasErrors() {
		return c, &Evaluated{}, diags
	}
	e, more := c.Evaluate(context.Background(), standIn)
	return c, e, append(diags, more...)
}

// good is run where no errors are expected.
func good(t testing.TB, text string, change ...func(*Options)) (*Config, *Evaluated) {
	t.Helper()
	c, e, diags := run(t, text, change...)
	if len(diags) > 0 {
		t.Fatalf("unexpected diagnostics:\n%s", render(c, diags))
	}
	return c, e
}

// render shows diagnostics as users see them, without the directory.
func render(c *Config, diags hcl.Diagnostics) string {
	var b bytes.Buffer
	short := func(s string) string {
		return strings.ReplaceAll(strings.ReplaceAll(s, c.Dir+string(filepath.Separator), ""), c.Dir, "DIR")
	}
	files := map[string]*hcl.File{}
	for name, file := range c.Files() {
		files[short(name)] = file
	}
	var shown hcl.Diagnostics
	for _, diag := range diags {
		copied := *diag
		copied.Detail = short(diag.Detail)
		if diag.Subject != nil {
			at := *diag.Subject
			at.Filename = short(at.Filename)
			copied.Subject, copied.Context = &at, nil
		}
		shown = append(shown, &copied)
	}
	if err := hcl.NewDiagnosticTextWriter(&b, files, 100, false).WriteDiagnostics(shown); err != nil {
		return err.Error()
	}
	lines := strings.Split(b.String(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
