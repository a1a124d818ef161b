// Package registry is the table of the kinds of block. A new kind is a folder
// beside this one and a line here.
package registry

import (
	"esd/internal/oci"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/providers/environment"
	"esd/internal/providers/executor"
	"esd/internal/providers/filesystem"
	"esd/internal/providers/image"
	"esd/internal/providers/recipe"
	"esd/internal/providers/site"
	"esd/internal/providers/spack"
	"esd/internal/schema"
)

// Options is what providers need of their surroundings.
type Options struct {
	// Dir is the directory of the configuration; WorkDir that of its working
	// data (`.esd`). Both are absolute.
	Dir, WorkDir string
	// Platform is what is built on this machine: linux/amd64/debian-12.
	Platform string
	// Sandbox is how builds are to be kept apart; empty for what the executor
	// block says, or the best that there is.
	Sandbox string
	// OCI says how registries are reached.
	OCI oci.Options
}

// Kinds are all kinds of block, by name.
type Kinds map[string]providers.Kind

// New makes all kinds.
func New(opts Options) Kinds {
	caches := &cache.Opener{OCI: opts.OCI}
	buildcaches := &cache.BuildcacheOpener{OCI: opts.OCI, WorkDir: opts.WorkDir}
	environments, packages := environment.New(environment.Options{
		Dir: opts.Dir, WorkDir: opts.WorkDir, Caches: buildcaches, Sandbox: opts.Sandbox,
	})
	return Kinds{
		cache.KindName:          cache.Kind{},
		cache.BuildcacheKind:    cache.BuildcacheBlock{},
		cache.SourcesKind:       cache.SourcesBlock{},
		executor.KindName:       executor.Kind{},
		site.KindName:           site.Kind{},
		spack.KindName:          spack.Kind{},
		environment.Kind:        environments,
		environment.PackageKind: packages,
		recipe.Kind: recipe.New(recipe.Options{
			WorkDir: opts.WorkDir, Caches: caches, Platform: opts.Platform, Sandbox: opts.Sandbox,
		}),
		filesystem.Kind: filesystem.New(filesystem.Options{WorkDir: opts.WorkDir, Archives: packages.Archives()}),
		image.Kind: image.New(image.Options{
			WorkDir: opts.WorkDir, Dir: opts.Dir, Caches: caches, Archives: packages.Archives(), OCI: opts.OCI,
		}),
	}
}

// Kind finds a kind; nil if there is none of that name.
func (k Kinds) Kind(name string) providers.Kind { return k[name] }

// Provider finds a kind that has something to apply; nil if there is none.
func (k Kinds) Provider(name string) providers.Provider {
	p, _ := k[name].(providers.Provider)
	return p
}

// Schemas are the schemas of all kinds.
func (k Kinds) Schemas() map[string]*schema.Block {
	out := make(map[string]*schema.Block, len(k))
	for name, kind := range k {
		if s := kind.Schema(); s != nil { // concrete packages are not written
			out[name] = s
		}
	}
	return out
}
