package image

import (
	"testing"

	"esd/internal/state"
)

func TestLayersAreTakenOnlyFromImagesThatEsdPublished(t *testing.T) {
	t.Parallel()
	recorded := func(digest string) *state.Object {
		return &state.Object{Attributes: state.Attributes{"digest": digest}}
	}
	for name, test := range map[string]struct {
		recorded *state.Object
		digests  []string
		want     []bool
	}{
		"what is recorded":                                 {recorded("a"), []string{"a", "a"}, []bool{true, true}},
		"one place was changed by somebody":                {recorded("a"), []string{"b", "a"}, []bool{false, true}},
		"both were":                                        {recorded("a"), []string{"b", "b"}, []bool{false, false}},
		"nothing is recorded and all are the same":         {nil, []string{"a", "a"}, []bool{true, true}},
		"nothing is recorded and one place has none":       {nil, []string{"a", ""}, []bool{true, false}},
		"nothing is recorded and they differ":              {nil, []string{"a", "b"}, []bool{false, false}},
		"nothing is recorded, and three places, two alike": {nil, []string{"a", "b", "a"}, []bool{false, false, false}},
	} {
		places := make([]seen, len(test.digests))
		for i, d := range test.digests {
			places[i] = seen{digest: d, layers: map[string]int64{"key": 1}}
		}
		distrust(test.recorded, places)
		for i, p := range places {
			if got := p.layers != nil && p.digest != ""; got != test.want[i] {
				t.Errorf("%s: place %d: %v", name, i, got)
			}
		}
	}
}
