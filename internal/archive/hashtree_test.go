package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func hashOf(t testing.TB, dir string) Tree {
	t.Helper()
	tree, err := HashTree(context.Background(), dir, HashOptions{})
	must(t, err)
	return tree
}

func TestHashTreeListsFilesWithTheirDigests(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]spec{"b/x": {text: "abc", mode: 0o755}, "a": {text: "abc"}, "l": {link: "/nowhere"}, ".git/HEAD": {text: "x"}})
	const abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	want := []FileDigest{{Path: "a", Digest: abc}, {Path: "b/x", Digest: abc, Executable: true}, {Path: "l", Link: "/nowhere"}}
	if diff := cmp.Diff(want, hashOf(t, dir).Files); diff != "" {
		t.Error(diff)
	}
}

func TestHashTreeDependsOnContentAlone(t *testing.T) {
	base := map[string]spec{"a": {text: "1"}, "d/b": {text: "2", mode: 0o755}, "l": {link: "a"}, "big": {text: strings.Repeat("x", 3<<20)}}
	with := func(name string, s spec) map[string]spec {
		m := map[string]spec{name: s}
		for n, v := range base {
			if n != name {
				m[n] = v
			}
		}
		return m
	}
	first := t.TempDir()
	writeTree(t, first, base)
	want := hashOf(t, first).Digest
	for name, c := range map[string]struct {
		tree map[string]spec
		same bool
	}{
		"another directory":               {base, true},
		"a file readable by others":       {with("a", spec{text: "1", mode: 0o600}), true},
		"an executable only for its user": {with("d/b", spec{text: "2", mode: 0o700}), true},
		"an empty directory more":         {with("empty", spec{dir: true}), true},
		"what git keeps":                  {with("sub/.git", spec{text: "gitdir: elsewhere"}), true},
		"what esd keeps":                  {with(".esd/state.json", spec{text: "{}"}), true},
		"another text":                    {with("a", spec{text: "3"}), false},
		"another byte in a large file":    {with("big", spec{text: strings.Repeat("x", 3<<20-1) + "y"}), false},
		"a file that became executable":   {with("a", spec{text: "1", mode: 0o755}), false},
		"another target of a link":        {with("l", spec{link: "d/b"}), false},
		"a file in place of a link":       {with("l", spec{text: "a"}), false},
		"a file more":                     {with("z", spec{}), false},
		"what git reads":                  {with(".gitignore", spec{text: "x"}), false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeTree(t, dir, c.tree)
			must(t, os.Chtimes(filepath.Join(dir, "a"), time.Unix(1, 0), time.Unix(2, 0)))
			if got := hashOf(t, dir).Digest; (got == want) != c.same {
				t.Errorf("same digest: %v, want %v", got == want, c.same)
			}
		})
	}
}

func TestHashTreeFollowsTheRootOnly(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]spec{"t/a": {text: "1"}, "l": {link: "t"}})
	if hashOf(t, filepath.Join(dir, "l")).Digest != hashOf(t, filepath.Join(dir, "t")).Digest {
		t.Error("through a link, it is another tree")
	}
}

func TestHashTreeNamesWhatItCannotHash(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "d", "pipe")
	must(t, os.Mkdir(filepath.Dir(pipe), 0o755))
	must(t, syscall.Mkfifo(pipe, 0o644))
	_, err := HashTree(context.Background(), dir, HashOptions{})
	var unsupported *UnsupportedFileError
	if !errors.As(err, &unsupported) || unsupported.Path != pipe {
		t.Errorf("pipe: %v", err)
	}
	if _, err := HashTree(context.Background(), filepath.Join(dir, "missing"), HashOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	dir = t.TempDir()
	writeTree(t, dir, map[string]spec{"secret": {mode: 0o200}})
	if _, err := HashTree(context.Background(), dir, HashOptions{}); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "secret") {
		t.Errorf("unreadable: %v", err)
	}
}

func TestHashTreeGivesTheSameOnManyFiles(t *testing.T) {
	tree := map[string]spec{}
	for i := range 300 {
		tree[fmt.Sprintf("d%d/f%d", i%7, i)] = spec{text: strings.Repeat(fmt.Sprint(i), i*100)}
	}
	a, b := t.TempDir(), t.TempDir()
	writeTree(t, a, tree)
	writeTree(t, b, tree)
	if diff := cmp.Diff(hashOf(t, a), hashOf(t, b)); diff != "" {
		t.Error(diff)
	}
}

func TestHashPathTakesFilesAndDirectories(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]spec{"t/a": {text: "1"}, "t/.git/x": {text: "2"}, "u/a": {text: "1"}, "f": {text: "1"}, "g": {text: "1", mode: 0o755}, "l": {link: "f"}})
	got := map[string]string{}
	for _, name := range []string{"t", "u", "f", "g", "l"} {
		d, err := HashPath(context.Background(), filepath.Join(dir, name))
		must(t, err)
		got[name] = d
	}
	if got["t"] == got["u"] || got["f"] == got["g"] || got["f"] != got["l"] || got["u"] == got["f"] {
		t.Errorf("digests: %v", got)
	}
}

func TestCopyTree(t *testing.T) {
	src := t.TempDir()
	writeTree(t, src, map[string]spec{
		"a": {text: "1", mode: 0o400}, "bin/x": {text: "2", mode: 0o555}, "bin/l": {link: "../a"}, "e": {dir: true},
		".git/HEAD": {text: "x"}, "big": {text: string(pseudoText(1 << 20))}, "hard": {hard: "a"},
	})
	must(t, os.Chmod(filepath.Join(src, "bin"), 0o555))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(src, "bin"), 0o755) })
	dst := filepath.Join(t.TempDir(), "copy")
	must(t, CopyTree(context.Background(), src, dst, CopyOptions{MTime: epoch}))
	want := readTree(t, src)
	for _, name := range []string{".git", ".git/HEAD"} {
		delete(want, name)
	}
	if diff := cmp.Diff(want, readTree(t, dst)); diff != "" {
		t.Error(diff)
	}
	if hashOf(t, src).Digest != hashOf(t, dst).Digest {
		t.Error("the copy has another digest")
	}
	for name, mode := range map[string]fs.FileMode{"a": 0o644, "bin/x": 0o755, "bin": fs.ModeDir | 0o755} {
		info, err := os.Stat(filepath.Join(dst, name))
		must(t, err)
		if info.Mode() != mode || !info.IsDir() && !info.ModTime().Equal(epoch) {
			t.Errorf("%s: mode %v, time %v", name, info.Mode(), info.ModTime())
		}
	}
	must(t, os.WriteFile(filepath.Join(dst, "a"), []byte("changed"), 0o644))
	if b, _ := os.ReadFile(filepath.Join(src, "a")); string(b) != "1" {
		t.Error("the source changed with the copy")
	}
}

func TestCopyTreeRefusesToCopyIntoItself(t *testing.T) {
	src := t.TempDir()
	writeTree(t, src, map[string]spec{"d/a": {text: "1"}})
	for _, dst := range []string{src, filepath.Join(src, "d", "copy")} {
		if err := CopyTree(context.Background(), src, dst, CopyOptions{}); err == nil {
			t.Errorf("copied to %s", dst)
		}
	}
	must(t, os.Mkdir(filepath.Join(src, ".esd"), 0o755))
	must(t, CopyTree(context.Background(), src, filepath.Join(src, ".esd", "work"), CopyOptions{}))
}
