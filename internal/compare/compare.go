// Package compare tells what is different between two deployments, or two
// versions of one, in the words of their packages.
//
// Plans, locks, states and published images say what they hold in ways of their
// own. Package inventory, below this one, reads each into an [Inventory]; [Diff]
// compares any two of these. It does no I/O and needs nothing but the values.
package compare

import "esd/internal/spack"

// Kind is what an inventory was read from.
type Kind string

// The kinds of things that can be compared.
const (
	Plan      Kind = "plan"       // a saved plan
	Lock      Kind = "lock"       // the lock file of a configuration
	SpackLock Kind = "spack.lock" // what Spack concretized
	State     Kind = "state"      // what was recorded
	Image     Kind = "image"      // a published image
)

// Inventory is what is in one thing.
type Inventory struct {
	Kind Kind
	// Name is what the user called it.
	Name string
	// Detail says which version it is: the digest of an image, the serial of a
	// state. It may be empty.
	Detail string
	Groups []*Group
	// Partial tells that what is not in it may be there all the same: a plan
	// has only what changes.
	Partial bool
	// Notes say what cannot be told of it, and why.
	Notes []string
}

// GroupKind is what a group of packages is.
type GroupKind string

// The kinds of groups.
const (
	Pins        GroupKind = "pins"        // what a lock file pins: no packages
	Work        GroupKind = "work"        // what a plan does: no packages
	Recipes     GroupKind = "recipes"     // packages that are built from scripts
	Environment GroupKind = "environment" // packages of Spack that are concretized together
	Target      GroupKind = "target"      // what is deployed: an image, a tree
	BaseSystem  GroupKind = "base"        // packages of the distribution in the base of an image
)

// Group is a set of packages that belong together, and what is known beside
// them.
type Group struct {
	Kind GroupKind
	// Address is that of the block; empty where none is known.
	Address string
	// Specs are what is asked for, in Spack's syntax.
	Specs []string
	// Spack is the version of the Spack that concretized the packages.
	Spack    string
	Facts    []Fact
	Packages []*Package
	// RunOnly tells that only packages that are needed to run are in it.
	RunOnly bool
	// SpecsKnown tells that Specs are all that is asked for.
	SpecsKnown bool
	// Unknown tells that it has packages and nobody knows which.
	Unknown bool
	// Contains are the packages of other groups that a target is made of, and
	// Places where it is published.
	Contains []*Package
	Places   []string
}

// Fact is something that is not a package: the base of an image, a pin, a
// file.
type Fact struct {
	// Kind and Name identify it: "base", "git https://…", "file /about.txt".
	Kind, Name string
	// Value is what it is, for people: "debian 12.5". It may be empty.
	Value string
	// ID tells contents apart, such as a digest; empty where Value does.
	ID string
	// Hidden tells that ID is not to be shown: from the digest of a short value
	// the value can be guessed.
	Hidden bool
}

// Package is one concrete package of a group.
type Package struct {
	Name, Version string
	// ID tells packages apart: the DAG hash of Spack, a content key. A prefix of
	// at least seven characters will do. Empty where it is not known.
	ID string
	// Asked tells that a spec asks for it by itself.
	Asked bool
	// Runs tells that it is needed to run, not only to build.
	Runs bool
	// Action is what a plan does to it; empty where that is nothing.
	Action string
	// Needs are direct dependencies, by name and ID.
	Needs []spack.Edge
	// Detail is nil where no more is known.
	Detail *Detail
}

// Detail is what makes two builds of one version different.
type Detail struct {
	// Parameters are variants and compiler flags.
	Parameters []spack.Parameter
	// Compiler is "gcc@12.2.0"; empty for none.
	Compiler string
	// Platform and OS are "linux" and "debian12"; Target is the
	// microarchitecture.
	Platform, OS, Target string
	Namespace            string
	// External says where the system provides the package; empty for what is
	// built.
	External string
	// Recipe and Patches are digests.
	Recipe, Patches string
	// Inputs are further inputs by name: `=value`, or a digest.
	Inputs map[string]string
	// Generation tells ways of writing specs apart: what only differs because
	// they do is not compared.
	Generation int
}
