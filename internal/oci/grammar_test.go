package oci

import (
	"regexp"
	"testing"
)

// FuzzGrammar compares with the patterns of the specification.
func FuzzGrammar(f *testing.F) {
	for _, s := range []string{
		"", "a", "A", "_a", ".a", "-a", "a.", "a..b", "a_b", "a__b", "a___b", "a---b", "a._b", "a/b", "a//b", "/a", "a/", "ä", "a b",
		"localhost:5000", "127.0.0.1", "[::1]:80", "[::1]", "[]", "[", "]", "[::1", "h:", "h:123456", ":1", "a.-b", "a-.b", "a-b.C", "a:1:2", "[a]b", "[::1]]", "a]",
	} {
		f.Add(s)
	}
	matchers := []struct {
		by   func(string) bool
		like *regexp.Regexp
	}{
		{isTag, regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)},
		{isRepository, regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)},
		{isHost, regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(:[0-9]{1,5})?$`)},
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, m := range matchers {
			if got, want := m.by(s), m.like.MatchString(s); got != want {
				t.Errorf("%q matches %s: %t, want %t", s, m.like, got, want)
			}
		}
	})
}
