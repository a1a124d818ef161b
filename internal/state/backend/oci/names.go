package oci

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// kinds of tags, as they stand in their names.
const (
	kindState    = "state"
	kindChoosing = "choosing"
	kindLock     = "lock"
	kindBeat     = "beat"
	kindBroken   = "broken"
	kindVoid     = "void"
)

const (
	shortDigest = 12 // hexadecimal digits of a digest that stand in a name
	tokenLength = 26 // 128 random bits in base 32
	maxNumber   = 1 << 53
	maxName     = 32 // leaves room for the longest tag, of 128 characters
)

// newToken draws the name of one attempt to take the lock. It is never used again,
// so that what is left of an attempt cannot be taken for another one.
func newToken() string { return strings.ToLower(rand.Text()) }

// mark is a tag that has to do with the lock.
type mark struct {
	tag   string
	token string
	// number is the ticket of a lock or of a broken one, or the number of a
	// heartbeat.
	number int64
}

// before is the order of the line.
func (m mark) before(n mark) bool { return m.compare(n) < 0 }

func (m mark) compare(n mark) int {
	return cmp.Or(cmp.Compare(m.number, n.number), cmp.Compare(m.token, n.token))
}

// version is what the tag of a version of the state says.
type version struct {
	tag string
	// generation is 1 more than that of the predecessor, 1 if there is none.
	generation int64
	// fence is the ticket of the lock under which it was written.
	fence  int64
	serial int64
	// previous and digest are the beginnings of the digests of the manifests of
	// the predecessor, zeros if there is none, and of the version itself.
	previous, digest string
}

// none stands for the predecessor of the first version.
var none = strings.Repeat("0", shortDigest)

// compare is the order in which versions count: what a later holder wrote counts
// more than all that an earlier one did, whenever that arrives.
func (v version) compare(w version) int {
	return cmp.Or(cmp.Compare(v.fence, w.fence), cmp.Compare(v.generation, w.generation), cmp.Compare(v.digest, w.digest))
}

func (v version) name(state string) string {
	return fmt.Sprintf("%s.%s.%010d.%010d.%010d.%s.%s", state, kindState, v.generation, v.fence, v.serial, v.previous, v.digest)
}

func lockTag(state string, ticket int64, token string) string {
	return fmt.Sprintf("%s.%s.%010d.%s", state, kindLock, ticket, token)
}

func brokenTag(state string, ticket int64, token string) string {
	return fmt.Sprintf("%s.%s.%010d.%s", state, kindBroken, ticket, token)
}

func choosingTag(state, token string) string {
	return fmt.Sprintf("%s.%s.%s", state, kindChoosing, token)
}

func beatTag(state, token string, number int64) string {
	return fmt.Sprintf("%s.%s.%s.%d", state, kindBeat, token, number)
}

func (v version) voidName(state string) string {
	return fmt.Sprintf("%s.%s.%010d.%s", state, kindVoid, v.generation, v.digest)
}

// listing is what the tags of one answer of the registry say.
type listing struct {
	tags     []string // all of them, sorted
	choosing []mark
	locks    []mark // in the order of the line, without the broken ones
	beats    []mark
	ended    []mark // locks and choosing marks that are broken but still there
	broken   map[string]mark
	void     map[string]mark // by beginning of the digest, numbered by generation
	versions []version       // in the order in which they count, without void ones
	voided   []version
}

// parseListing makes sense of tags. Those of others in the repository are left out.
func parseListing(state string, tags []string) *listing {
	l := &listing{tags: tags, broken: map[string]mark{}, void: map[string]mark{}}
	for _, tag := range tags {
		rest, ours := strings.CutPrefix(tag, state+".")
		if !ours {
			continue
		}
		kind, rest, _ := strings.Cut(rest, ".")
		l.add(kind, tag, strings.Split(rest, "."))
	}
	isBroken := func(m mark) bool { _, is := l.broken[m.token]; return is }
	for _, list := range []*[]mark{&l.locks, &l.choosing} {
		for _, m := range *list {
			if isBroken(m) {
				l.ended = append(l.ended, m)
			}
		}
		*list = slices.DeleteFunc(*list, isBroken)
		slices.SortFunc(*list, mark.compare)
	}
	l.sift()
	return l
}

// sift sets the void versions aside. One that somebody has built upon is not void:
// whoever did that saw no mark, and may have succeeded.
func (l *listing) sift() {
	builtUpon := map[string]bool{}
	// The generation of a version is higher than that of its predecessor.
	slices.SortFunc(l.versions, func(v, w version) int { return cmp.Compare(w.generation, v.generation) })
	var good []version
	for _, v := range l.versions {
		if _, void := l.void[v.digest]; void && !builtUpon[v.digest] {
			l.voided = append(l.voided, v)
			continue
		}
		builtUpon[v.previous] = true
		good = append(good, v)
	}
	slices.SortFunc(good, version.compare)
	l.versions = good
}

func (l *listing) add(kind, tag string, parts []string) {
	switch {
	case kind == kindState && len(parts) == 5:
		v := version{tag: tag, previous: parts[3], digest: parts[4]}
		var ok [3]bool
		v.generation, ok[0] = number(parts[0])
		v.fence, ok[1] = number(parts[1])
		v.serial, ok[2] = number(parts[2])
		if ok == [3]bool{true, true, true} && v.generation > 0 && isShort(v.previous) && isShort(v.digest) {
			l.versions = append(l.versions, v)
		}
	case kind == kindChoosing && len(parts) == 1 && isToken(parts[0]):
		l.choosing = append(l.choosing, mark{tag: tag, token: parts[0]})
	case (kind == kindLock || kind == kindBroken) && len(parts) == 2 && isToken(parts[1]):
		n, ok := number(parts[0])
		m := mark{tag: tag, token: parts[1], number: n}
		if ok && kind == kindLock {
			l.locks = append(l.locks, m)
		}
		if ok && kind == kindBroken && l.broken[m.token].number <= n {
			l.broken[m.token] = m
		}
	case kind == kindBeat && len(parts) == 2 && isToken(parts[0]):
		if n, ok := number(parts[1]); ok {
			l.beats = append(l.beats, mark{tag: tag, token: parts[0], number: n})
		}
	case kind == kindVoid && len(parts) == 2 && isShort(parts[1]):
		if n, ok := number(parts[0]); ok {
			l.void[parts[1]] = mark{tag: tag, number: n}
		}
	}
}

// tookBack reports whether a version that may not be listed any more is void.
func (l *listing) tookBack(v version) bool {
	_, marked := l.void[v.digest]
	return marked && !slices.Contains(l.versions, v)
}

// number reads a number that is not negative and not absurd.
func number(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0 && n < maxNumber && s[0] != '+' && s[0] != '-'
}

func isShort(s string) bool {
	return len(s) == shortDigest && strings.Trim(s, "0123456789abcdef") == ""
}

func isToken(s string) bool {
	return len(s) == tokenLength && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// beat is the number of the last heartbeat of a holder, 0 before the first.
func (l *listing) beat(token string) int64 {
	var last int64
	for _, m := range l.beats {
		if m.token == token {
			last = max(last, m.number)
		}
	}
	return last
}

// sign is another one after each heartbeat.
func (l *listing) sign(m mark) string { return strconv.FormatInt(l.beat(m.token), 10) }

// has reports whether a tag is in the list.
func (l *listing) has(tag string) bool {
	_, found := slices.BinarySearch(l.tags, tag)
	return found
}

// spent is the highest number that a new lock must exceed to be told from those
// that were: the fences of versions, void ones too, and the tickets that were
// taken away.
func (l *listing) spent() int64 {
	var top int64
	for _, v := range slices.Concat(l.versions, l.voided) {
		top = max(top, v.fence)
	}
	for _, m := range l.broken {
		top = max(top, m.number)
	}
	return top
}

// top is the highest ticket or fence that was ever seen.
func (l *listing) top() int64 {
	top := l.spent()
	for _, m := range slices.Concat(l.locks, l.ended) {
		top = max(top, m.number)
	}
	return top
}

func (l *listing) lock(token string) bool {
	return slices.ContainsFunc(l.locks, func(m mark) bool { return m.token == token })
}

func (l *listing) isChoosing(token string) bool {
	return slices.ContainsFunc(l.choosing, func(m mark) bool { return m.token == token })
}
