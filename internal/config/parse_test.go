package config

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

func TestHostileFilesAreRefused(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"parentheses":       "locals {\n x = " + strings.Repeat("(", 100000) + "\n}\n",
		"brackets":          "locals {\n x = " + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + "\n}\n",
		"objects":           "locals {\n x = " + strings.Repeat("{a=", 100000) + "\n}\n",
		"templates":         "locals {\n x = " + strings.Repeat(`"${`, 100000) + "\n}\n",
		"directives":        "locals {\n x = \"" + strings.Repeat(`%{if true}`, 100000) + "\"\n}\n",
		"negations":         "locals {\n x = " + strings.Repeat("!", 100000) + "true\n}\n",
		"operators":         "locals {\n x = 1" + strings.Repeat("+1", 100000) + "\n}\n",
		"lines":             "locals {\n x = (1" + strings.Repeat("\n+1", 100000) + ")\n}\n",
		"conditions":        "locals {\n x = " + strings.Repeat("true ? 1 : ", 100000) + "1\n}\n",
		"indices":           "locals {\n x = local.y" + strings.Repeat("[0]", 100000) + "\n}\n",
		"splats":            "locals {\n x = local.y" + strings.Repeat("[*]", 100000) + "\n}\n",
		"calls":             "locals {\n x = " + strings.Repeat("abs(", 100000) + "\n}\n",
		"blocks":            strings.Repeat("a {\n", 100000),
		"heredocs":          "locals {\n x = <<E\n" + strings.Repeat("${<<E\n", 50000) + "\n}\n",
		"not UTF-8":         "locals {\n x = \"\xff\"\n}\n",
		"zero bytes":        "\x00\x00",
		"an enormous block": "locals {\n x = \"" + strings.Repeat("x", maxParse) + "\"\n}\n",
		"an open comment":   strings.Repeat("recipe \"a\" {\n}\n", 2000) + "/*\n}\na",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := parseSource([]byte(src), "x.hcl")
			if !p.diags.HasErrors() {
				t.Error("accepted")
			}
		})
	}
}

func TestLargeDataIsNoNesting(t *testing.T) {
	t.Parallel()
	for name, src := range map[string]string{
		"a list":     "locals {\n x = [" + strings.Repeat("-1, [2, {a = 3}],\n", 20000) + "]\n}\n",
		"an object":  "locals {\n x = {\n" + strings.Repeat("\"a\" = 1 + 2\n", 20000) + "}\n}\n",
		"a script":   "locals {\n x = <<E\n" + strings.Repeat("if [ $a ]; then echo ((1 + 2)); fi\n}\nb\n", 1000) + "E\n}\n",
		"a template": "locals {\n x = \"" + strings.Repeat("${local.y}-", 20000) + "\"\n}\n",
	} {
		if p := parseSource([]byte(src), "x.hcl"); p.diags.HasErrors() {
			t.Errorf("%s: %s", name, p.diags)
		}
	}
}

func TestPositionsDoNotDependOnChunks(t *testing.T) {
	t.Parallel()
	src := bigConfig(2000)
	p := parseSource(src, "x.hcl")
	file, _ := hclsyntax.ParseConfig(src, "x.hcl", hcl.InitialPos)
	want := file.Body.(*hclsyntax.Body)
	if len(p.body.Blocks) != len(want.Blocks) {
		t.Fatal(len(p.body.Blocks))
	}
	for i := range want.Blocks {
		a, b := want.Blocks[i], p.body.Blocks[i]
		if a.Range() != b.Range() || a.Body.Attributes["script"].Expr.Range() != b.Body.Attributes["script"].Expr.Range() {
			t.Fatal(a.Range(), b.Range())
		}
	}
}

func TestOddFilesAreExplained(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.hcl"), 0o600); err != nil {
		t.Skip("no pipes here: ", err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "zero.hcl")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("loop.hcl", filepath.Join(dir, "loop.hcl")); err != nil {
		t.Fatal(err)
	}
	_, diags := Load(Options{Path: dir, Schemas: testSchemas()})
	if len(diags) != 3 {
		t.Error(diags)
	}
	for _, path := range []string{filepath.Join(dir, "none"), filepath.Join(dir, "pipe.hcl"), "/dev/null", t.TempDir()} {
		if c, diags := Load(Options{Path: path, Schemas: testSchemas()}); !diags.HasErrors() || c == nil {
			t.Errorf("%s: %v", path, diags)
		}
	}
}

func TestFormattingIsCanonical(t *testing.T) {
	t.Parallel()
	got, diags := Format([]byte("recipe \"a\" {\nversion=\"1\"\n  script =  \"x\"\n}"), "x.hcl")
	want := "recipe \"a\" {\n  version = \"1\"\n  script  = \"x\"\n}\n"
	if diags.HasErrors() || string(got) != want {
		t.Errorf("%v\n%s", diags, got)
	}
	if got, diags := Format([]byte("a {"), "x.hcl"); !diags.HasErrors() || string(got) != "a {" {
		t.Error(string(got), diags)
	}
}

func FuzzLoad(f *testing.F) {
	paths, _ := filepath.Glob("testdata/mistakes/*.txtar")
	for _, path := range paths {
		src, _ := os.ReadFile(path)
		f.Add(src)
	}
	f.Add(bigConfig(3))
	schemas := testSchemas()
	f.Fuzz(func(t *testing.T, src []byte) {
		path := filepath.Join(t.TempDir(), "x.hcl")
		if err := os.WriteFile(path, src, 0o600); err != nil {
			t.Fatal(err)
		}
		c, diags := Load(Options{Path: path, Schemas: schemas, Version: "1.0.0"})
		if !diags.HasErrors() {
			_, diags = c.Evaluate(context.Background(), standIn)
		}
		for _, diag := range diags {
			if diag.Summary == "" || diag.Detail == "" {
				t.Error(diag)
			}
		}
		render(c, diags)
	})
}

func FuzzFormat(f *testing.F) {
	f.Add(bigConfig(3))
	f.Add([]byte("a {\n x=<<-E\n  a\n  E\n}"))
	f.Fuzz(func(t *testing.T, src []byte) {
		once, diags := Format(src, "x.hcl")
		if diags.HasErrors() {
			if !bytes.Equal(once, src) {
				t.Fatal("changed in spite of errors")
			}
			return
		}
		if _, diags := Format(once, "x.hcl"); diags.HasErrors() {
			t.Fatalf("%s\n%s", once, diags)
		}
	})
}
