package graph

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var errBoom = errors.New("boom")

// failing returns a function for Walk that fails for the given ids.
func failing(d *DAG, names ...string) func(context.Context, int) error {
	return func(_ context.Context, node int) error {
		if slices.Contains(names, d.ID(node)) {
			return errBoom
		}
		return nil
	}
}

// statuses prints outcomes as "id status", with the cause of skipped nodes.
func statuses(d *DAG, outcomes []Outcome) []string {
	var lines []string
	for node, o := range outcomes {
		line := d.ID(node) + " " + o.Status.String()
		if o.Cause != none {
			line += " by " + d.ID(o.Cause)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestWalkOutcomes(t *testing.T) {
	t.Parallel()
	diamond := []edge{{"d", "b"}, {"d", "c"}, {"b", "a"}, {"c", "a"}}
	tests := map[string]struct {
		edges []edge
		fail  []string
		want  []string
		err   string
	}{
		"an empty graph is done at once": {},
		"all nodes are done": {
			edges: diamond,
			want:  []string{"a done", "b done", "c done", "d done"},
		},
		"a failure skips what depends on it and nothing else": {
			edges: diamond,
			fail:  []string{"b"},
			want:  []string{"a done", "b failed", "c done", "d skipped by b"},
			err:   "1 failed, 1 skipped, of 4; b: boom",
		},
		"a skipped node names the failure and not what was skipped in between": {
			edges: []edge{{"d", "c"}, {"c", "b"}, {"b", "a"}},
			fail:  []string{"a"},
			want:  []string{"a failed", "b skipped by a", "c skipped by a", "d skipped by a"},
			err:   "1 failed, 3 skipped, of 4; a: boom",
		},
		"of several failures the least id is the cause": {
			edges: append([]edge{{"e", "x"}, {"d", "e"}}, diamond...),
			fail:  []string{"x", "b", "c"},
			want:  []string{"a done", "b failed", "c failed", "d skipped by b", "e skipped by x", "x failed"},
			err:   "3 failed, 2 skipped, of 6; b: boom",
		},
	}
	for name, test := range tests {
		for _, workers := range []int{0, 1, 3} {
			t.Run(fmt.Sprintf("%s, %d workers", name, workers), func(t *testing.T) {
				t.Parallel()
				d := build(t, nil, test.edges)
				outcomes, err := Walk(t.Context(), d, WalkOptions{Workers: workers}, failing(d, test.fail...))
				if diff := cmp.Diff(test.want, statuses(d, outcomes)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if (err != nil || test.err != "") && fmt.Sprint(err) != test.err {
					t.Errorf("got error %v, want %s", err, test.err)
				}
				if err != nil && !errors.Is(err, errBoom) {
					t.Errorf("%v does not wrap the error of the node", err)
				}
			})
		}
	}
}

func TestANodeRunsOnceAndAfterItsDependencies(t *testing.T) {
	t.Parallel()
	forRandomGraphs(t, func(t *testing.T, rng *rand.Rand, d *DAG) {
		calls := make([]atomic.Int32, d.Len())
		var running atomic.Int32
		workers := 1 + rng.IntN(4)
		outcomes, err := Walk(t.Context(), d, WalkOptions{Workers: workers}, func(_ context.Context, node int) error {
			if n := int(running.Add(1)); n > workers {
				t.Errorf("%d at once, want at most %d", n, workers)
			}
			defer running.Add(-1)
			for _, dependency := range d.Dependencies(node) {
				if calls[dependency].Load() != 1 {
					return fmt.Errorf("%s is not done", d.ID(int(dependency)))
				}
			}
			runtime.Gosched()
			calls[node].Add(1)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		for node, o := range outcomes {
			if calls[node].Load() != 1 || o.Status != Done {
				t.Errorf("%s: %d calls, %s", d.ID(node), calls[node].Load(), o.Status)
			}
		}
	})
}

func TestReadyNodesStartInAFixedOrder(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		priority map[string]float64
		want     []string
	}{
		"without priorities that of the graph": {want: []string{"a", "b", "c", "x", "y"}},
		"greater priority first":               {priority: map[string]float64{"x": 2, "y": 3, "b": 1}, want: []string{"x", "y", "b", "a", "c"}},
		"equal priority in that of the graph":  {priority: map[string]float64{"a": 1, "b": 1, "c": 1, "x": 2}, want: []string{"x", "a", "b", "c", "y"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := build(t, []string{"c", "a", "b"}, []edge{{"y", "x"}})
			opts := WalkOptions{Workers: 1}
			if test.priority != nil {
				opts.Priority = func(node int) float64 { return test.priority[d.ID(node)] }
			}
			var order []int
			if _, err := Walk(t.Context(), d, opts, func(_ context.Context, node int) error {
				order = append(order, node)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, ids(d, order)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSkippedNodesAreToldWhileOthersRun(t *testing.T) {
	t.Parallel()
	d := build(t, []string{"slow"}, []edge{{"b", "a"}, {"c", "b"}})
	told := make(chan string, 2)
	opts := WalkOptions{Workers: 2, OnSkip: func(node, failed int) { told <- d.ID(node) + " by " + d.ID(failed) }}
	_, err := Walk(t.Context(), d, opts, func(_ context.Context, node int) error {
		if d.ID(node) == "a" {
			return errBoom
		}
		if got := []string{<-told, <-told}; !slices.Equal(got, []string{"b by a", "c by a"}) {
			t.Errorf("told %v", got)
		}
		return nil
	})
	if !errors.Is(err, errBoom) {
		t.Error(err)
	}
}

func TestFailFastCancelsWhatRunsAndStartsNoMore(t *testing.T) {
	t.Parallel()
	d := build(t, []string{"b"}, []edge{{"c", "a"}, {"d", "b"}})
	both := make(chan struct{})
	outcomes, err := Walk(t.Context(), d, WalkOptions{Workers: 2, FailFast: true}, func(ctx context.Context, node int) error {
		if d.ID(node) == "a" {
			<-both
			return errBoom
		}
		close(both)
		<-ctx.Done()
		return fmt.Errorf("interrupted: %w", context.Cause(ctx))
	})
	want := []string{"a failed", "b canceled", "c skipped by a", "d not started"}
	if diff := cmp.Diff(want, statuses(d, outcomes)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !errors.Is(err, errBoom) || !errors.Is(err, ErrFailFast) {
		t.Errorf("got %v", err)
	}
}

func TestCancelingTheContextEndsTheWalk(t *testing.T) {
	t.Parallel()
	errStop := errors.New("interrupted by the user")
	d := build(t, []string{"z"}, []edge{{"b", "a"}})
	ctx, cancel := context.WithCancelCause(t.Context())
	outcomes, err := Walk(ctx, d, WalkOptions{Workers: 1}, func(ctx context.Context, _ int) error {
		cancel(errStop)
		return ctx.Err()
	})
	if diff := cmp.Diff([]string{"a canceled", "b not started", "z not started"}, statuses(d, outcomes)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !errors.Is(err, errStop) {
		t.Errorf("got %v, want the cause", err)
	}
	var walkErr *WalkError
	if !errors.As(err, &walkErr) {
		t.Fatalf("got %T", err)
	}
	want := WalkError{Total: 3, Canceled: 1, NotStarted: 2, Ended: errStop}
	if diff := cmp.Diff(want, *walkErr, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestADoneContextStartsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := build(t, []string{"a"}, nil)
	outcomes, err := Walk(ctx, d, WalkOptions{}, func(context.Context, int) error {
		t.Error("called")
		return nil
	})
	if !errors.Is(err, context.Canceled) || outcomes[0].Status != NotStarted {
		t.Errorf("got %v, %v", outcomes, err)
	}
}

func TestAContextThatEndsAfterTheLastNodeIsNoError(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	d := build(t, []string{"a"}, nil)
	if _, err := Walk(ctx, d, WalkOptions{}, func(context.Context, int) error { cancel(); return nil }); err != nil {
		t.Error(err)
	}
}

func TestAnErrorDuringCancellationThatIsNotTheContextsIsAFailure(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	d := build(t, nil, []edge{{"b", "a"}})
	outcomes, _ := Walk(ctx, d, WalkOptions{}, func(context.Context, int) error { cancel(); return errBoom })
	if diff := cmp.Diff([]string{"a failed", "b skipped by a"}, statuses(d, outcomes)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDrainingLetsRunningNodesFinish(t *testing.T) {
	t.Parallel()
	d := build(t, []string{"z"}, []edge{{"b", "a"}})
	drain := make(chan struct{})
	outcomes, err := Walk(t.Context(), d, WalkOptions{Workers: 1, Drain: drain}, func(ctx context.Context, _ int) error {
		close(drain)
		return ctx.Err()
	})
	if diff := cmp.Diff([]string{"a done", "b not started", "z not started"}, statuses(d, outcomes)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !errors.Is(err, ErrDrained) || err.Error() != "2 not started, of 3; ended early: no more was to be started" {
		t.Errorf("got %v", err)
	}
}

func TestAPanicReachesTheCallerAfterTheOthersEnded(t *testing.T) {
	t.Parallel()
	d := build(t, []string{"a", "b"}, nil)
	var ended atomic.Bool
	both := make(chan struct{})
	defer func() {
		v := fmt.Sprint(recover())
		if !strings.HasPrefix(v, `node "a" panicked: broken`) || !strings.Contains(v, "walk_test.go") {
			t.Errorf("got panic %s", v)
		}
		if !ended.Load() {
			t.Error("the other node was still running")
		}
	}()
	_, _ = Walk(t.Context(), d, WalkOptions{Workers: 2}, func(ctx context.Context, node int) error {
		if d.ID(node) == "a" {
			<-both
			panic("broken")
		}
		close(both)
		<-ctx.Done()
		ended.Store(true)
		return nil
	})
}

func TestACallThatEndsItsGoroutineIsAFailure(t *testing.T) {
	t.Parallel()
	d := build(t, nil, []edge{{"b", "a"}})
	outcomes, err := Walk(t.Context(), d, WalkOptions{Workers: 1}, func(context.Context, int) error {
		runtime.Goexit()
		return nil
	})
	if diff := cmp.Diff([]string{"a failed", "b skipped by a"}, statuses(d, outcomes)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !errors.Is(err, errExited) {
		t.Errorf("got %v", err)
	}
}

// A bubble of synctest fails when a goroutine is left behind in it, and its
// clock stands still while anything can run, so times in it are exact.

func TestNoGoroutineIsLeftBehind(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 6))
			nodes, edges := randomGraph(rng, 40)
			d := build(t, nodes, edges)
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rng.IntN(40))*time.Millisecond)
			defer cancel()
			_, _ = Walk(ctx, d, WalkOptions{Workers: 3, FailFast: seed%2 == 0}, func(ctx context.Context, node int) error {
				select {
				case <-time.After(time.Duration(node) * time.Millisecond):
				case <-ctx.Done():
					return ctx.Err()
				}
				if node%11 == 10 {
					return errBoom
				}
				return nil
			})
		})
	}
}

func TestPriorityByRemainingPathKeepsTheRunNearTheBound(t *testing.T) {
	t.Parallel()
	nodes, edges := layered(1000)
	d := build(t, nodes, edges)
	rng := rand.New(rand.NewPCG(1, 8))
	seconds := make([]float64, d.Len())
	area := 0.0
	for node := range seconds {
		seconds[node] = rng.ExpFloat64() * 30
		area += seconds[node]
	}
	weight := func(node int) float64 { return seconds[node] }
	_, longest := d.CriticalPath(weight)
	remaining := d.RemainingLongest(weight)
	for _, workers := range []int{2, 8, 17, 64} {
		synctest.Test(t, func(t *testing.T) {
			opts := WalkOptions{Workers: workers, Priority: func(node int) float64 { return remaining[node] }}
			begin := time.Now()
			if _, err := Walk(t.Context(), d, opts, func(_ context.Context, node int) error {
				time.Sleep(time.Duration(seconds[node] * float64(time.Second)))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			bound := max(longest, area/float64(workers))
			ratio := time.Since(begin).Seconds() / bound
			t.Logf("%d workers: makespan is %.3f of the bound (longest path %.0f s, area/workers %.0f s)",
				workers, ratio, longest, area/float64(workers))
			if ratio > 1.05 {
				t.Errorf("%d workers: makespan is %.3f of the bound, want at most 1.05", workers, ratio)
			}
		})
	}
}
