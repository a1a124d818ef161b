// Package lockfile reads spack.lock, the file in which a Spack environment
// keeps what it was concretized to.
//
// The format is what _to_lockfile_dict and _read_lockfile_dict in Spack's
// environment/environment.py write and read. A lock is read as hostile: what
// [Parse] returns is complete, has no cycles, and its hashes are those of its
// content.
package lockfile

import (
	"slices"

	"esd/internal/spack"
)

// The versions of the format that are understood. Version 4 is of Spack 0.18
// and 0.19, 5 of 0.20 to 0.23, 6 of 1.0 and later.
const (
	OldestVersion = 4
	NewestVersion = 6
)

// specfileOf is the version of the specs in a lock (READER_CLS in Spack's
// environment/environment.py). The lock's own word on that is for people.
func specfileOf(lockVersion int) int { return lockVersion - 1 }

// Lock is a lock file.
type Lock struct {
	Version, SpecfileVersion int
	Spack                    SpackVersion
	// Roots are what the environment asks for, in the order of the file, which
	// Spack does not keep from one concretization to the next. Two of them may
	// have the same hash.
	Roots []Root
	// Specs are all concrete specs, also those of included environments.
	Specs spack.Specs
	// Order are the hashes of Specs in the order of the file.
	Order []spack.Hash
	// Included are the environments that this one includes, by include_concrete.
	Included []Included
}

// SpackVersion tells which Spack wrote the lock.
type SpackVersion struct {
	Version string
	Type    string // "git" or "release"
	Commit  string // of type git only
}

// Root is a package that was asked for.
type Root struct {
	Hash spack.Hash
	Spec string // as it was asked for
}

// Included is an environment that a lock includes.
type Included struct {
	Path     string
	Roots    []Root
	Included []Included
}

// Syntax is how the Spack that wrote the lock spells specs.
func (l *Lock) Syntax() spack.Syntax {
	if l.Version < 6 {
		return spack.Syntax023
	}
	return spack.Syntax1
}

// Hashes are the hashes of roots, in their order.
func Hashes(roots []Root) []spack.Hash {
	list := make([]spack.Hash, len(roots))
	for i, r := range roots {
		list[i] = r.Hash
	}
	return list
}

// AllRoots are the roots of the environment and of all that it includes, in
// the order in which Spack goes through them.
func (l *Lock) AllRoots() []Root {
	roots := slices.Clone(l.Roots)
	var add func([]Included)
	add = func(list []Included) {
		for _, in := range list {
			roots = append(roots, in.Roots...)
			add(in.Included)
		}
	}
	add(l.Included)
	return roots
}
