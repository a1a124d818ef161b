package environment

import (
	"testing"

	"esd/internal/providers"
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
