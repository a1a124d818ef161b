package filesystem

import "fmt"

// String is what the target says beside what its content key covers, in a form
// to compare: a plan is stale when that has changed.
func (s *spec) String() string {
	return fmt.Sprintf("%+v %+v %d %v", s.tree, s.environments, s.jobs, s.prune)
}
