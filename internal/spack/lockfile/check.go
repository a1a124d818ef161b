package lockfile

import (
	"fmt"

	"esd/internal/spack"
)

// check sees to it that all that is named is there, and that no package needs
// itself.
func (l *Lock) check() error {
	for _, r := range l.AllRoots() {
		if l.Specs[r.Hash] == nil {
			err := &spack.MissingError{By: fmt.Sprintf("root %.60q", r.Spec), Name: "its concrete spec", Hash: r.Hash}
			return fmt.Errorf("%w%s", err, restore)
		}
	}
	if err := l.Specs.Check(l.Order); err != nil {
		return fmt.Errorf("%w%s", err, restore)
	}
	return nil
}
