package importer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"esd/internal/importer"
	"esd/internal/spack/manifest"
)

// manifestOf is a spack.yaml with a text as a key and as values.
func manifestOf(s string) ([]byte, error) {
	return manifest.Write([]string{"zlib"}, map[string]any{"packages": map[string]any{s: s, "x": s}})
}

func TestWhatCannotBeImportedIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file, src, want string
		opts            importer.Options
	}{
		"a kind that is none":          {"spack.yaml", "spack: {}\n", `"helm" is nothing that can be imported; it is one of spack, spacktainers, stackinator`, importer.Options{From: "helm"}},
		"a kept container definition":  {"x.def", "Bootstrap: docker\nFrom: a\n", "only a spack.yaml can be kept as it is; this is imported as spacktainers", importer.Options{Keep: true}},
		"a definition without a base":  {"x.def", "%post\n", "x.def:1: a definition file begins with Bootstrap: and From:", importer.Options{}},
		"broken YAML":                  {"spack.yaml", "spack: [\n", "spack.yaml:", importer.Options{}},
		"a wrong type":                 {"spack.yaml", "spack:\n  specs: zlib\n", "spack.yaml:2:10: specs must be a list, and is text", importer.Options{}},
		"a mirror of a wrong type":     {"spack.yaml", "spack:\n  mirrors:\n    a: [b]\n", "spack.yaml:3:8: the mirror a must be text or a map, and is a list", importer.Options{}},
		"a file by the name of a list": {"environments.yaml", "a: {}\n", "it is one of a Stackinator recipe", importer.Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "a file by the name of a list" {
				test.want = "give its directory"
			}
			dir := t.TempDir()
			path := filepath.Join(dir, test.file)
			if err := os.WriteFile(path, []byte(test.src), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := importer.Import(path, test.opts)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestWhatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none"), dir} {
		if _, err := importer.Import(path, importer.Options{}); err == nil {
			t.Errorf("%s was imported", path)
		}
	}
}

func TestAFileIsWrittenWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, "x.hcl")
	for _, want := range []string{"a", "b"} {
		if err := importer.WriteFile(name, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s, %v", got, err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := importer.WriteFile(filepath.Join(dir, "d"), nil); err == nil {
		t.Error("a directory was overwritten")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("something is left: %v, %v", entries, err)
	}
}
