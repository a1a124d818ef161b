package manifest

import (
	"cmp"
	"slices"
	"strings"
)

// versions is a list of ranges of versions, as stands behind @.
type versions []versionRange

// versionRange are the versions from low to high; an empty bound is none. The
// high bound has what it is a prefix of: 1.2 has 1.2.7.
type versionRange struct {
	low, high version
	exact     bool // =1.2: this one only
	text      string
}

// version is one version, in the parts by which Spack orders it
// (lib/spack/spack/version/version_types.py).
type version struct {
	release    []component
	prerelease []component // of alpha, beta and rc; nil for a release
}

type component struct {
	text   string
	number string // digits without zeros in front; empty for words
	isWord bool
}

func parseVersions(text string) versions {
	var list versions
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		r := versionRange{text: part}
		low, high, isRange := strings.Cut(part, ":")
		switch {
		case isRange:
			r.low, r.high = parseVersion(low), parseVersion(high)
		case strings.HasPrefix(part, "="):
			r.exact, r.low = true, parseVersion(part)
			r.high = r.low
		default:
			r.low = parseVersion(part)
			r.high = r.low
		}
		list = append(list, r)
	}
	return list
}

func parseVersion(text string) version {
	var v version
	for text = strings.TrimPrefix(text, "="); text != ""; {
		kind := classOf(text[0])
		end := 1
		for end < len(text) && classOf(text[end]) == kind {
			end++
		}
		if kind != separator {
			v.release = append(v.release, newComponent(text[:end], kind))
		}
		text = text[end:]
	}
	// A final alpha, beta or rc with its number comes before the release.
	if i := slices.IndexFunc(v.release, func(c component) bool { return c.text == "alpha" || c.text == "beta" || c.text == "rc" }); i >= 0 && i >= len(v.release)-2 {
		v.release, v.prerelease = v.release[:i], v.release[i:]
	}
	return v
}

const (
	digit = iota
	letter
	separator
)

func classOf(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return digit
	case c|0x20 >= 'a' && c|0x20 <= 'z':
		return letter
	}
	return separator
}

func newComponent(text string, kind int) component {
	if kind == digit {
		return component{text: text, number: strings.TrimLeft(text, "0")}
	}
	return component{text: text, isWord: true}
}

// newest are words that come after every number, the last one last.
var newest = [...]string{"stable", "trunk", "head", "master", "main", "develop"}

func compareComponents(a, b component) int {
	if a.isWord && b.isWord {
		return cmp.Or(cmp.Compare(slices.Index(newest[:], a.text), slices.Index(newest[:], b.text)), strings.Compare(a.text, b.text))
	}
	if a.isWord != b.isWord {
		return wordAgainstNumber(a, b)
	}
	return cmp.Or(cmp.Compare(len(a.number), len(b.number)), strings.Compare(a.number, b.number))
}

// wordAgainstNumber puts words before numbers, but for the newest.
func wordAgainstNumber(a, b component) int {
	if a.isWord {
		if slices.Contains(newest[:], a.text) {
			return 1
		}
		return -1
	}
	return -wordAgainstNumber(b, a)
}

func compareVersions(a, b version) int {
	if c := slices.CompareFunc(a.release, b.release, compareComponents); c != 0 {
		return c
	}
	switch {
	case a.prerelease == nil && b.prerelease == nil:
		return 0
	case a.prerelease == nil:
		return 1
	case b.prerelease == nil:
		return -1
	}
	return slices.CompareFunc(a.prerelease, b.prerelease, compareComponents)
}

func (v version) isZero() bool { return v.release == nil && v.prerelease == nil }

// isPrefix reports whether v begins other: 1.2 begins 1.2.7.
func (v version) isPrefix(other version) bool {
	if v.prerelease != nil || len(v.release) > len(other.release) {
		return compareVersions(v, other) == 0
	}
	return slices.CompareFunc(v.release, other.release[:len(v.release)], compareComponents) == 0
}

// within reports whether every version in v is in other.
func (v versions) within(other versions) bool {
	for _, r := range v {
		if !slices.ContainsFunc(other, r.within) {
			return false
		}
	}
	return true
}

func (r versionRange) within(other versionRange) bool {
	if strings.HasPrefix(r.text, "git.") || strings.HasPrefix(other.text, "git.") || other.exact {
		return strings.TrimPrefix(r.text, "=") == strings.TrimPrefix(other.text, "=") && (r.exact || !other.exact)
	}
	lowOK := other.low.isZero() || !r.low.isZero() && compareVersions(other.low, r.low) <= 0
	highOK := other.high.isZero() || !r.high.isZero() && (compareVersions(r.high, other.high) <= 0 || other.high.isPrefix(r.high))
	if !r.exact && !r.high.isZero() && !other.high.isZero() && compareVersions(r.high, other.high) < 0 && r.high.isPrefix(other.high) {
		highOK = false // 1.2 has 1.2.9, which :1.2.3 has not
	}
	return lowOK && highOK
}
