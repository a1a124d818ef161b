package relocate

import (
	"path"
	"strings"
)

// Replacement is an old prefix and what stands in its place from now on. Both
// are absolute paths.
type Replacement struct{ Old, New string }

// Map is an ordered set of replacements: where several old prefixes match at
// one place, the first of them counts. It is immutable and may be shared.
type Map struct {
	replacements []Replacement
	finder       finder
}

// New makes a map. Of replacements for the same old prefix the place of the
// first and the value of the last count (they are entries of one dictionary in
// Spack's relocate_package); what replaces a prefix by itself is dropped.
func New(replacements []Replacement) (*Map, error) {
	m := &Map{}
	index := map[string]int{}
	var all []Replacement
	for _, r := range replacements {
		for _, p := range []string{r.Old, r.New} {
			if err := checkPrefix(p); err != nil {
				return nil, err
			}
		}
		if i, ok := index[r.Old]; ok {
			all[i].New = r.New
			continue
		}
		index[r.Old] = len(all)
		all = append(all, r)
	}
	for _, r := range all {
		if r.Old != r.New {
			m.replacements = append(m.replacements, r)
		}
	}
	m.finder = newFinder(m.olds())
	return m, nil
}

func (m *Map) olds() []string {
	olds := make([]string, len(m.replacements))
	for i, r := range m.replacements {
		olds[i] = r.Old
	}
	return olds
}

// Empty tells that there is nothing to replace.
func (m *Map) Empty() bool { return len(m.replacements) == 0 }

// Replacements lists what is replaced, in order.
func (m *Map) Replacements() []Replacement { return append([]Replacement(nil), m.replacements...) }

// maxPrefix is PATH_MAX of Linux.
const maxPrefix = 4096

// checkPrefix refuses what is no clean absolute path: replaced everywhere, "/"
// or "/a\n" would do harm that nobody meant.
func checkPrefix(p string) error {
	switch {
	case !strings.HasPrefix(p, "/"):
		return &PrefixError{p, "it is not absolute"}
	case len(p) >= maxPrefix:
		return &PrefixError{p[:64] + "…", "it is too long"}
	case p == "/":
		return &PrefixError{p, "it is the root of the file system"}
	case path.Clean(p) != p:
		return &PrefixError{p, "it is not written in its shortest form, " + path.Clean(p)}
	}
	for _, c := range []byte(p) {
		if c < ' ' || c == 0x7f {
			return &PrefixError{p, "it has a control character"}
		}
	}
	return nil
}

// Link gives the target of a symbolic link. Relative ones move with the tree.
func (m *Map) Link(target string) (string, bool) {
	if !strings.HasPrefix(target, "/") {
		return target, false
	}
	return m.start(target)
}

// start replaces a prefix that s begins with.
func (m *Map) start(s string) (string, bool) {
	k := m.finder.matchAt([]byte(s))
	if k < 0 {
		return s, false
	}
	r := m.replacements[k]
	return r.New + s[len(r.Old):], true
}
