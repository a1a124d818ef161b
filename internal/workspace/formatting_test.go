package workspace

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func TestFormattingFindsWhatIsWrittenByHand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{
		"a.hcl", "b.esdvars", "c.lock.hcl", ".hidden.hcl", "notes.txt", "deep/d.hcl", ".git/e.hcl", "deep/.esd/f.hcl",
	} {
		write(t, filepath.Join(dir, name), "x   = 1\n", 0o644)
	}
	for name, test := range map[string]struct {
		recursive bool
		want      []string
	}{
		"in one directory":      {false, []string{"a.hcl", "b.esdvars"}},
		"in those below it too": {true, []string{"a.hcl", "b.esdvars", "deep/d.hcl"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			list, diags, _ := FormatFiles([]string{dir}, test.recursive)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			var got []string
			for _, f := range list {
				rel, _ := filepath.Rel(dir, f.Path)
				got = append(got, rel)
				if !f.Changed() {
					t.Errorf("%s would stay as it is", rel)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFormattingKeepsModeAndLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "real", "a.hcl"), filepath.Join(dir, "b.hcl")
	write(t, file, "x   = 1\n", 0o640)
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	list, diags, _ := FormatFiles([]string{link}, false)
	if diags.HasErrors() || len(list) != 1 {
		t.Fatal(list, diags)
	}
	if err := list[0].Write(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(file)
	if err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	if to, err := os.Readlink(link); err != nil || to != file {
		t.Errorf("the link leads to %q: %v", to, err)
	}
	if data, _ := os.ReadFile(file); string(data) != "x = 1\n" {
		t.Errorf("content %q", data)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "real", ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestABrokenFileDoesNotKeepOthersFromBeingFormatted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.hcl"), "locals {\n", 0o644)
	write(t, filepath.Join(dir, "b.hcl"), "locals {\nx   = 1\n}\n", 0o644)
	list, diags, files := FormatFiles([]string{dir}, false)
	if !diags.HasErrors() || len(files) != 2 || len(list) != 2 || list[0].Changed() || !list[1].Changed() {
		t.Errorf("%d formattings, %d files, %v", len(list), len(files), diags)
	}
}

func TestScaffoldOverwritesNothing(t *testing.T) {
	t.Parallel()
	for name, existing := range map[string]string{
		"a configuration": "other.hcl",
		"the source":      "src/hello/other.c",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "with [brackets]")
			write(t, filepath.Join(dir, existing), "mine", 0o644)
			made, err := Scaffold(dir)
			if err == nil || !strings.Contains(err.Error(), "Nothing was changed") || len(made) > 0 {
				t.Errorf("made %v, error %v", made, err)
			}
		})
	}
}

func TestScaffoldLeavesAnIgnoreFileAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".gitignore"), "mine", 0o644)
	made, err := Scaffold(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []Scaffolded{
		{filepath.Join(dir, ".gitignore"), true}, {filepath.Join(dir, "main.hcl"), false},
		{filepath.Join(dir, "src/hello/hello.c"), false},
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if data, _ := os.ReadFile(filepath.Join(dir, ".gitignore")); string(data) != "mine" {
		t.Errorf(".gitignore is %q", data)
	}
}
