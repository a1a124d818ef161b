package environment

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/providers/cache"
	instance "esd/internal/providers/spack"
	"esd/internal/schema"
	"esd/internal/spack"
	"esd/internal/spack/manifest"
)

// Kind is the kind of the block; PackageKind that of the concrete packages
// that an environment brings along.
const (
	Kind        = "environment"
	PackageKind = "package"
)

// DefaultRoot is where packages are installed in deployments unless the
// environment says otherwise: Spack's own choice for containers.
const DefaultRoot = "/opt/software"

// defaultPadding is the length to which Spack's own pipelines pad the store in
// which cacheable packages are built.
const defaultPadding = 256

var resources = schema.Nested{Name: "resources", Nesting: schema.Single, Block: schema.Block{
	Summary: "What building a package occupies. It is not part of any content key.",
	Attributes: []schema.Attribute{
		{Name: "cpus", Type: cty.Number, Check: checkCPUs, Doc: "Processors; Spack gets as many as `-j`."},
		{Name: "memory", Type: cty.String, Check: schema.CheckSize, Doc: "Memory of the whole build: `4GiB`."},
		{Name: "memory_per_core", Type: cty.String, Check: schema.CheckSize, Doc: "Memory for each processor, if `memory` is not set."},
		{Name: "timeout", Type: cty.String, Check: schema.CheckDuration, Doc: "How long the build may take: `4h30m`. The default is a day."},
	},
}}

var blockSchema = &schema.Block{
	Kind:    Kind,
	Summary: "A set of toplevel Spack packages that are concretized together: one Spack environment, one lock.",
	Doc: `` + "`esd lock`" + ` lets Spack concretize the specs, without reuse of what happens to be in a cache, and keeps the result, as
Spack wrote it, in ` + "`locks/NAME.spack.lock`" + ` (for an instance, ` + "`locks/NAME-KEY.spack.lock`" + `) beside the configuration. Commit it. Every plan works from
that file, needs no Spack, and refuses one that does not fit the specs and the configuration any more.

Concrete packages have addresses of their own, ` + "`environment.NAME/zlib-ng@2.2.1/abcdefg`" + `, by which they can be selected,
explained and replaced. What a build cache has is used; a package that is in none is built, one concrete package a step, in a
store of its own below ` + "`.esd`" + `, and stored in the build caches at once. A package that comes from a cache brings no build dependencies in.`,
	Example: `environment "sim" {
  spack  = spack.v1
  specs  = ["nest@3.8 +mpi", "neuron", "py-numpy"]
  config = { packages = { all = { require = "target=x86_64_v3" } } }
  caches = [cache.buildcache.shared, cache.sources.mirror]

  package "py-torch" {
    resources {
      cpus            = 8
      memory_per_core = "4GiB"
    }
  }
}`,
	Attributes: []schema.Attribute{
		{Name: "specs", Type: cty.List(cty.String), Check: checkSpecs, Doc: "The toplevel packages, in Spack's syntax."},
		{Name: "from", Type: cty.String, Check: schema.CheckPath, Doc: "A `spack.yaml`, or the directory of one, to take as it is, in place of `specs`. A path relative to the module."},
		{Name: "config", Type: cty.DynamicPseudoType, Check: checkConfig, Doc: "Spack's configuration, section by section: `packages`, `concretizer`, `compilers`, `toolchains`, …"},
		{Name: "spack", Type: cty.DynamicPseudoType, References: []string{instance.KindName}, Doc: "The Spack that concretizes and builds. The default is the `spack` of `PATH`."},
		{Name: "caches", Type: cty.DynamicPseudoType, References: []string{cache.BuildcacheKind, cache.SourcesKind},
			Doc: "Build caches, in the order in which they are asked, and source mirrors. If no build cache takes what is built, `.esd/buildcache` beside the configuration does."},
		{Name: "quarantine", Type: cty.DynamicPseudoType, References: []string{cache.BuildcacheKind},
			Doc: "A build cache that gets what is built in place of the others; `esd promote` copies it to them when the checks of a target have passed."},
		{Name: "root", Type: cty.String, Default: cty.StringVal(DefaultRoot), Check: checkRoot,
			Doc: "The install tree in deployments: where the packages stand in images."},
		{Name: "projection", Type: cty.String, Check: checkProjection,
			Doc: "The directory of a package below the root, in Spack's format syntax. The default is that of the Spack that wrote the lock."},
		{Name: "padded_length", Type: cty.Number, Default: cty.NumberIntVal(defaultPadding), Check: checkPadding,
			Doc: "The length of the path of the store in which packages are built. Packages can be installed below any path that is not longer."},
		{Name: "network", Type: cty.Bool, Doc: "Whether builds may use the network. The default is `true`, but `false` with a `cache \"sources\"`."},
		{Name: "build_directory", Type: cty.String, Check: checkRoot, Doc: "Where to build: a fast local file system, such as `/dev/shm`."},
	},
	Blocks: []schema.Nested{
		resources,
		{Name: "package", Label: "a package, or a spec that matches concrete ones", Nesting: schema.Map, Block: schema.Block{
			Summary: "Settings for the packages that match a spec.",
			Blocks:  []schema.Nested{resources},
		}},
	},
	Exports: []schema.Export{
		{Name: "name", Type: cty.String, Doc: "The name of the environment."},
		{Name: "key", Type: cty.String, Doc: "The content key."},
		{Name: "packages", Type: cty.Map(cty.String), Doc: "Where the packages that were asked for stand in deployments, by name."},
	},
	Repeats: true,
}

func checkSpecs(v cty.Value) error {
	if v.LengthInt() == 0 {
		return errors.New("an environment has at least one spec")
	}
	seen := map[string]bool{}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		switch {
		case e.IsNull():
			return errors.New("a spec is null")
		case strings.TrimSpace(e.AsString()) == "":
			return errors.New("a spec is empty")
		case strings.ContainsAny(e.AsString(), "\n\r\x00|"):
			return fmt.Errorf("%q is not a spec: it has a line break, a NUL or a |", e.AsString())
		case seen[e.AsString()]:
			return fmt.Errorf("%q is listed twice", e.AsString())
		}
		if err := checkSpec(e.AsString()); err != nil {
			return fmt.Errorf("%q is not a spec: %w", e.AsString(), err)
		}
		seen[e.AsString()] = true
	}
	return nil
}

// checkConfig refuses sections that Spack does not know.
func checkConfig(v cty.Value) error {
	if t := v.Type(); !t.IsObjectType() && !t.IsMapType() {
		return errors.New("it is an object with a member for each section, as in { packages = { … } }")
	}
	known := manifest.KnownSections()
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		// Spack's own marks: the section takes the place of what other files say
		// of it (:), or goes before (+) or behind it (-).
		name := strings.TrimRight(key.AsString(), ":+-")
		if slices.Contains(known, name) {
			if err := checkNoSecrets(value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			continue
		}
		if near := nearest(name, known); near != "" {
			return fmt.Errorf("there is no section %q in the configuration of Spack; did you mean %q?", key.AsString(), near)
		}
		return fmt.Errorf("there is no section %q in the configuration of Spack; it has %s", key.AsString(), strings.Join(known, ", "))
	}
	return nil
}

// nearest is the name that was probably meant; empty if none is near.
func nearest(name string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := levenshtein.Distance(strings.ToLower(name), k, nil); d < distance {
			best, distance = k, d
		}
	}
	return best
}

func checkRoot(v cty.Value) error {
	if s := v.AsString(); !cleanAbsolute(s) {
		return fmt.Errorf("%q is not fit for a directory: give an absolute path without . or .. or special characters, such as %s", s, DefaultRoot)
	}
	return nil
}

func checkProjection(v cty.Value) error {
	return spack.Projection(v.AsString()).Check()
}

func checkPadding(v cty.Value) error {
	if n, acc := v.AsBigFloat().Int64(); acc != 0 || n != 0 && (n < 64 || n > 1024) {
		return errors.New("the length of a padded path is a whole number from 64 to 1024, or 0 for no padding")
	}
	return nil
}

func checkCPUs(v cty.Value) error {
	if n, acc := v.AsBigFloat().Int64(); acc != 0 || n < 1 || n > 4096 {
		return errors.New("the number of processors is a whole number from 1 to 4096")
	}
	return nil
}
