package store

import (
	"fmt"
	"time"

	"esd/internal/spack"
)

type taskState int

const (
	taskWaiting  taskState = iota
	taskRunning            // a worker has it
	taskComplete           // it is there, and not recorded
	taskInstalled
	taskReused
	taskExternal
	taskFailed
)

// good tells that others may rely on the package.
func (s taskState) good() bool { return s == taskInstalled || s == taskReused || s == taskExternal }

// task is one package of an Install. The coordinator alone changes its state.
type task struct {
	spec     *spack.Spec
	explicit bool
	prefix   string
	lock     lockRange
	needs    []*task   // among the tasks
	outside  []*Record // what it needs of what is installed
	state    taskState
	final    taskState // the state once it is recorded
	err      error
	because  *spack.Spec
	took     time.Duration
}

// plan makes tasks of packages, each once, what is needed first.
func (in *installer) plan(packages []Package) {
	tasks := make(map[spack.Hash]*task, len(packages))
	var list []*task
	for _, p := range packages {
		t := tasks[p.Spec.Hash]
		if t == nil {
			t = &task{spec: p.Spec}
			tasks[p.Spec.Hash] = t
			list = append(list, t)
		}
		t.explicit = t.explicit || p.Explicit
	}
	for _, t := range list {
		if err := in.prepare(t, tasks); err != nil {
			t.state, t.err = taskFailed, err
		}
	}
	in.order = sortTasks(list)
	in.tasks = tasks
}

// prepare finds out where a package goes and what it needs.
func (in *installer) prepare(t *task, tasks map[spack.Hash]*task) (err error) {
	if err = in.recordable(t.spec.Hash); err != nil {
		return err
	}
	if t.prefix, err = in.s.prefixAmong(t.spec, in.specs); err != nil {
		return err
	}
	if t.spec.External != nil {
		return nil
	}
	if t.lock, err = prefixRange(t.spec.Hash); err != nil {
		return err
	}
	if _, err = in.s.inside(t.prefix); err != nil {
		return err
	}
	if rec := in.records.Get(t.spec.Hash); rec != nil && in.s.Present(rec) {
		t.prefix = rec.Path
		return nil
	}
	if other := in.occupied[t.prefix]; other != nil && other.Hash != t.spec.Hash {
		return fmt.Errorf("its prefix %s belongs to %s; choose a projection with {hash}", t.prefix, label(other))
	}
	in.occupied[t.prefix] = t.spec
	for _, e := range t.spec.Dependencies {
		if e.Types&spack.LinkRun == 0 {
			continue
		}
		if need := tasks[e.Hash]; need != nil {
			t.needs = append(t.needs, need)
		} else if err := in.needOutside(t, e); err != nil {
			return err
		}
	}
	return nil
}

// needOutside looks for a dependency that nobody asked to install.
func (in *installer) needOutside(t *task, e spack.Edge) error {
	if rec := in.records.Get(e.Hash); rec != nil && in.s.Present(rec) {
		t.outside = append(t.outside, rec)
		return nil
	}
	if node := in.specs[e.Hash]; node != nil && node.External != nil {
		return nil // it gets recorded along
	}
	return fmt.Errorf("it needs %s/%s, which %w: install it at the same time", e.Name, e.Hash.Short(), ErrNotInstalled)
}

// recordable tells whether a package and all that it depends on can be
// recorded.
func (in *installer) recordable(h spack.Hash) error {
	if err, known := in.checked[h]; known {
		return err
	}
	in.checked[h] = nil // so that circles end
	err := func() error {
		spec := in.specs[h]
		if _, err := recordedSpec(in.records.Version, spec); err != nil {
			return err
		}
		if _, err := in.s.prefixAmong(spec, in.specs); err != nil {
			return err
		}
		for _, e := range spec.Dependencies {
			if in.records.Get(e.Hash) != nil {
				continue
			}
			if in.specs[e.Hash] == nil {
				return fmt.Errorf("%w: %s needs %s/%s; give the specs of build dependencies too, as a lock file has them", ErrMissingSpec, label(spec), e.Name, e.Hash.Short())
			}
			if err := in.recordable(e.Hash); err != nil {
				return err
			}
		}
		return nil
	}()
	in.checked[h] = err
	return err
}

// sortTasks puts what is needed first, and keeps the order otherwise. Tasks in
// a circle fail.
func sortTasks(list []*task) []*task {
	const visiting, done = 1, 2
	state := make(map[*task]int, len(list))
	order := make([]*task, 0, len(list))
	var visit func(*task) bool
	visit = func(t *task) bool {
		switch state[t] {
		case visiting:
			return false
		case done:
			return true
		}
		state[t] = visiting
		for _, need := range t.needs {
			if !visit(need) {
				t.state, t.err = taskFailed, errCycle
			}
		}
		state[t] = done
		order = append(order, t)
		return true
	}
	for _, t := range list {
		visit(t)
	}
	return order
}
