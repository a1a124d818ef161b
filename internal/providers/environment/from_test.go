package environment

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestASpackYamlIsRefusedWhenSpackWouldNotFindWhatItNames(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ yaml, want string }{
		"an include that is not below it": {"spack:\n  include:\n  - ../outside.yaml\n  specs: [zlib]\n", "absolute path"},
		"a repository relative to it":     {"spack:\n  repos:\n  - repo\n  specs: [zlib]\n", "package_repository"},
		"an include that is not there":    {"spack:\n  include:\n  - gone.yaml\n  specs: [zlib]\n", "is not there"},
		"an include beside it":            {"spack:\n  include:\n  - beside.yaml\n  specs: [zlib, hdf5@1.14]\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top := t.TempDir()
			dir := filepath.Join(top, "env")
			for file, content := range map[string]string{
				"outside.yaml": "packages: {}\n", "env/beside.yaml": "packages: {}\n", "env/repo/repo.yaml": "repo:\n  namespace: r\n", "env/spack.yaml": test.yaml,
			} {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(top, file)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(top, file), []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			x, err := readExisting(filepath.Join(dir, "spack.yaml"))
			if test.want == "" && (err != nil || len(x.names) != 2 || len(x.files) != 1) {
				t.Errorf("%+v, %v", x, err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
