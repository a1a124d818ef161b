package spack

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// version is a version cut into what is compared (StandardVersion in Spack's
// version/version_types.py).
type version struct {
	release []component
	// pre is the rank of alpha, beta, rc; final for all others.
	pre int
	// number counts pre-releases; empty if there is none.
	number string
}

// component is a number, a word, or one of the names that are above all
// numbers.
type component struct {
	number string // decimal, without leading zeros: any length
	word   string
	above  int // rank among the names above all numbers, from 1; 0 for others
}

// aboveAll are the versions that are newer than any number, the newest last
// (infinity_versions in Spack's version/common.py).
var aboveAll = []string{"stable", "nightly", "trunk", "head", "master", "main", "develop"}

const final = 3

// preReleases are what makes a version older than the one without it.
var preReleases = map[string]int{"alpha": 0, "beta": 1, "rc": 2, "final": final}

// lowest is below all versions, and top above.
var (
	lowest = version{pre: 0}
	top    = version{release: []component{{above: len(aboveAll) + 1}}, pre: final}
)

// isWellFormed follows VALID_VERSION in Spack's version/version_types.py.
func isWellFormed(text string) bool {
	return text != "" && text[0] != '=' && strings.IndexFunc(text, func(c rune) bool {
		return !isWord(c) && !strings.ContainsRune("=.-", c)
	}) < 0
}

func parseVersion(text string) (version, error) {
	if !isWellFormed(text) {
		return version{}, fmt.Errorf("%q is no version", text)
	}
	return cutVersion(text), nil
}

// cutVersion cuts any text; what is no letter and no digit only separates.
func cutVersion(text string) version {
	v := version{pre: final}
	for _, s := range segmentsOf(text) {
		v.release = append(v.release, newComponent(s.text))
	}
	n := len(v.release)
	rank := func(i int) (int, bool) {
		r, ok := preReleases[v.release[i].word]
		return r, ok && v.release[i].word != ""
	}
	if n >= 3 && v.release[n-1].number != "" {
		if r, ok := rank(n - 2); ok {
			v.pre, v.number, v.release = r, v.release[n-1].number, v.release[:n-2]
			return v
		}
	}
	if n >= 2 {
		if r, ok := rank(n - 1); ok {
			v.pre, v.release = r, v.release[:n-1]
		}
	}
	return v
}

func newComponent(text string) component {
	if text[0] >= '0' && text[0] <= '9' {
		text = strings.TrimLeft(text, "0")
		if text == "" {
			text = "0"
		}
		return component{number: text}
	}
	if i := slices.Index(aboveAll, text); i >= 0 {
		return component{above: i + 1}
	}
	return component{word: text}
}

// compare orders words before numbers before the names above all.
func (c component) compare(other component) int {
	return cmp.Or(
		cmp.Compare(c.rank(), other.rank()),
		cmp.Compare(c.above, other.above),
		cmp.Compare(len(c.number), len(other.number)), strings.Compare(c.number, other.number),
		strings.Compare(c.word, other.word))
}

func (c component) rank() int {
	switch {
	case c.above > 0:
		return 2
	case c.number != "":
		return 1
	}
	return 0
}

func (v version) compare(other version) int {
	return cmp.Or(
		slices.CompareFunc(v.release, other.release, component.compare),
		cmp.Compare(v.pre, other.pre),
		cmp.Compare(len(v.number), len(other.number)), strings.Compare(v.number, other.number))
}

// next is the smallest version that is above all that begin with v
// (_next_version in Spack's version/version_types.py).
func (v version) next() version {
	n := version{release: slices.Clone(v.release), pre: v.pre, number: v.number}
	if n.pre != final {
		n.number = increment(n.number)
		return n
	}
	if len(n.release) == 0 {
		n.release = []component{{word: "A"}}
		return n
	}
	switch last := &n.release[len(n.release)-1]; last.rank() {
	case 2:
		last.above++
	case 1:
		last.number = increment(last.number)
	default:
		last.word = nextWord(last.word)
	}
	return n
}

// increment adds one to a decimal number; nothing becomes zero.
func increment(number string) string {
	if number == "" {
		return "0"
	}
	digits := []byte(number)
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i] < '9' {
			digits[i]++
			return string(digits)
		}
		digits[i] = '0'
	}
	return "1" + string(digits)
}

// nextWord is the word of A-Z and a-z that follows.
func nextWord(word string) string {
	for {
		switch last := word[len(word)-1]; last {
		case 'z':
			word += "A"
		case 'Z':
			word = word[:len(word)-1] + "a"
		default:
			word = word[:len(word)-1] + string(last+1)
		}
		if !slices.Contains(aboveAll, word) {
			return word
		}
	}
}

// CompareVersions orders versions as Spack does: "1.9" before "1.10", "2.0rc1"
// before "2.0", numbers before "main" and "develop".
func CompareVersions(a, b string) int {
	return cmp.Or(cutVersion(a).compare(cutVersion(b)), strings.Compare(a, b))
}

// versions are what a query accepts: any of some ranges.
type versions []versionRange

// versionRange is all from low to below high, or one version exactly.
type versionRange struct {
	low, high version
	exactly   string
}

// parseVersions reads what stands behind the @ of a query: "1.2" for all of
// 1.2, "=1.2", "1:2", "1.2:", ":2", and lists of them.
func parseVersions(text string) (versions, error) {
	var list versions
	for part := range strings.SplitSeq(text, ",") {
		r, err := parseRange(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

func parseRange(text string) (r versionRange, err error) {
	if exactly, ok := strings.CutPrefix(text, "="); ok {
		_, err := parseVersion(exactly)
		return versionRange{exactly: exactly}, err
	}
	if isGitVersion(text) {
		return versionRange{exactly: text}, nil
	}
	low, high, isRange := strings.Cut(text, ":")
	if !isRange {
		high = low
	}
	r.low, r.high = lowest, top.next()
	if low != "" || !isRange {
		if r.low, err = parseVersion(low); err != nil {
			return r, err
		}
	}
	if high != "" || !isRange {
		v, err := parseVersion(high)
		if err != nil {
			return r, err
		}
		r.high = v.next()
	}
	if r.low.compare(r.high) >= 0 {
		return r, fmt.Errorf("the range %q has no versions in it", text)
	}
	return r, nil
}

// isGitVersion tells versions that are a git reference or commit
// (is_git_version in Spack's version/common.py).
func isGitVersion(text string) bool {
	return strings.HasPrefix(text, "git.") || isCommit(text) || strings.LastIndexByte(text, '=') > 0
}

func isCommit(text string) bool {
	return len(text) == 40 && strings.Trim(text, "0123456789abcdefABCDEF") == ""
}

// contain reports whether the concrete version is accepted. One that is a git
// reference counts as the version that it was said to be.
func (list versions) contain(text string) bool {
	if len(list) == 0 {
		return true
	}
	git := isGitVersion(text)
	reference, counts, said := strings.Cut(text, "=")
	v := cutVersion(text)
	if git {
		v = cutVersion(counts)
	}
	return slices.ContainsFunc(list, func(r versionRange) bool {
		switch {
		case r.exactly != "":
			return r.exactly == text || git && r.exactly == reference
		case git && !said:
			return false
		}
		return r.low.compare(v) <= 0 && v.compare(r.high) < 0
	})
}
