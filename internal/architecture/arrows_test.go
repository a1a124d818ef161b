package architecture

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms are the directories below internal/, and which others each may import.
// docs/architecture.md says why.
var rooms = map[string][]string{
	"cli":       {"workspace", "importer", "view", "compare", "apply", "plan", "config", "providers", "state", "graph", "oci", "sandbox", "schema", "addr"},
	"workspace": {"apply", "compare", "plan", "config", "providers", "state", "graph", "spack", "oci", "sandbox", "schema", "addr"},
	"importer":  {"config", "spack", "addr"},
	"view":      {"apply", "compare", "plan", "config", "state", "graph", "schema", "addr"},
	"apply":     {"plan", "graph", "providers", "state", "addr"},
	"plan":      {"config", "graph", "providers", "state", "addr"},
	"config":    {"schema", "addr"},
	"providers": {"artifact", "spack", "archive", "oci", "sandbox", "state", "schema", "addr"},
	"state":     {"oci", "schema", "addr"},
	"compare":   {"plan", "config", "state", "spack", "archive", "oci", "addr"},
	"artifact":  {"archive", "oci"},
	"spack":     {"archive", "oci"},
	"archive":   {},
	"oci":       {},
	"graph":     {},
	"sandbox":   {},
	"schema":    {},
	"addr":      {},

	// Beside the house: what writes the documentation, and what only tests.
	"docgen":       {"cli", "providers", "state", "schema"},
	"architecture": {},
	"e2e":          {},
}

// libraries are the modules that few rooms may know, so that changing or
// leaving one of them is a matter of those rooms.
var libraries = map[string][]string{
	"oras.land/oras-go/":              {"oci"},
	"github.com/dominikbraun/graph":   {"graph"},
	"github.com/spf13/":               {"cli"},
	"github.com/klauspost/compress/":  {"archive", "spack", "state"},
	"github.com/opencontainers/":      {"archive", "artifact", "oci", "providers", "spack", "state"},
	"github.com/go-json-experiment/":  {"spack"},
	"github.com/ProtonMail/go-crypto": {"spack"},
	"github.com/aws/":                 {"spack", "state"},
	"github.com/jackc/":               {"state"},
	"github.com/goccy/go-yaml":        {"spack", "importer"},
	"github.com/hashicorp/hcl/":       {"cli", "config", "docgen", "providers", "view", "workspace"},
	"github.com/zclconf/":             {"config", "docgen", "plan", "providers", "schema", "state", "view", "workspace", "cli"},
	"github.com/olareg/":              {},
	"github.com/google/go-cmp/":       {},
	"github.com/rogpeppe/go-internal": {"cli"}, // diff, for fmt --diff
}

func TestImportsPointDownwardOnly(t *testing.T) {
	t.Parallel()
	for path, imports := range sources(t) {
		room := roomOf(path)
		allowed, known := rooms[room]
		if !known {
			t.Errorf("%s stands in no room: give internal/%s a line in this test and in docs/architecture.md.", path, room)
			continue
		}
		for _, imported := range imports {
			other, ours := strings.CutPrefix(imported, "esd/internal/")
			other, _, _ = strings.Cut(other, "/")
			if ours && other != room && !slices.Contains(allowed, other) {
				t.Errorf("%s imports %s, but %s may import %s only. Move what is needed down, or hand it in.",
					path, imported, room, orNothing(allowed))
			}
			if strings.HasPrefix(imported, "esd/") && !ours {
				t.Errorf("%s imports %s: what is outside internal/ is at the top, and nobody's foundation.", path, imported)
			}
		}
	}
}

func TestLibrariesStayBehindTheRoomsThatWrapThem(t *testing.T) {
	t.Parallel()
	for path, imports := range sources(t) {
		for _, imported := range imports {
			for library, allowed := range libraries {
				if strings.HasPrefix(imported, library) && !slices.Contains(allowed, roomOf(path)) {
					t.Errorf("%s imports %s, which is for %s (and tests).", path, imported, orNothing(allowed))
				}
			}
		}
	}
}

func TestRoomsHaveNoWayBack(t *testing.T) {
	t.Parallel()
	var below func(room string, seen []string)
	below = func(room string, seen []string) {
		if slices.Contains(seen, room) {
			t.Errorf("the table of rooms goes in a circle: %s", strings.Join(append(seen, room), " > "))
			return
		}
		for _, next := range rooms[room] {
			below(next, append(slices.Clone(seen), room))
		}
	}
	for room := range rooms {
		below(room, nil)
	}
}

// conformance are the suites that every implementation of an interface must
// pass. Only tests import them, so they may look at everything.
var conformance = map[string]bool{"backendtest": true, "providertest": true}

// sources reads what each Go file below internal/ imports, without tests.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	files := map[string][]string{}
	root := ".." // internal
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || conformance[d.Name()]):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		name := "internal/" + filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))
		files[name] = nil
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			files[name] = append(files[name], imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// roomOf is the directory below internal/ that a file stands in.
func roomOf(path string) string { return strings.Split(path, "/")[1] }

func orNothing(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return strings.Join(list, ", ")
}
