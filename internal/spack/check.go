package spack

import (
	"fmt"
	"slices"
	"strings"
)

// MissingError tells that something names a spec that is not there.
type MissingError struct {
	By   string // a package, a root
	Name string // of the missing one
	Hash Hash
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s needs %s /%s, which is not there", clip(e.By), clip(e.Name), e.Hash)
}

// NameError tells that an edge calls a spec by another name than its own.
type NameError struct {
	By, Name string
	Hash     Hash
	Is       string // its own name
}

func (e *NameError) Error() string {
	return fmt.Sprintf("%s needs %s /%s, but what has this hash is %s", clip(e.By), clip(e.Name), e.Hash, clip(e.Is))
}

// CycleError tells that packages depend on each other in a circle.
type CycleError struct {
	Path []string // names; the last is the first again
}

func (e *CycleError) Error() string {
	path := e.Path
	if len(path) > 12 {
		path = slices.Concat(path[:6], []string{"…"}, path[len(path)-5:])
	}
	names := make([]string, len(path))
	for i, name := range path {
		names[i] = clip(name)
	}
	return "packages depend on each other in a circle: " + strings.Join(names, " > ")
}

// Check sees to it that all that the specs with the given hashes name is there
// under the right name, and that no package needs itself. The order of the
// hashes decides which of several mistakes is told.
func (all Specs) Check(order []Hash) error {
	for _, h := range order {
		if s := all[h]; s != nil {
			if err := all.checkNames(s); err != nil {
				return err
			}
		}
	}
	return all.checkCycles(order)
}

func (all Specs) checkNames(s *Spec) error {
	by := s.Name + "@" + s.Version
	for _, e := range s.Dependencies {
		switch to := all[e.Hash]; {
		case to == nil:
			return &MissingError{By: by, Name: e.Name, Hash: e.Hash}
		case to.Name != e.Name:
			return &NameError{By: by, Name: e.Name, Hash: e.Hash, Is: to.Name}
		}
	}
	if s.BuildSpec != nil && all[s.BuildSpec.Hash] == nil {
		return &MissingError{By: by, Name: s.BuildSpec.Name, Hash: s.BuildSpec.Hash}
	}
	return nil
}

// checkCycles walks depth first with a stack of its own: a chain of
// dependencies may be as long as a file allows.
func (all Specs) checkCycles(order []Hash) error {
	const open, done = 1, 2
	state := make(map[*Spec]int8, len(order))
	var path []*Spec
	var next []int
	push := func(s *Spec) {
		state[s] = open
		path, next = append(path, s), append(next, 0)
	}
	for _, h := range order {
		if s := all[h]; s != nil && state[s] == 0 {
			push(s)
		}
		for len(path) > 0 {
			top := len(path) - 1
			to, more := all.neighbour(path[top], next[top])
			next[top]++
			switch {
			case !more:
				state[path[top]] = done
				path, next = path[:top], next[:top]
			case to != nil && state[to] == open:
				return cycle(append(path, to))
			case to != nil && state[to] == 0:
				push(to)
			}
		}
	}
	return nil
}

// neighbour is the i-th spec that s names, nil if it is not there; none after
// the last.
func (all Specs) neighbour(s *Spec, i int) (to *Spec, ok bool) {
	switch {
	case i < len(s.Dependencies):
		return all[s.Dependencies[i].Hash], true
	case i == len(s.Dependencies) && s.BuildSpec != nil:
		return all[s.BuildSpec.Hash], true
	}
	return nil, false
}

func cycle(path []*Spec) error {
	e := &CycleError{}
	for _, s := range path[slices.Index(path, path[len(path)-1]):] {
		e.Path = append(e.Path, s.Name)
	}
	return e
}
