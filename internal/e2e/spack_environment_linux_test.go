package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"esd/internal/spack"
)

// TestEnvironmentsWithRealSpack lets each generation of Spack that is here
// concretize and build a stack of toys, once, and then looks at everything that
// can happen to it. It takes minutes, and nothing of it is left out silently.
func TestEnvironmentsWithRealSpack(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes")
	}
	eachRealSpack(t, func(t *testing.T, s realSpack) {
		st := newSpackStack(t, s)
		for name, test := range map[string]func(*testing.T, *spackStack){
			"what the caches lack is built and stored, and then there is nothing to do": testBuildsAll,
			"only what is missing is built, and only what that needs is fetched":        testMissingEntries,
			"an index is not needed":                               testNoIndex,
			"the same inputs are locked alike, once":               testLocksAlike,
			"lock tells what changes, and asks":                    testLockChanges,
			"a lock that fails leaves everything as it was":        testLockFailures,
			"a spack.yaml is taken as it is":                       testLockFromManifest,
			"killed builds go on where they were, in a namespace":  testKills("namespace"),
			"killed builds go on where they were, without sandbox": testKills("none"),
			"interrupts":                                               testInterrupts,
			"two runs with one cache do no damage":                     testTwoAtOnce,
			"Spack installs from the cache that esd wrote":             testSpackReadsOurCache,
			"esd deploys from the cache that Spack wrote":              testSpacksCacheIsUsed,
			"a registry is a cache for both":                           testRegistry,
			"a failure stops nothing but what needs it":                testFailure,
			"a build that hangs is ended":                              testTimeLimit,
			"a build that fills memory is ended":                       testMemoryLimit,
			"damaged entries are replaced":                             testDamagedEntries,
			"a cache that is full":                                     testUnwritable,
			"caches that are only read":                                testReadOnlyCaches,
			"two environments share packages, which have addresses":    testTwoEnvironments,
			"what is built goes to the quarantine only":                testQuarantine,
			"sources come from the mirror, and builds have no network": testSourcesFromMirror,
			"an ordinary user can do it":                               testOrdinaryUser,
			"a lock that changed after the plan":                       testStaleLock,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, st)
			})
		}
	})
}

func testBuildsAll(t *testing.T, s *spackStack) {
	if diff := cmp.Diff(toBuild(s.lock), short(s.built.completed("build"))); diff != "" {
		t.Errorf("built: -want +got\n%s", diff)
	}
	m := s.copy(t, withCache, withMirror) // has no .esd
	m.env["PATH"] = "/nowhere"            // and needs no Spack
	before := digests(t, m.top("cache"))
	m.apply()
	m.wantNothingToDo()
	if again := m.apply(); len(again.completed("")) != 0 {
		t.Errorf("the second time: %+v", again)
	}
	if err := os.RemoveAll(m.path(".esd")); err != nil {
		t.Fatal(err)
	}
	if done := m.apply().completed("build"); len(done) != 0 {
		t.Errorf("without .esd, %v are built", done)
	}
	if diff := cmp.Diff(before, digests(t, m.top("cache"))); diff != "" {
		t.Errorf("the cache: -before +after\n%s", diff)
	}
}

func testMissingEntries(t *testing.T, s *spackStack) {
	m := s.copy(t, withCache, withMirror)
	missing := []*spack.Spec{node(t, s.lock, "toy-leaf1"), node(t, s.lock, "toy-beta")}
	cached := map[spack.Hash]bool{}
	for _, h := range s.lock.Order {
		cached[h] = true
	}
	index := s.indexFiles(t, m.top("cache"))
	for _, p := range missing {
		cached[p.Hash] = false
		removeFiles(t, m.top("cache"), s.entryFiles(t, m.top("cache"), p.Hash)...)
	}
	before := digests(t, m.top("cache"))
	done := m.apply()
	var work []string
	for _, op := range []string{"build", "fetch"} {
		for _, name := range short(done.completed(op)) {
			if op != "fetch" || name != "" {
				work = append(work, op+" "+name)
			}
		}
	}
	if diff := cmp.Diff(reference(s.lock, cached), work); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	after := digests(t, m.top("cache"))
	for _, name := range index {
		delete(before, name)
	}
	maps.DeleteFunc(after, func(name, _ string) bool { _, known := before[name]; return !known })
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("what was in the cache: -before +after\n%s", diff)
	}
	m.wantNothingToDo()
	for _, p := range missing {
		s.entryFiles(t, m.top("cache"), p.Hash)
	}

	// What stands here but is in no cache is stored, not built.
	removeFiles(t, m.top("cache"), s.entryFiles(t, m.top("cache"), missing[0].Hash)...)
	done = m.apply()
	if built, pushed := done.completed("build"), short(done.completed("push")); len(built) != 0 || !slices.Equal(pushed, []string{"toy-leaf1"}) {
		t.Errorf("built %v, stored %v; want only toy-leaf1 to be stored", built, pushed)
	}
}

func testNoIndex(t *testing.T, s *spackStack) {
	m := s.copy(t, withCache, withMirror)
	removeFiles(t, m.top("cache"), s.indexFiles(t, m.top("cache"))...)
	if done := m.apply(); len(done.completed("build"))+len(done.completed("fetch")) != 0 {
		t.Errorf("%+v", done)
	}
	m.wantNothingToDo()
	if err := os.WriteFile(filepath.Join(m.top("cache"), "unrelated"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	m.wantNothingToDo()
}
