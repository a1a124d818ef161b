package schema

import (
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
)

func TestSizesHaveUnits(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "17": 17, "512MiB": 512 << 20, "2GB": 2e9, "1.5 GiB": 3 << 29, "1KiB": 1024} {
		if got, err := ParseSize(s); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "MiB", "-1MB", "1 parsec", "1e400", "NaN", "9999999999TiB", "1kiB"} {
		if got, err := ParseSize(s); err == nil {
			t.Errorf("%q is taken for %d bytes", s, got)
		}
	}
}

func TestTimesHaveDays(t *testing.T) {
	for s, want := range map[string]time.Duration{"90d": 90 * 24 * time.Hour, "4h30m": 270 * time.Minute, "1d12h": 36 * time.Hour, "20s": 20 * time.Second} {
		if got, err := ParseDuration(s); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "d", "5", "-5s", "1d1d", "1.5d", "99999d"} {
		if got, err := ParseDuration(s); err == nil {
			t.Errorf("%q is taken for %v", s, got)
		}
	}
}

func TestVersionsAreFitForPaths(t *testing.T) {
	for s, good := range map[string]bool{"1.2.0": true, "2024-01_rc+1": true, "": false, "../1": false, "1 2": false, ".1": false, "é": false} {
		if err := CheckVersion(cty.StringVal(s)); (err == nil) != good {
			t.Errorf("%q: %v", s, err)
		}
	}
}
