package spack

import (
	"regexp"
	"testing"
)

// FuzzSegments compares with the pattern by which Spack cuts versions.
func FuzzSegments(f *testing.F) {
	for _, s := range []string{"", "1.2.3", "1.2rc1", "2024a-_3", "develop", "..1", "ä1b", "1:2=x", "9e", "\xff1"} {
		f.Add(s)
	}
	pattern := regexp.MustCompile(`([0-9]+|[a-zA-Z]+)[_.-]*`)
	f.Fuzz(func(t *testing.T, s string) {
		got, want := segmentsOf(s), pattern.FindAllStringSubmatch(s, -1)
		if len(got) != len(want) {
			t.Fatalf("%q has %d segments, want %d", s, len(got), len(want))
		}
		for i, g := range got {
			if g.text != want[i][1] || g.text+g.separator != want[i][0] {
				t.Errorf("segment %d of %q is %+v, want %q", i, s, g, want[i])
			}
		}
	})
}
