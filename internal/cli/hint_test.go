package cli

import (
	"errors"
	"fmt"
	"testing"
)

func TestAdvisedCommandsAreAboutTheConfigurationInUse(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ config, chdir, text, want string }{
		"the working directory":     {"", "", "do `esd force-unlock ID`", "do `esd force-unlock ID`"},
		"said as a dot":             {".", "", "do `esd state rebuild`", "do `esd state rebuild`"},
		"one file":                  {"quickstart.hcl", "", "do `esd force-unlock ID`", "do `esd force-unlock ID --config quickstart.hcl`"},
		"two commands":              {"a.hcl", "", "`esd state rebuild` or `esd state push --force FILE`", "`esd state rebuild --config a.hcl` or `esd state push --force FILE --config a.hcl`"},
		"another directory":         {"", "stack", "do `esd lock-info`", "do `esd lock-info --chdir stack`"},
		"a name with a space":       {"my stack", "", "do `esd state accept`", "do `esd state accept --config 'my stack'`"},
		"a command of other kind":   {"a.hcl", "", "do `esd plan`, not `esd state`", "do `esd plan`, not `esd state`"},
		"no command, only its name": {"a.hcl", "", "taken away by force-unlock", "taken away by force-unlock"},
	} {
		a := &app{config: tc.config, chdir: tc.chdir}
		if got := a.hint(tc.text); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestErrorsBesideEachOtherStaySeveral(t *testing.T) {
	t.Parallel()
	a := &app{config: "a.hcl"}
	err := a.hintError(errors.Join(errors.New("one"), fmt.Errorf("two: %w", errors.New("`esd state rebuild`"))))
	many, ok := err.(interface{ Unwrap() []error })
	if !ok || len(many.Unwrap()) != 2 || err.Error() != "one\ntwo: `esd state rebuild --config a.hcl`" {
		t.Errorf("%v", err)
	}
}
