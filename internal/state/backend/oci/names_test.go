package oci

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	tokenA = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	tokenB = "bbbbbbbbbbbbbbbbbbbbbbbbbb"
	one    = "111111111111"
	two    = "222222222222"
	three  = "333333333333"
)

func TestTagsOfOthersAreLeftOut(t *testing.T) {
	t.Parallel()
	l := parseListing("s", []string{
		"latest", "s", "s.", "s.lock", "s.lock.1", "s.lock.x." + tokenA, "s.lock.-1." + tokenA, "s.lock.+1." + tokenA, "s.lock.1." + tokenA[1:],
		"s.lock.99999999999999999999." + tokenA, "t.lock.0000000001." + tokenA, "s.choosing." + strings.ToUpper(tokenA),
		"s.state.1.1.1." + none, "s.state.0.1.1." + none + "." + one, "s.state.1.1.1." + none + ".11111111111g", "s.void.1.x", "s.beat." + tokenA,
	})
	if n := len(l.locks) + len(l.choosing) + len(l.versions) + len(l.void) + len(l.beats) + len(l.broken); n > 0 {
		t.Errorf("%+v", l)
	}
}

func TestNamesAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	v := version{generation: 7, fence: 12345678901, serial: 1<<53 - 1, previous: one, digest: two}
	v.tag = v.name(strings.Repeat("n", maxName))
	l := parseListing(strings.Repeat("n", maxName), []string{v.tag})
	if diff := cmp.Diff([]version{v}, l.versions, cmp.AllowUnexported(version{})); diff != "" {
		t.Error(diff)
	}
	if len(v.tag) > 128 {
		t.Errorf("the tag has %d characters", len(v.tag))
	}
	l = parseListing("s", []string{
		lockTag("s", 3, tokenA), lockTag("s", 2, tokenB), choosingTag("s", tokenA), beatTag("s", tokenA, 9), beatTag("s", tokenA, 10),
		brokenTag("s", 4, tokenB), v.voidName("s"),
	})
	if len(l.locks) != 1 || l.locks[0].token != tokenA || len(l.ended) != 1 || l.beat(tokenA) != 10 || l.top() != 4 || l.spent() != 4 || len(l.void) != 1 {
		t.Errorf("%+v", l)
	}
}

func TestTheChainIsReadFromTheNamesAlone(t *testing.T) {
	t.Parallel()
	name := func(generation, fence int64, previous, digest string) string {
		return version{generation: generation, fence: fence, serial: generation, previous: previous, digest: digest}.name("s")
	}
	void := func(generation int64, digest string) string {
		return version{generation: generation, digest: digest}.voidName("s")
	}
	for sentence, tc := range map[string]struct {
		tags                 []string
		line, strays, rivals []string
	}{
		"no version is no state": {},
		"a version leads to the one before": {
			tags: []string{name(1, 1, none, one), name(2, 1, one, two)}, line: []string{two, one},
		},
		"of two successors the one with the higher fence counts": {
			tags: []string{name(1, 1, none, one), name(2, 2, one, two), name(2, 3, one, three)},
			line: []string{three, one}, strays: []string{two},
		},
		"what a former holder writes counts less, however much it is": {
			tags: []string{name(1, 1, none, one), name(2, 5, none, two), name(9, 1, one, three)},
			line: []string{two}, strays: []string{three},
		},
		"two with the same fence are rivals": {
			tags: []string{name(1, 1, none, one), name(2, 2, one, two), name(2, 2, one, three)},
			line: []string{three, one}, strays: []string{two}, rivals: []string{two},
		},
		"a fork that was decided is no more than told": {
			tags: []string{name(1, 1, none, one), name(1, 1, none, two), name(2, 2, one, three)},
			line: []string{three, one}, strays: []string{two},
		},
		"what was taken back does not count": {
			tags: []string{name(1, 1, none, one), name(2, 1, one, two), name(2, 1, one, three), void(2, three)}, line: []string{two, one},
		},
		"what was taken back counts all the same when it was built upon": {
			tags: []string{name(1, 1, none, one), name(2, 1, one, two), void(1, one)}, line: []string{two, one},
		},
		"versions that are no longer kept do not make strays": {
			tags: []string{name(3, 1, one, two), name(4, 1, two, three), name(1, 1, none, "444444444444")}, line: []string{three, two},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			c := parseListing("s", tc.tags).chain()
			var rivals []version
			if c.head() != nil {
				rivals = c.rivals()
			}
			digests := func(versions []version) (all []string) {
				for _, v := range versions {
					all = append(all, v.digest)
				}
				return all
			}
			if diff := cmp.Diff([][]string{tc.line, tc.strays, tc.rivals}, [][]string{digests(c.line), digests(c.strays), digests(rivals)}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func FuzzListing(f *testing.F) {
	f.Add("s.state.0000000002.0000000001.0000000009." + one + "." + two + "\ns.lock.0000000003." + tokenA)
	f.Add("s.state.1.1.1." + one + "." + one + "\ns.void.1." + one)
	f.Add("s.state.2.1.1." + one + "." + two + "\ns.state.2.1.1." + two + "." + one)
	f.Fuzz(func(t *testing.T, text string) {
		l := parseListing("s", strings.Split(text, "\n"))
		c := l.chain()
		if len(c.line)+len(c.strays) > len(l.versions) || len(c.line) == 0 && len(l.versions) > 0 {
			t.Errorf("line %v, strays %v of %v", c.line, c.strays, l.versions)
		}
		if c.head() != nil {
			c.rivals()
		}
		if l.top() < l.spent() || l.top() < 0 {
			t.Error(l.top())
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"annotations":{"dev.esd.state.lock":"{\"ID\":\"x\"}"}}`))
	f.Add([]byte(`{"artifactType":"application/vnd.esd.state.v1","layers":[{}],"annotations":{"dev.esd.state.serial":"1","dev.esd.state.predecessor":"sha256:1"}}`))
	f.Fuzz(func(t *testing.T, manifest []byte) {
		_, _ = infoOf(manifest)
		o := object{manifest: manifest}
		o.desc.Digest = "sha256:" + "0000000000000000000000000000000000000000000000000000000000000000"
		_, _ = readVersion(version{generation: 1, fence: 1, serial: 1, previous: none, digest: none}, o.desc, manifest)
	})
}
