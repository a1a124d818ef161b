package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestASavedPlanThatWasKilledIsTakenUpAgain kills an apply of a saved plan at
// any moment and applies the same file again, as a CI system does that runs a
// job once more.
func TestASavedPlanThatWasKilledIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	n := 30
	if testing.Short() {
		n = 10
	}
	host := newRegistry(t, nil)
	first := newMachine(t, victim(host, "saved/undisturbed"))
	first.want(0, "plan", "--out", "plan.file")
	begun := time.Now()
	whole := parseEvents(t, first.want(0, "apply", "--format=json", "plan.file").stdout)
	took := time.Since(begun)
	digest, all := first.output("digest"), records(t, first.path("../cache"))

	for i, at := range moments(rand.New(rand.NewPCG(seed(t), 1)), n, took, len(whole)) {
		t.Run(fmt.Sprintf("kill %d %v", i, at), func(t *testing.T) {
			repository := fmt.Sprintf("saved/trial%d", i)
			m := newMachine(t, victim(host, repository))
			m.want(0, "plan", "--out", "plan.file")
			m.killed(at, "apply", "--format=json", "plan.file")
			finished := records(t, m.path("../cache"))
			var missing []string
			for _, name := range slices.Sorted(maps.Keys(all)) {
				if _, done := finished[name]; !done {
					missing = append(missing, "recipe."+name)
				}
			}
			e := m.want(0, "apply", "--format=json", "plan.file")
			if built := parseEvents(t, e.stdout).completed("build"); !slices.Equal(built, missing) {
				t.Errorf("the second run has built %v, want %v", built, missing)
			}
			if got := tagged(t, host, repository, "v1"); got != digest || m.output("digest") != digest {
				t.Errorf("the registry has %s under the tag and the output is %s, want %s", got, m.output("digest"), digest)
			}
			m.wantNothingToDo()
			again := parseEvents(t, m.want(0, "apply", "--format=json", "plan.file").stdout)
			if built := again.completed("build"); len(built) > 0 {
				t.Errorf("a third run has built %v", built)
			}
		})
	}
}

// TestAReplacementThatWasKilledIsNotMadeTwice is about plans whose steps make
// anew what is there: what exists does not tell whether they were done.
func TestAReplacementThatWasKilledIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	m := newMachine(t, map[string]string{"esd.hcl": `
recipe "first" {
  version = "1"
  script  = "mkdir -p $prefix; echo first > $prefix/first"
}
recipe "second" {
  version = "1"
  needs   = [recipe.first]
  script  = "mkdir -p $prefix; cat $first/first > $prefix/second; sleep 2"
}
`})
	m.apply()
	time.Sleep(1100 * time.Millisecond) // records tell times to the second
	m.want(0, "plan", "--out", "plan.file", "--replace", "recipe.first", "--replace", "recipe.second")
	told, met := m.killed(moment{events: 7, after: 300 * time.Millisecond}, "apply", "--format=json", "plan.file")
	if done := told.completed("build"); !met || !slices.Equal(done, []string{"recipe.first"}) {
		t.Skipf("the kill has not met the run between the two: %v", done)
	}
	next := parseEvents(t, m.want(0, "apply", "--format=json", "plan.file").stdout)
	if built := next.completed("build"); !slices.Equal(built, []string{"recipe.second"}) {
		t.Errorf("the second run has built %v", built)
	}
	m.wantNothingToDo()
}
