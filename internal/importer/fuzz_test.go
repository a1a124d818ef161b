package importer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/importer"
)

// importBytes imports one file and parses what came of it.
func importBytes(t *testing.T, name string, src []byte, opts importer.Options) *hclsyntax.Body {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, src, 0o644); err != nil {
		t.Fatal(err)
	}
	opts.Dir = filepath.Dir(path)
	result, err := importer.Import(path, opts)
	if err != nil {
		if strings.Contains(err.Error(), "came of it is refused") {
			t.Fatal(err)
		}
		return nil
	}
	file, diags := hclsyntax.ParseConfig(result.HCL, "x.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("no valid HCL: %v\n%s", diags, result.HCL)
	}
	for _, n := range result.Notes {
		if n.What == "" || n.Why == "" || n.File == "" {
			t.Errorf("an empty note: %+v", n)
		}
	}
	return file.Body.(*hclsyntax.Body)
}

func attribute(t *testing.T, body *hclsyntax.Body, block, name string) cty.Value {
	t.Helper()
	for _, b := range body.Blocks {
		if b.Type != block {
			continue
		}
		a, ok := b.Body.Attributes[name]
		if !ok {
			return cty.NilVal
		}
		v, diags := a.Expr.Value(nil)
		if diags.HasErrors() {
			t.Fatalf("%s: %v", name, diags)
		}
		return v
	}
	return cty.NilVal
}

func TestTextOfAnyKindSurvives(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]string{
		"templates":          "${a} %{b} $${c} %%{d} $%{ $",
		"quotes":             `"'\ \n`,
		"lines":              "a\nb\tc\r",
		"what is not seen":   "\u200b\u202e\u0007\U000e0001",
		"letters":            "é ☃ 😀",
		"an empty one":       "",
		"a word of HCL":      "null",
		"a number":           "3.10",
		"a heredoc":          "<<EOT",
		"comments":           "# // /* */",
		"Spack's own format": "{name}/{version}-%{x}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := manifestOf(s)
			if err != nil {
				t.Fatal(err)
			}
			body := importBytes(t, "spack.yaml", m, importer.Options{})
			got := attribute(t, body, "environment", "config").GetAttr("packages")
			if diff := cmp.Diff(map[string]string{s: s, "x": s}, map[string]string{
				keyOtherThan(got, "x"): got.GetAttr(keyOtherThan(got, "x")).AsString(), "x": got.GetAttr("x").AsString(),
			}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func keyOtherThan(v cty.Value, other string) string {
	for key := range v.Type().AttributeTypes() {
		if key != other {
			return key
		}
	}
	return other
}

func FuzzImportSpack(f *testing.F) {
	archives, _ := filepath.Glob("testdata/*.txtar")
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			if strings.HasSuffix(file.Name, ".yaml") {
				f.Add(file.Data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		importBytes(t, "spack.yaml", src, importer.Options{From: importer.Spack})
		importBytes(t, "spack.yaml", src, importer.Options{From: importer.Spacktainers})
	})
}

func FuzzImportDefinition(f *testing.F) {
	f.Add([]byte("Bootstrap: docker\nFrom: a:1\n%files\n a /b\n%environment\n export A=\"b\"\n%labels\nA b\n%runscript\nexec /a b \"$@\"\n%post\nx\n%help\n${x}\n"))
	f.Add([]byte("Bootstrap: library\nFrom: x\nStage: y\n%files from z\n a b\n%"))
	f.Fuzz(func(t *testing.T, src []byte) { importBytes(t, "x.def", src, importer.Options{}) })
}

func FuzzImportStackinator(f *testing.F) {
	f.Add([]byte("name: a\nspack: {repo: r, commit: c, packages: {x: {repo: y}}}\nversion: 3\n"), []byte("gcc: {version: '14'}\n"),
		[]byte("a:\n  compiler: [gcc]\n  specs: [b]\n  network: {mpi: m@1 +x, specs: [l]}\n  views: {v: {uenv: {a: b}}}\n"), []byte("packages: {all: {x: [y]}}\n"))
	f.Add([]byte("name: a\nspack: {repo: r}\n"), []byte("gcc: {specs: [gcc@13]}\n"), []byte("a: {compiler: [{spec: gcc}], mpi: {spec: m, gpu: cuda}}\n"), []byte("{}"))
	f.Fuzz(func(t *testing.T, config, compilers, environments, packages []byte) {
		dir := t.TempDir()
		for name, src := range map[string][]byte{"config.yaml": config, "compilers.yaml": compilers, "environments.yaml": environments, "packages.yaml": packages} {
			if err := os.WriteFile(filepath.Join(dir, name), src, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		result, err := importer.Import(dir, importer.Options{Dir: dir})
		if err == nil {
			if _, diags := hclsyntax.ParseConfig(result.HCL, "x.hcl", hcl.InitialPos); diags.HasErrors() {
				t.Fatalf("no valid HCL: %v\n%s", diags, result.HCL)
			}
		} else if strings.Contains(err.Error(), "came of it is refused") {
			t.Fatal(err)
		}
	})
}
