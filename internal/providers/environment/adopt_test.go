package environment_test

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/providers"
)

// adopt lets the environment of a stack adopt the lock that stands there.
func (s *stack) adopt(t *testing.T) (providers.Locked, error) {
	t.Helper()
	c := s.open(t)
	for _, o := range c.Objects {
		if locker, ok := c.Kind(o.Kind).(providers.Locker); ok {
			return locker.Lock(t.Context(), providers.LockRequest{Object: o, Adopt: true, Log: io.Discard})
		}
	}
	t.Fatal("there is no environment")
	return providers.Locked{}, nil
}

func simWith(config string) string {
	return "environment \"sim\" {\n  specs = [\"hdf5~mpi\", \"zlib-ng\"]\n  " + config + "\n}\n"
}

func TestAdoptingSaysWhatWasTakenAndWhatNobodyChecked(t *testing.T) {
	t.Parallel()
	const taken = "21 packages for 2 specs, as Spack 1.2.0.dev0 wrote them"
	for name, test := range map[string]struct {
		config string
		locked map[string]providers.LockedEnvironment
		want   []string
	}{
		"the first time": {"", nil, []string{taken}},
		"with a configuration": {
			"config = { concretizer = { unify = true } }", nil,
			[]string{taken, "nothing checked them against config: only Spack can"},
		},
		"with a target that is required and there": {
			`config = { packages = { all = { require = ["target=x86_64_v3"] } } }`, nil,
			[]string{taken, "nothing but target=x86_64_v3 was checked of config: only Spack can check the rest"},
		},
		"in place of another": {
			"", map[string]providers.LockedEnvironment{"environment.sim": {SHA256: "other"}},
			[]string{taken, "in place of another lock, which is not there any more to compare with"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, "v12-small", simWith(test.config))
			s.locked = test.locked
			got, err := s.adopt(t)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.Changes); diff != "" || got.Unchanged || got.Content != nil {
				t.Errorf("unchanged %v, -want +got:\n%s", got.Unchanged, diff)
			}
		})
	}
}

func TestAdoptingAgainTellsForWhatTheSameLockIsTaken(t *testing.T) {
	t.Parallel()
	s := newStack(t, "v12-small", simWith(""))
	if got, err := s.adopt(t); err != nil || !got.Unchanged {
		t.Errorf("got %+v, %v, want what is locked already to stay", got, err)
	}
	s.write("main.hcl", simWith("config = { concretizer = { unify = true } }"))
	got, err := s.adopt(t)
	if err != nil || len(got.Changes) != 3 || got.Changes[1] != "the same packages as before; its config changed" {
		t.Errorf("got %q, %v", got.Changes, err)
	}
}

func TestALockForAnotherTargetThanIsRequiredIsNotAdopted(t *testing.T) {
	t.Parallel()
	all := func(require string) string { return "config = { packages = { all = { require = " + require + " } } }" }
	for name, test := range map[string]struct{ config, refused string }{
		"another target":                 {all(`"target=zen3"`), "requires target=zen3 of all packages, but 19 packages of the lock are for x86_64_v3"},
		"another in a list":              {all(`["%gcc", {spec = "target=zen3"}]`), "target=zen3"},
		"another with a colon":           {`config = { "packages:" = { all = { "require:" = "target=zen3" } } }`, "target=zen3"},
		"the target of a dependency":     {all(`"%gcc target=zen3"`), ""},
		"a range":                        {all(`"target=x86_64_v2:"`), ""},
		"under a condition":              {all(`[{spec = "target=zen3", when = "%clang"}]`), ""},
		"one of several":                 {all(`[{any_of = ["target=zen3", "target=x86_64_v3"]}]`), ""},
		"a preference":                   {`config = { packages = { all = { target = ["zen3"] } } }`, ""},
		"that of one package":            {`config = { packages = { hdf5 = { require = "target=zen3" } } }`, ""},
		"what is no object is no matter": {`config = { packages = "none" }`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStack(t, "v12-small", simWith(""))
			s.write("main.hcl", simWith(test.config))
			_, err := s.adopt(t)
			switch {
			case test.refused == "" && err != nil:
				t.Error(err)
			case test.refused != "" && (err == nil || !strings.Contains(err.Error(), test.refused)):
				t.Errorf("got %v, want %q", err, test.refused)
			}
		})
	}
}
