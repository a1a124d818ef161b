package testrepo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheSameOptionsGiveTheSameSourcesAndRecipes(t *testing.T) {
	t.Parallel()
	for name, api := range map[string]API{"for Spack 0.23": V1, "for Spack 1.x": V2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := Options{API: api, BaseURL: "https://sources.example.org"}
			first, err := Write(t.TempDir(), opts)
			if err != nil {
				t.Fatal(err)
			}
			second, err := Write(t.TempDir(), opts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(files(t, first.Path), files(t, second.Path)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(first.SHA256, second.SHA256); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDirectoriesAreWhereEachGenerationLooksForThem(t *testing.T) {
	t.Parallel()
	old, err := Write(t.TempDir(), Options{API: V1})
	if err != nil {
		t.Fatal(err)
	}
	current, err := Write(t.TempDir(), Options{API: V2})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{old.Path + "/packages/toy-leaf1/package.py", current.Path + "/packages/toy_leaf1/package.py"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(text), "class ToyLeaf1(Package):") {
			t.Errorf("%s has no class ToyLeaf1:\n%s", name, text)
		}
	}
	if filepath.Base(filepath.Dir(current.Path)) != "spack_repo" {
		t.Errorf("%s is not below a directory spack_repo", current.Path)
	}
}

func files(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	if err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		found[strings.TrimPrefix(path, root)] = string(text)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return found
}
