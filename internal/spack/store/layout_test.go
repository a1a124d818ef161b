package store

import (
	"strings"
	"testing"
)

// The expectations are what Spack's add_padding gives.
func TestRootsArePaddedAsSpackDoes(t *testing.T) {
	t.Parallel()
	const p = "/__spack_path_placeholder__"
	for name, c := range map[string]struct {
		root   string
		length int
		want   string
	}{
		"already as long":             {"/opt/spack", 10, "/opt/spack"},
		"longer":                      {"/opt/spack", 5, "/opt/spack"},
		"one missing":                 {"/opt/spack", 11, "/opt/spack"},
		"two missing":                 {"/opt/spack", 12, "/opt/spack/_"},
		"a part of a component":       {"/opt/spack", 20, "/opt/spack/__spack_p"},
		"one component":               {"/opt/spack", 37, "/opt/spack" + p},
		"a separator would be last":   {"/opt/spack", 38, "/opt/spack" + p + "_"},
		"a component and a beginning": {"/opt/spack", 39, "/opt/spack" + p + "/_"},
		"many":                        {"/opt/spack", 128, "/opt/spack" + strings.Repeat(p, 4) + "/__spack_p"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Pad(c.root, c.length)
			if got != c.want {
				t.Errorf("got %s (%d), want %s", got, len(got), c.want)
			}
		})
	}
}

func TestAPaddedTreeHasOnlySbangOutside(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	d, s := stack(t), openStore(t, root, Options{PaddedLength: 256})
	if len(s.Root()) != 256 || !strings.HasPrefix(s.Root(), root+"/__spack") || s.UnpaddedRoot() != root {
		t.Fatalf("the root is %s", s.Root())
	}
	mustInstall(t, s, d.packages("lib"), d.options())
	mustVerify(t, s)
	for _, path := range []string{root + "/bin/sbang", s.Root() + "/.spack-db/index.json", prefixOf(t, s, d.byName["lib"]) + "/bin/lib"} {
		if !exists(path) {
			t.Errorf("there is no %s", path)
		}
	}
}

func TestRootsThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		root string
		opts Options
	}{
		"relative":                 {"opt/spack", Options{}},
		"the root of the system":   {"/", Options{}},
		"longer than the padding":  {"/opt/a-long-name", Options{PaddedLength: 10}},
		"an unknown version":       {"/opt/spack", Options{DatabaseVersion: 6}},
		"a projection that leaves": {"/opt/spack", Options{Projection: "/{name}"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Open(c.root, c.opts); err == nil {
				t.Error("it was opened")
			}
		})
	}
}
