package apply

import "container/heap"

// queue holds the steps that are ready, the one with the longest remaining
// path first and, among equals, the one that stands first in the plan: a total
// order, so that runs are repeatable.
type queue struct {
	items    []int
	priority []float64
}

func (q *queue) Len() int { return len(q.items) }
func (q *queue) Less(i, j int) bool {
	a, b := q.items[i], q.items[j]
	if q.priority[a] != q.priority[b] {
		return q.priority[a] > q.priority[b]
	}
	return a < b
}
func (q *queue) Swap(i, j int) { q.items[i], q.items[j] = q.items[j], q.items[i] }
func (q *queue) Push(x any)    { q.items = append(q.items, x.(int)) }
func (q *queue) Pop() any {
	last := q.items[len(q.items)-1]
	q.items = q.items[:len(q.items)-1]
	return last
}

func (q *queue) add(step int) { heap.Push(q, step) }
func (q *queue) next() int    { return heap.Pop(q).(int) }

// maxBypassed is how often a step that does not fit may be passed by smaller
// ones before processors are kept free for it.
const maxBypassed = 8

// room is what running steps may occupy together.
type room struct {
	cpus   int
	memory int64 // 0 is unlimited
}

// claim is what one step occupies, never more than the whole room: a step that
// asks for more runs alone.
type claim struct {
	cpus   int
	memory int64
}

func (r room) claim(cpus int, memory int64) claim {
	c := claim{min(max(cpus, 1), r.cpus), memory}
	if r.memory > 0 {
		c.memory = min(memory, r.memory)
	} else {
		c.memory = 0
	}
	return c
}

// take picks the first step of the queue that fits into what is free; false
// if none may start now.
func (q *queue) take(free room, limited bool, claims []claim, bypassed []int) (int, bool) {
	var passed []int
	found, ok := 0, false
	for q.Len() > 0 && !ok {
		step := q.next()
		c := claims[step]
		if c.cpus <= free.cpus && (!limited || c.memory <= free.memory) {
			found, ok = step, true
			break
		}
		passed = append(passed, step)
		if bypassed[step] >= maxBypassed || free.cpus == 0 {
			break
		}
	}
	for _, step := range passed {
		if ok {
			bypassed[step]++
		}
		q.add(step)
	}
	return found, ok
}
