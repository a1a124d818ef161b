package importer_test

import (
	"fmt"
	"strings"
	"testing"

	"esd/internal/importer"
)

// TestLargeFilesAreReadInTime is about the growth of work with size: what is
// quadratic would not end within the time of a test run.
func TestLargeFilesAreReadInTime(t *testing.T) {
	t.Parallel()
	many := func(line string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, line, i)
		}
		return b.String()
	}
	for name, test := range map[string]struct{ file, src string }{
		"mirrors of different names": {"spack.yaml", "spack:\n  specs: [a]\n  mirrors:\n" + many("    m%d: /x\n", 1_000)},
		"mirrors of the same name":   {"spack.yaml", "spack:\n  specs: [a]\n  mirrors:\n" + many("    '%d!': /x\n", 1_000)},
		"labels":                     {"spack.yaml", "spack:\n  specs: [a]\n  container:\n    labels:\n" + many("      l%d: x\n", 1_000)},
		"unknown sections":           {"spack.yaml", "spack:\n  specs: [a]\n" + many("  s%d: x\n", 1_000)},
		"files of a definition":      {"x.def", "Bootstrap: docker\nFrom: a\n%files\n" + many("x.def /f%d\n", 1_000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if importBytes(t, test.file, []byte(test.src), importer.Options{}) == nil {
				t.Error("refused")
			}
		})
	}
}
