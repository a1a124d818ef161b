// Package filesystem is the block `target "filesystem"`: a Spack install tree
// at a path, filled from build caches without Spack, and fit to be used by
// Spack itself: as its own install tree, or as an upstream of another one.
//
// A tree may have other users: Spack, people, other targets. Each target keeps
// in the tree what it has installed (a ledger), so that it takes away that and
// nothing else.
package filesystem

import (
	"time"

	"esd/internal/providers"
	"esd/internal/providers/environment"
	"esd/internal/schema"
	"esd/internal/spack"
	"esd/internal/spack/store"
	"esd/internal/state"
)

// Kind is the kind of the block.
const Kind = "target.filesystem"

// keyVersion is raised whenever the same inputs begin to give another tree.
const keyVersion = 1

// Options is what the provider needs of its surroundings.
type Options struct {
	// WorkDir is the directory of working data (`.esd`), absolute.
	WorkDir string
	// Archives opens what build caches have.
	Archives environment.Archives
	// Home is the directory that is never an install tree; empty for that of
	// the user.
	Home string
	// LockTimeout is how long to wait for the database of a tree that somebody
	// else changes, PackageTimeout for a package that somebody else installs;
	// 0 for the defaults.
	LockTimeout, PackageTimeout time.Duration
}

// defaultPackageTimeout is how long to wait for a package that somebody else
// installs into the same tree: they may be building it, but not for ever.
const defaultPackageTimeout = 10 * time.Minute

// Provider fills install trees.
type Provider struct{ opts Options }

var (
	_ providers.Provider = (*Provider)(nil)
	_ providers.Claimer  = (*Provider)(nil)
	_ providers.Reuser   = (*Provider)(nil)
)

// New gives the provider.
func New(opts Options) *Provider {
	if opts.PackageTimeout == 0 {
		opts.PackageTimeout = defaultPackageTimeout
	}
	return &Provider{opts}
}

// Schema describes the block.
func (p *Provider) Schema() *schema.Block { return blockSchema }

// DefaultForm is a tree with everything in it.
func (p *Provider) DefaultForm() providers.Form { return providers.Published }

// Claims is the path of a tree: each of two targets would take away what the
// other has.
func (p *Provider) Claims(o *providers.Object) []string {
	return []string{real(o.Spec.(*spec).tree.Path)}
}

// spec is a decoded target.
type spec struct {
	tree         treeRef
	members      []member // by name and hash
	environments []environment.Environment
	jobs         int
	prune        bool
}

// member is one package of a tree.
type member struct {
	environment.Member
	// prefix is where it stands in the tree.
	prefix string
	// environment is the first one that has it, by its place in the list.
	environment int
}

// treeRef is an install tree, as steps carry it.
type treeRef struct {
	Path       string           `json:"path"`
	Projection spack.Projection `json:"projection"`
	// DatabaseVersion is that of a database that has to be made.
	DatabaseVersion int `json:"database_version"`
	// Owner names the ledger of the target in the tree.
	Owner string `json:"owner"`
}

// of is the tree of a target that may have been recorded: then its ledger has
// the name that it had, which outlives a change of the address or of the
// directory of the configuration.
func (ref treeRef) of(recorded *state.Object) treeRef {
	if recorded != nil {
		if owner := recorded.Attributes.String("owner"); validOwner(owner) {
			ref.Owner = owner
		}
	}
	return ref
}

// open opens the install tree.
func (p *Provider) open(ref treeRef) (*store.Store, error) {
	return store.Open(ref.Path, store.Options{
		Projection: ref.Projection, DatabaseVersion: ref.DatabaseVersion,
		LockTimeout: p.opts.LockTimeout, PrefixTimeout: p.opts.PackageTimeout,
	})
}
