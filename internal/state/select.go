package state

import (
	"slices"
	"strings"
)

// split cuts an address into its segments: names, instance keys with their
// brackets, and the package part with its slash. It reports false for what
// cannot be an address. It knows no kinds; the grammar in full is addr's.
func split(address string) (segments []string, ok bool) {
	for rest := address; rest != ""; {
		var segment string
		if segment, rest, ok = cutSegment(rest, len(segments) == 0); !ok {
			return nil, false
		}
		segments = append(segments, segment)
	}
	return segments, len(segments) > 0
}

// cutSegment takes the first segment off an address or the rest of one. Only at
// the start a name stands without a dot before it.
func cutSegment(s string, start bool) (segment, rest string, ok bool) {
	n := 0
	switch {
	case start || s[0] == '.':
		if !start {
			s = s[1:]
		}
		if n = strings.IndexAny(s, `.["]/`); n < 0 {
			n = len(s)
		}
		ok = n > 0 && plain(s[:n])
	case s[0] == '[':
		n = keyLength(s)
		ok = n > 0
	case s[0] == '/':
		n = len(s)
		ok = n > 1 && plain(s)
	}
	return s[:n], s[n:], ok
}

// plain reports whether s has neither white space nor control characters.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// keyLength returns the length of the instance key s begins with, such as
// ["a.b"], [0] or, in a pattern, [*]; 0 when there is none.
func keyLength(s string) int {
	quoted := false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ' || c == 0x7f:
			return 0
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == ']' && !quoted:
			if i == 1 {
				return 0
			}
			return i + 1
		}
	}
	return 0
}

// join is the inverse of split.
func join(segments []string) string {
	var b strings.Builder
	for i, s := range segments {
		if i > 0 && s[0] != '[' && s[0] != '/' {
			b.WriteByte('.')
		}
		b.WriteString(s)
	}
	return b.String()
}

// Select returns the addresses that a pattern means, sorted. A pattern is an
// address or the beginning of one, ending where a name, key or package ends:
// target.image.lab means all its instances, module.x everything in it, "" all
// there is. In names and package parts * stands for any characters, [*] for any
// instance key.
func (s *State) Select(pattern string) []string {
	if pattern == "" {
		return s.Addresses()
	}
	want, ok := split(pattern)
	if !ok {
		return nil
	}
	var found []string
	for address := range s.Objects {
		if have, ok := split(address); ok && begins(have, want) {
			found = append(found, address)
		}
	}
	slices.Sort(found)
	return found
}

func begins(have, want []string) bool {
	if len(have) < len(want) {
		return false
	}
	for i, w := range want {
		switch {
		case w == "[*]":
			if have[i][0] != '[' {
				return false
			}
		case w[0] == '[' || !strings.Contains(w, "*"):
			if have[i] != w {
				return false
			}
		case have[i][0] == '[' || !wildcard(w, have[i]):
			return false
		}
	}
	return true
}

// wildcard matches s against a pattern in which * stands for any characters.
func wildcard(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return true
}
