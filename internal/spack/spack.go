// Package spack knows what Spack writes and reads: concrete specs and, in the
// packages below it, lock files, build caches, install trees and mirrors. It
// has no idea of plans, targets or any other concept of esd, and needs no
// Spack to be installed.
//
// The formats are those of Spack 0.23 and 1.x; where Spack's code is the only
// description, comments name the file there.
package spack

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Hash is the DAG hash of a concrete spec: 32 characters of lower-case base32
// (a SHA-1 over the spec and, through their hashes, all that it depends on).
type Hash string

// HashLength is the number of characters of a whole DAG hash.
const HashLength = 32

// Short is the prefix that Spack shows.
func (h Hash) Short() string { return string(h[:min(7, len(h))]) }

// Valid reports whether h is a whole hash: nothing else may become part of a
// path or of a URL.
func (h Hash) Valid() bool {
	if len(h) != HashLength {
		return false
	}
	for _, c := range []byte(h) {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// Spec is one concrete package: a node of a lock file, of a build cache's
// index or of an install database.
type Spec struct {
	Name, Version string
	Arch          Arch
	Compiler      *Compiler // specfile 4 and older only; later it is a dependency
	Namespace     string
	// Parameters are the variants sorted by name, then the compiler flags, as
	// Spack writes them.
	Parameters   []Parameter
	External     *External // nil for what Spack installs itself
	Patches      []string  // sha256, in the order of application
	PackageHash  string    // digest of the recipe
	Dependencies []Edge    // sorted by name
	BuildSpec    *Reference
	Hash         Hash
	// SpecfileVersion is the version in which the hash was computed: it differs
	// from that of the file when a later Spack rewrote an older spec.
	SpecfileVersion int
	// FileVersion is the version of specs in the file that Raw is of.
	FileVersion int
	// Raw is the node as it stands in the file, compact: what is to be written
	// wherever the spec goes.
	Raw json.RawMessage
}

// Arch is what a package was built for.
type Arch struct {
	Platform, OS string
	// Target is the microarchitecture: "x86_64_v3", "zen3".
	Target string
}

// Compiler is the compiler of a spec of specfile 4 and older.
type Compiler struct{ Name, Version string }

// Parameter is a variant or a list of compiler flags.
type Parameter struct {
	Name string
	// Values has one element for "true", "false" and single values, any number
	// for multi-valued variants and flags.
	Values []string
	// Bool tells a switch from a value that is spelt like one.
	Bool bool
	// List tells that the value was written as a list.
	List bool
}

// External tells where a package is that the system provides.
type External struct {
	Path    string
	Modules []string
}

// Edge is one dependency.
type Edge struct {
	Name     string
	Hash     Hash
	Types    DepTypes
	Virtuals []string // what the dependency provides here: "mpi", "c"
}

// Reference names another spec of the same file.
type Reference struct {
	Name string
	Hash Hash
}

// DepTypes is a set of dependency types.
type DepTypes uint8

// The dependency types, in the order in which Spack writes them.
const (
	Build DepTypes = 1 << iota
	Link
	Run
	Test
)

// LinkRun is what a package needs once it is installed.
const LinkRun = Link | Run

var depTypeNames = [...]string{"build", "link", "run", "test"}

// ParseDepTypes reads the names of dependency types.
func ParseDepTypes(names []string) (DepTypes, error) {
	var t DepTypes
	for _, name := range names {
		one, err := parseDepType(name)
		if err != nil {
			return 0, err
		}
		t |= one
	}
	return t, nil
}

func parseDepType(name string) (DepTypes, error) {
	i := slices.Index(depTypeNames[:], name)
	if i < 0 {
		return 0, fmt.Errorf("unknown dependency type %q; Spack knows build, link, run and test", clip(name))
	}
	return 1 << i, nil
}

// Names lists the types as Spack writes them.
func (t DepTypes) Names() []string {
	var names []string
	for i, name := range depTypeNames {
		if t&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

func (t DepTypes) String() string { return strings.Join(t.Names(), ",") }

// ID is name, version and hash: how Spack names directories and logs. Versions
// that are git references may have slashes and more; it has underscores there.
func (s *Spec) ID() string { return polite(s.Name + "-" + s.Version + "-" + string(s.Hash)) }

// IsExternal reports whether the system provides the package.
func (s *Spec) IsExternal() bool { return s.External != nil }

// Specs are concrete specs by their hash: the DAG.
type Specs map[Hash]*Spec

// Closure lists root and all that it reaches over edges of the given types,
// each once, what is nearer first. Edges to specs that are not there are left
// out.
func (all Specs) Closure(types DepTypes, roots ...Hash) []*Spec {
	seen := make(map[Hash]bool, len(roots))
	var queue []*Spec
	push := func(h Hash) {
		if s := all[h]; s != nil && !seen[h] {
			seen[h] = true
			queue = append(queue, s)
		}
	}
	for _, h := range roots {
		push(h)
	}
	for i := 0; i < len(queue); i++ {
		for _, e := range queue[i].Dependencies {
			if e.Types&types != 0 {
				push(e.Hash)
			}
		}
	}
	return queue
}
