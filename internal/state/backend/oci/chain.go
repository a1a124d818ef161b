package oci

import (
	"fmt"
	"slices"
	"strings"
)

// chain is how the versions of a listing hang together.
type chain struct {
	// line leads from the present version back to the oldest that is kept; it is
	// empty where there is no state.
	line []version
	// strays do not lie on the line although they are no older than it: each is
	// the other arm of a fork, or follows it.
	strays []version
	// fence and generation are the highest of all versions, strays and void ones
	// too.
	fence, generation int64
}

// chain finds the present version, the one that counts most, and what leads to it.
func (l *listing) chain() chain {
	var c chain
	for _, v := range slices.Concat(l.versions, l.voided) {
		c.fence, c.generation = max(c.fence, v.fence), max(c.generation, v.generation)
	}
	if len(l.versions) == 0 {
		return c
	}
	byDigest := map[string]version{}
	for _, v := range l.versions {
		byDigest[v.digest] = v
	}
	on := map[string]bool{}
	for v, ok := l.versions[len(l.versions)-1], true; ok && !on[v.digest]; v, ok = byDigest[v.previous] {
		on[v.digest] = true
		c.line = append(c.line, v)
	}
	oldest := c.line[len(c.line)-1].generation
	for _, v := range l.versions {
		if !on[v.digest] && v.generation >= oldest {
			c.strays = append(c.strays, v)
		}
	}
	return c
}

// head is the present version, nil where there is no state.
func (c chain) head() *version {
	if len(c.line) == 0 {
		return nil
	}
	return &c.line[0]
}

// rivals are the strays that have as good a claim as the head: their writers had
// the same fencing number, so that nothing tells which of them was right.
func (c chain) rivals() []version {
	return slices.DeleteFunc(slices.Clone(c.strays), func(v version) bool { return v.fence < c.line[0].fence })
}

// describe names a version for people.
func (v version) describe() string {
	return fmt.Sprintf("%s (serial %d)", v.tag, v.serial)
}

func describeAll(versions []version) string {
	words := make([]string, len(versions))
	for i, v := range versions {
		words[i] = v.describe()
	}
	return strings.Join(words, ", ")
}
