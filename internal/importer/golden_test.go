package importer_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"esd/internal/config"
	"esd/internal/importer"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestImports imports what is in testdata/*.txtar. The comment at the top of
// each begins with the path to import and its options; the golden file beside
// it has the configuration and what is said of it.
func TestImports(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := importArchive(t, archive)
			golden := strings.TrimSuffix(file, ".txtar") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func importArchive(t *testing.T, archive *txtar.Archive) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range archive.Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	line, _, _ := strings.Cut(string(archive.Comment), "\n")
	words := strings.Fields(line)
	opts := importer.Options{Dir: filepath.Join(dir, "out")}
	for _, word := range words[1:] {
		key, v, _ := strings.Cut(word, "=")
		switch key {
		case "keep":
			opts.Keep = true
		case "name":
			opts.Name = v
		case "from":
			opts.From = importer.Kind(v)
		case "spack":
			opts.SpackRef = v
		case "dir":
			opts.Dir = filepath.Join(dir, v)
		default:
			t.Fatalf("unknown option %s", word)
		}
	}
	result, err := importer.Import(filepath.Join(dir, words[0]), opts)
	if err != nil {
		return strings.ReplaceAll(fmt.Sprintf("error: %v\n", err), dir+"/", "")
	}
	again, diags := config.Format(result.HCL, "again.hcl")
	if diags.HasErrors() || string(again) != string(result.HCL) {
		t.Errorf("esd fmt would change it: %v", diags)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s.hcl\n\n%s", result.Kind, result.Name, result.HCL)
	for i, n := range result.Notes {
		if i == 0 {
			b.WriteString("\n--------\n")
		}
		fmt.Fprintln(&b, n)
	}
	return b.String()
}
