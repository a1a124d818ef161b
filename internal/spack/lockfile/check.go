package lockfile

import (
	"fmt"
	"slices"

	"esd/internal/spack"
)

// check sees to it that all that is named is there, and that no package needs
// itself.
func (l *Lock) check() error {
	for _, r := range l.AllRoots() {
		if l.Specs[r.Hash] == nil {
			return &MissingError{By: fmt.Sprintf("root %q", r.Spec), Name: "its concrete spec", Hash: r.Hash}
		}
	}
	for _, h := range l.Order {
		if err := l.checkNames(l.Specs[h]); err != nil {
			return err
		}
	}
	return l.checkCycles()
}

func (l *Lock) checkNames(s *spack.Spec) error {
	by := s.Name + "@" + s.Version
	for _, e := range s.Dependencies {
		switch to := l.Specs[e.Hash]; {
		case to == nil:
			return &MissingError{By: by, Name: e.Name, Hash: e.Hash}
		case to.Name != e.Name:
			return &KeyError{Name: by, What: fmt.Sprintf("it calls the dependency /%s %s, which is %s", e.Hash, e.Name, to.Name)}
		}
	}
	if s.BuildSpec != nil && l.Specs[s.BuildSpec.Hash] == nil {
		return &MissingError{By: by, Name: s.BuildSpec.Name, Hash: s.BuildSpec.Hash}
	}
	return nil
}

// checkCycles walks depth first with its own stack: a chain of dependencies
// may be as long as the file allows.
func (l *Lock) checkCycles() error {
	const open, done = 1, 2
	state := make(map[*spack.Spec]int8, len(l.Order))
	var path []*spack.Spec
	var next []int
	for _, h := range l.Order {
		if state[l.Specs[h]] == done {
			continue
		}
		path, next = append(path[:0], l.Specs[h]), append(next[:0], 0)
		state[l.Specs[h]] = open
		for len(path) > 0 {
			top := len(path) - 1
			s := path[top]
			to := l.neighbour(s, next[top])
			next[top]++
			switch {
			case to == nil:
				state[s] = done
				path, next = path[:top], next[:top]
			case state[to] == open:
				return cycle(append(path, to))
			case state[to] == 0:
				state[to] = open
				path, next = append(path, to), append(next, 0)
			}
		}
	}
	return nil
}

// neighbour is the i-th spec that s names, nil after the last.
func (l *Lock) neighbour(s *spack.Spec, i int) *spack.Spec {
	switch {
	case i < len(s.Dependencies):
		return l.Specs[s.Dependencies[i].Hash]
	case i == len(s.Dependencies) && s.BuildSpec != nil:
		return l.Specs[s.BuildSpec.Hash]
	}
	return nil
}

func cycle(path []*spack.Spec) error {
	e := &CycleError{}
	start := slices.Index(path, path[len(path)-1])
	for _, s := range path[start:] {
		e.Path = append(e.Path, s.Name)
	}
	return e
}
