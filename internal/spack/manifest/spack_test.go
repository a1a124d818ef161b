package manifest_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack/manifest"
)

// TestSpackReadsWhatIsWritten asks the Spack that ESD_TEST_SPACK prepares the
// shell for.
func TestSpackReadsWhatIsWritten(t *testing.T) {
	t.Parallel()
	source := os.Getenv("ESD_TEST_SPACK")
	if source == "" {
		t.Skip("ESD_TEST_SPACK names no file that prepares a shell for Spack")
	}
	dir := t.TempDir()
	specs := []string{"zlib@1.3 %gcc", "hdf5+mpi cflags='-O2 -g'"}
	src, err := manifest.Write(specs, map[string]any{
		"packages::": map[string]any{"all": map[string]any{"require": "target=x86_64_v3"}, "python": map[string]any{"version": []any{"3.10"}}},
		"view":       false, "config": map[string]any{"template_dirs": []any{"é \"quoted\" \\ \u0085 \u2028 \x7f"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "spack.yaml"), src, 0o644); err != nil {
		t.Fatal(err)
	}
	ask := filepath.Join(dir, "ask.py")
	if err := os.WriteFile(ask, []byte(`import json, spack.config, spack.environment as ev
print(json.dumps({"specs": ev.active_environment().manifest["spack"]["specs"], "packages": spack.config.get("packages"),
  "config": spack.config.get("config:template_dirs")[0]}))
`), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `. "$0" && exec spack -e "$1" python "$2"`, source, dir, ask)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, stderr.String())
	}
	var got map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := map[string]any{
		"specs":    []any{specs[0], specs[1]},
		"packages": map[string]any{"all": map[string]any{"require": "target=x86_64_v3"}, "python": map[string]any{"version": []any{"3.10"}}},
		"config":   "é \"quoted\" \\ \u0085 \u2028 \x7f",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
