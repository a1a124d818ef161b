package sandbox

import "testing"

func TestAProcessIsReadWhateverItsName(t *testing.T) {
	cases := map[string]struct {
		text string
		want process
		ok   bool
	}{
		"a plain name":            {"12 (sleep) S 3 12 7 0 -1", process{12, 3, 7, false}, true},
		"a name with parentheses": {"12 (a) Z 9 (b) c) S 3 12 7 0", process{12, 3, 7, false}, true},
		"a zombie":                {"12 (sleep) Z 3 12 7 0", process{12, 3, 7, true}, true},
		"nothing":                 {"", process{}, false},
		"only a name":             {"12 (sleep)", process{}, false},
		"parentheses in disorder": {") 12 (", process{}, false},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			if got, ok := parseStat([]byte(c.text)); ok != c.ok || got != c.want {
				t.Errorf("got %+v, %v", got, ok)
			}
		})
	}
}
