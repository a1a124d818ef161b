package environment

import (
	"os"
	"path/filepath"
	"testing"

	"esd/internal/providers"
	"esd/internal/spack/lockfile"
)

func TestAllThatHappenedToSpecsIsTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		locked, now []string
		want        string
	}{
		"one takes the place of another": {[]string{"a", "b"}, []string{"a", "c"}, "spec added: c; spec removed: b"},
		"several come":                   {[]string{"a"}, []string{"a", "b", "c"}, "specs added: b, c"},
		"their order is no change":       {[]string{"a", "b"}, []string{"b", "a"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := changedInput(providers.LockedEnvironment{Specs: test.locked}, providers.LockedEnvironment{Specs: test.now})
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestALockByAnotherSpackSaysSo(t *testing.T) {
	t.Parallel()
	parse := func(name string) *lockfile.Lock {
		text, err := os.ReadFile(filepath.Join("..", "..", "spack", "testdata", "locks", name+".lock"))
		if err != nil {
			t.Fatal(err)
		}
		lock, err := lockfile.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return lock
	}
	before := &readLock{lock: parse("v023-small")}
	if got := changes(before, parse("v12-small")); got[0] != "by Spack 1.2.0.dev0, before by 0.23.0" {
		t.Errorf("got %q", got)
	}
	if got := changes(before, before.lock); len(got) > 0 {
		t.Errorf("the same lock has changes: %q", got)
	}
}
