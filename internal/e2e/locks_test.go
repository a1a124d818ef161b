package e2e

import (
	"sync"
	"testing"
)

func TestOfManyAppliesAtOnceOneRuns(t *testing.T) {
	t.Parallel()
	const n = 20
	tests := map[string]struct {
		options []string
		done    func(codes map[int]int) bool
	}{
		"and the others say who holds the lock": {nil, func(c map[int]int) bool { return c[0] >= 1 && c[0]+c[4] == n && c[4] > 0 }},
		"and the others wait for it":            {[]string{"--lock-timeout=2m"}, func(c map[int]int) bool { return c[0] == n }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, slowStack("1"))
			runs := make([]ended, n)
			var all sync.WaitGroup
			for i := range runs {
				all.Go(func() { runs[i] = m.esd(append(applyJSON, test.options...)...) })
			}
			all.Wait()
			codes, built := map[int]int{}, 0
			for _, e := range runs {
				codes[e.code]++
				built += len(parseEvents(t, e.stdout).completed("build"))
				if e.code == 4 {
					wantSays(t, e, "lock")
				}
			}
			if !test.done(codes) {
				t.Errorf("exit codes and how often: %v\n%s", codes, runs[0].all())
			}
			if built != 2 {
				t.Errorf("%d packages were built, want each of the 2 once", built)
			}
			if got := m.serial(); got != 1 {
				t.Errorf("the state has serial %d; only one run had anything to record", got)
			}
			m.wantNothingToDo()
		})
	}
}

func TestChangesThatWaitForTheLockAreOneChainOfSerials(t *testing.T) {
	t.Parallel()
	m := newMachine(t, slowStack("0"))
	m.apply()
	before := m.serial()
	const n = 20
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if e := m.esd("apply", "--auto-approve", "--lock-timeout=2m", "--replace=target.image.lab"); e.code != 0 {
				t.Errorf("apply exits with %d:\n%s", e.code, e.all())
			}
		})
	}
	all.Wait()
	if got := m.serial(); got != before+n {
		t.Errorf("the state has serial %d, want %d: one more for each run", got, before+n)
	}
	m.wantNothingToDo()
}
