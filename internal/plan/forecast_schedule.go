package plan

import (
	"container/heap"
	"math"

	"esd/internal/graph"
)

// lookahead is how many ready steps that do not fit are looked past, as in
// graph.Walk.
const lookahead = 64

// makespan is how long the steps take in seconds on so many processors and with
// so much memory (0 for no limit), when they are started as apply does it: of the
// ready steps the one with the longest path behind it first, as soon as it fits,
// others before it where it does not. Steps of unknown length take no time.
func makespan(steps []Step, dag *graph.DAG, cpus int, memory int64) float64 {
	s := newSchedule(steps, dag, cpus, memory)
	now := 0.0
	for s.start(now); s.running.Len() > 0; s.start(now) {
		now = s.running.entries[0].at
		for s.running.Len() > 0 && s.running.entries[0].at <= now {
			s.finish(heap.Pop(&s.running).(entry).node)
		}
	}
	return now
}

// schedule is a run that is played through.
type schedule struct {
	dag            *graph.DAG
	steps          []Step
	step           []int // by node
	remaining      []float64
	waits          []int           // dependencies that are not done, by node
	capacity, free graph.Resources // memory without limit is all that can be counted
	ready, running entries
	waiting, spare []entry // ready ones that did not fit, in order; and room for them
}

func newSchedule(steps []Step, dag *graph.DAG, cpus int, memory int64) *schedule {
	s := &schedule{dag: dag, steps: steps, step: stepAt(dag), waits: make([]int, dag.Len()), capacity: graph.Resources{CPUs: cpus, Memory: memory}}
	if memory <= 0 {
		s.capacity.Memory = math.MaxInt64
	}
	s.free = s.capacity
	usual := usualSeconds(steps)
	s.remaining = dag.RemainingLongest(func(node int) float64 {
		if seconds := steps[s.step[node]].Seconds; seconds >= 0 {
			return seconds
		}
		return usual
	})
	for node := range s.waits {
		if s.waits[node] = len(dag.Dependencies(node)); s.waits[node] == 0 {
			s.push(node)
		}
	}
	return s
}

// usualSeconds is what a step of unknown length counts for when it is decided
// which goes first: the mean of the others.
func usualSeconds(steps []Step) float64 {
	sum, known := 0.0, 0
	for i := range steps {
		if steps[i].Seconds >= 0 {
			sum, known = sum+steps[i].Seconds, known+1
		}
	}
	if known == 0 {
		return 1
	}
	return sum / float64(known)
}

// stepAt tells which step each node is, where the steps stand in the order of the
// graph.
func stepAt(dag *graph.DAG) []int {
	at := make([]int, dag.Len())
	for i, node := range dag.Order() {
		at[node] = i
	}
	return at
}

func (s *schedule) push(node int) { heap.Push(&s.ready, entry{-s.remaining[node], node}) }

// needs is what a step occupies, never more than there is.
func (s *schedule) needs(node int) graph.Resources {
	r := s.steps[s.step[node]].Resources
	return graph.Resources{CPUs: min(max(r.CPUs, 1), s.capacity.CPUs), Memory: min(max(r.Memory, 0), s.capacity.Memory)}
}

// start starts what fits. What does not is kept apart, in order, and tried again
// when something has ended.
func (s *schedule) start(now float64) {
	passed, held := s.waiting, s.spare[:0]
	for s.free.CPUs > 0 && len(held) < lookahead && len(passed)+s.ready.Len() > 0 {
		var next entry
		if s.ready.Len() == 0 || len(passed) > 0 && passed[0].before(s.ready.entries[0]) {
			next, passed = passed[0], passed[1:]
		} else {
			next = heap.Pop(&s.ready).(entry)
		}
		need := s.needs(next.node)
		if need.CPUs > s.free.CPUs || need.Memory > s.free.Memory {
			held = append(held, next)
			continue
		}
		s.free.CPUs, s.free.Memory = s.free.CPUs-need.CPUs, s.free.Memory-need.Memory
		heap.Push(&s.running, entry{now + max(s.steps[s.step[next.node]].Seconds, 0), next.node})
	}
	s.spare, s.waiting = s.waiting, append(held, passed...)
}

// finish gives back what a step occupied, and makes ready what waited for it.
func (s *schedule) finish(node int) {
	need := s.needs(node)
	s.free.CPUs, s.free.Memory = s.free.CPUs+need.CPUs, s.free.Memory+need.Memory
	for _, dependent := range s.dag.Dependents(node) {
		if s.waits[dependent]--; s.waits[dependent] == 0 {
			s.push(int(dependent))
		}
	}
}

// entry is a node in a queue: what is least goes first, and of equal ones the
// node that stands first.
type entry struct {
	at   float64
	node int
}

func (e entry) before(f entry) bool { return e.at < f.at || e.at == f.at && e.node < f.node }

type entries struct{ entries []entry }

func (h *entries) Len() int           { return len(h.entries) }
func (h *entries) Less(i, j int) bool { return h.entries[i].before(h.entries[j]) }
func (h *entries) Swap(i, j int)      { h.entries[i], h.entries[j] = h.entries[j], h.entries[i] }
func (h *entries) Push(x any)         { h.entries = append(h.entries, x.(entry)) }
func (h *entries) Pop() any {
	last := h.entries[len(h.entries)-1]
	h.entries = h.entries[:len(h.entries)-1]
	return last
}
