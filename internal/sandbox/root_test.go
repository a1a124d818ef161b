//go:build unix

package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shortBase is a directory without links in its path.
func shortBase(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// prefixFor is a prefix root that leaves room for n bytes below base.
func prefixFor(base string, n int) string {
	return "/" + strings.Repeat("p", len(base)+n)
}

func TestARealRootHasTheLengthOfThePrefix(t *testing.T) {
	base := shortBase(t)
	for _, n := range []int{2, 3, 4, 30, 99, 100, 101, 102, 103, 150, 202, 203, 204, 400} {
		prefix := prefixFor(base, n)
		root, err := realRoot(prefix, []string{base}, os.Geteuid())
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if len(root.Path) != len(prefix) || root.Path != root.Dir || filepath.Clean(root.Path) != root.Path || !root.Relocated() {
			t.Errorf("%d bytes: got %s (%d) for %d", n, root.Path, len(root.Path), len(prefix))
		}
		info, err := os.Stat(root.made)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%d bytes: %v, %v", n, info.Mode(), err)
		}
		if err := root.Close(); err != nil {
			t.Error(err)
		}
		if list, _ := os.ReadDir(base); len(list) != 0 {
			t.Errorf("%d bytes: %v is left", n, list)
		}
	}
}

func TestARealRootIsTheSameEachTime(t *testing.T) {
	base := shortBase(t)
	prefix := prefixFor(base, 5)
	paths := map[string]bool{}
	for range 3 {
		root, err := realRoot(prefix, []string{base}, os.Geteuid())
		if err != nil {
			t.Fatal(err)
		}
		paths[root.Path] = true
		if err := root.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(paths) != 1 {
		t.Errorf("got %v", paths)
	}
}

func TestARealRootInUseIsNotGivenTwice(t *testing.T) {
	base := shortBase(t)
	prefix := prefixFor(base, 5)
	first, err := realRoot(prefix, []string{base}, os.Geteuid())
	if err != nil {
		t.Fatal(err)
	}
	second, err := realRoot(prefix, []string{base}, os.Geteuid())
	if err != nil {
		t.Fatal(err)
	}
	if first.Path == second.Path || len(first.Path) != len(second.Path) {
		t.Errorf("got %s and %s", first.Path, second.Path)
	}
	for _, r := range []*Root{first, second} {
		if err := os.WriteFile(filepath.Join(r.Dir, "product"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(first.Dir, "product")); err != nil {
		t.Error("the usual directory was not kept: ", err)
	}
	if _, err := os.Stat(second.Dir); err == nil {
		t.Error("the directory with a random name was kept")
	}
	again, err := realRoot(prefix, []string{base}, os.Geteuid())
	if err != nil || again.Path != first.Path {
		t.Errorf("got %v, %v, want %s again", again, err, first.Path)
	}
	again.Close()
}

func TestANameThatSomebodyElseTookIsAvoided(t *testing.T) {
	base := shortBase(t)
	prefix := prefixFor(base, 6)
	usual, err := realRoot(prefix, []string{base}, os.Geteuid())
	if err != nil {
		t.Fatal(err)
	}
	usual.Close()
	traps := map[string]func(string) error{
		"a link":             func(p string) error { return os.Symlink(t.TempDir(), p) },
		"a link to nowhere":  func(p string) error { return os.Symlink("/no/where", p) },
		"a file":             func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"another's":          func(p string) error { return os.Mkdir(p, 0o777) },
		"one open to others": func(p string) error { return errors.Join(os.Mkdir(p, 0o777), os.Chmod(p, 0o777)) },
	}
	for what, set := range traps {
		t.Run(what, func(t *testing.T) {
			if err := set(usual.Path); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(usual.Path)
			uid := os.Geteuid()
			if what == "another's" {
				uid++ // who we are makes whose it is
				if _, err := lockOwn(usual.Path, uid); !errors.Is(err, errTaken) {
					t.Errorf("got %v", err)
				}
				return
			}
			root, err := realRoot(prefix, []string{base}, uid)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			if what == "one open to others" {
				if info, _ := os.Stat(root.made); info.Mode().Perm() != 0o700 {
					t.Errorf("it stays open: %v", info.Mode())
				}
				return
			}
			if root.Path == usual.Path || len(root.Path) != len(usual.Path) || root.temp {
				t.Errorf("got %+v", root)
			}
		})
	}
}

func TestAShortPrefixRootSaysWhichLengthWouldDo(t *testing.T) {
	base := shortBase(t)
	link := filepath.Join(t.TempDir(), "l")
	if err := os.Symlink(base, link); err != nil {
		t.Fatal(err)
	}
	_, err := realRoot("/sw", []string{base, link, "/no/such/base"}, os.Geteuid())
	var short *RootLengthError
	if !errors.As(err, &short) || !errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	if want := len(base) + 3; short.Need != want {
		t.Errorf("need: got %d, want %d", short.Need, want)
	}
	for _, want := range []string{`"/sw" has 3 bytes`, "too short", "at least", "is a link to"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	root, err := realRoot("/"+strings.Repeat("x", short.Need-1), []string{base}, os.Geteuid())
	if err != nil {
		t.Fatal("the length it named does not do: ", err)
	}
	root.Close()
}

func TestTheSandboxSaysWhereBuildsHappen(t *testing.T) {
	backing := filepath.Join(t.TempDir(), "new")
	root, err := Sandbox{kind: Namespace}.Root("/opt/esd", backing)
	if err != nil || root.Path != "/opt/esd" || root.Dir != backing || root.Relocated() {
		t.Fatalf("got %+v, %v", root, err)
	}
	if info, err := os.Stat(backing); err != nil || !info.IsDir() {
		t.Error(err)
	}
	if err := root.Close(); err != nil {
		t.Error(err)
	}
	real, err := Sandbox{kind: None}.Root("/opt/esd-test-prefix", "")
	if err != nil {
		t.Fatal(err)
	}
	defer real.Close()
	if len(real.Path) != len("/opt/esd-test-prefix") || !real.Relocated() || real.Dir != real.Path {
		t.Errorf("got %+v", real)
	}
	if _, err := (Sandbox{kind: None}).Root("opt", ""); err == nil {
		t.Error("a relative prefix root was accepted")
	}
}
