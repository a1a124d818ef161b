package graph

// Resources are an amount of what nodes share while they are worked on.
// As a capacity, 0 means that there is no limit.
type Resources struct {
	CPUs   int
	Memory int64 // bytes
}

// A node that needs more than is free waits, and others that are ready and do
// fit may pass it, so that no processor is idle without need. But not for ever:
const (
	// overtakeLimit is how many nodes may pass the one that is first in the
	// queue. Then nothing starts until that one fits.
	overtakeLimit = 16
	// lookahead is how many waiting nodes are tried at a time.
	lookahead = 64
)

// supply keeps account of the resources in use.
type supply struct {
	capacity, used Resources
	demand         []Resources // by node, at most the capacity; nil when nothing is limited
	first          int         // the node that others passed, or none
	overtakes      int         // how many did
}

func newSupply(d *DAG, opts WalkOptions) supply {
	s := supply{capacity: opts.Capacity, first: none}
	if opts.Demand == nil || opts.Capacity == (Resources{}) {
		return s
	}
	s.demand = make([]Resources, d.Len())
	for node := range s.demand {
		// A node that wants more than there is gets all there is: it runs
		// alone rather than never. No limit is kept as a demand of nothing.
		need := opts.Demand(node)
		s.demand[node] = Resources{
			CPUs:   max(0, min(need.CPUs, s.capacity.CPUs)),
			Memory: max(0, min(need.Memory, s.capacity.Memory)),
		}
	}
	return s
}

// take reserves what a node needs, if that much is free.
func (s *supply) take(node int) bool {
	if s.demand == nil {
		return true
	}
	need := s.demand[node]
	if s.used.CPUs+need.CPUs > s.capacity.CPUs || need.Memory > s.capacity.Memory-s.used.Memory {
		return false
	}
	s.used.CPUs += need.CPUs
	s.used.Memory += need.Memory
	return true
}

func (s *supply) giveBack(node int) {
	if s.demand == nil {
		return
	}
	s.used.CPUs -= s.demand[node].CPUs
	s.used.Memory -= s.demand[node].Memory
}

// mayPass says whether a further node may be tried when those held do not fit.
func (s *supply) mayPass(held []int) bool {
	if len(held) == 0 {
		return true
	}
	return len(held) < lookahead && (held[0] != s.first || s.overtakes < overtakeLimit)
}

// passed notes that a node was started before those held.
func (s *supply) passed(held []int) {
	if len(held) == 0 {
		return
	}
	if held[0] != s.first {
		s.first, s.overtakes = held[0], 0
	}
	s.overtakes++
}
