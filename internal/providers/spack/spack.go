// Package spack is the block `spack`: which Spack concretizes and builds. It
// has nothing to plan, and no Spack is needed to plan with it: one is fetched
// or looked for only when something must be locked or built.
package spack

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/providers"
	"esd/internal/schema"
)

// KindName is the kind of the block.
const KindName = "spack"

// Instance is what one block says, and what a step carries of it.
type Instance struct {
	Name string `json:"name,omitempty"`
	// Path is the root of a Spack that is there already; empty with Repository.
	// Both are empty for the `spack` of PATH.
	Path       string `json:"path,omitempty"`
	Repository string `json:"repository,omitempty"`
	Commit     string `json:"commit,omitempty"`
	// Packages are the package repositories, sorted by name.
	Packages []PackageRepository `json:"packages,omitempty"`
	// Python is the interpreter that runs Spack; empty for Spack's choice.
	Python string `json:"python,omitempty"`
	// Env are variables for Spack beside the few that it always gets.
	Env map[string]string `json:"env,omitempty"`
}

// PackageRepository is a repository of recipes: a directory, or a git
// repository at a commit.
type PackageRepository struct {
	Name       string `json:"name"`
	Path       string `json:"path,omitempty"`
	Repository string `json:"repository,omitempty"`
	Commit     string `json:"commit,omitempty"`
	// Directory is where within a git repository the package repository is.
	Directory string `json:"directory,omitempty"`
}

// Identity is what the instance means to the result of concretizing, in a form
// to compare: commits for git, and nothing that differs between machines.
func (i Instance) Identity() string {
	parts := []string{"spack on this machine"}
	if i.Repository != "" {
		parts[0] = i.Repository + "@" + i.Commit
	}
	for _, p := range i.Packages {
		id := p.Name + "=a directory"
		if p.Repository != "" {
			id = p.Name + "=" + p.Repository + "@" + p.Commit + ":" + p.Directory
		}
		parts = append(parts, id)
	}
	return strings.Join(parts, " ")
}

// Kind implements the block.
type Kind struct{}

var _ providers.Kind = Kind{}

var blockSchema = &schema.Block{
	Kind:    KindName,
	Summary: "Which Spack concretizes environments and builds their packages.",
	Doc: "A git repository, which `esd lock` pins to a commit, or a directory. Spack 0.23 and 1.x are supported. Plans and " +
		"deployments from caches need no Spack; it is fetched into `.esd/spack` when something must be locked or built. " +
		"An environment that names no `spack` block uses the `spack` of `PATH`.",
	Example: `spack "v1" {
  repository = "https://github.com/spack/spack.git"
  ref        = "v1.0.2"

  package_repository "builtin" {
    repository = "https://github.com/spack/spack-packages.git"
    ref        = "v2025.07.0"
  }
}`,
	Attributes: []schema.Attribute{
		{Name: "repository", Type: cty.String, Check: schema.CheckRepository, Doc: "The git repository of Spack."},
		{Name: "ref", Type: cty.String, Check: schema.CheckPath, Doc: "A tag, branch or commit of it; `esd lock` pins the commit."},
		{Name: "path", Type: cty.String, Check: schema.CheckPath, Doc: "The root of a Spack that is there already, in place of `repository`."},
		{Name: "python", Type: cty.String, Doc: "The Python that runs Spack. The default is Spack's own choice."},
		{Name: "env", Type: cty.Map(cty.String), Doc: "Variables for Spack, such as `PYTHONPATH`. Of the environment of esd it gets next to nothing."},
	},
	Blocks: []schema.Nested{{Name: "package_repository", Label: "the name space", Nesting: schema.Map, Block: schema.Block{
		Summary: "A repository of recipes. Spack 1.x needs `builtin`; further ones come before it.",
		Attributes: []schema.Attribute{
			{Name: "repository", Type: cty.String, Check: schema.CheckRepository, Doc: "A git repository."},
			{Name: "ref", Type: cty.String, Check: schema.CheckPath, Doc: "A tag, branch or commit of it; `esd lock` pins the commit."},
			{Name: "directory", Type: cty.String, Doc: "Where in the git repository the recipes are. The default is `repos/spack_repo/NAME`, or the top where that does not exist."},
			{Name: "path", Type: cty.String, Check: schema.CheckPath, Doc: "A directory, relative to the module, in place of `repository`."},
		},
	}}},
}

// Schema describes the block.
func (Kind) Schema() *schema.Block { return blockSchema }

// Resolve reads the settings.
func (Kind) Resolve(_ context.Context, req providers.ResolveRequest) (*providers.Object, hcl.Diagnostics) {
	values := providers.Decode(req.Config)
	i := Instance{Name: req.Address.Name, Python: values.String("python"), Env: values.StringMap("env")}
	o := &providers.Object{
		Address: req.Address, Kind: KindName, Dependencies: req.Dependencies, Range: req.Range,
		Attributes: cty.ObjectVal(map[string]cty.Value{"address": cty.StringVal(req.Address.String()), "name": cty.StringVal(req.Address.Name)}),
	}
	source := sourceOf(req, o, values)
	i.Path, i.Repository, i.Commit = source.path, source.repository, source.commit
	diags := source.diags
	blocks := values.Blocks("package_repository")
	for _, name := range slices.Sorted(maps.Keys(blocks)) {
		s := sourceOf(req, o, blocks[name], "package_repository", name)
		diags = append(diags, s.diags...)
		i.Packages = append(i.Packages, PackageRepository{
			Name: name, Path: s.path, Repository: s.repository, Commit: s.commit, Directory: blocks[name].String("directory"),
		})
	}
	o.Spec = i
	return o, diags
}

// source is a directory or a repository at a commit.
type source struct {
	path, repository, commit string
	diags                    hcl.Diagnostics
}

func sourceOf(req providers.ResolveRequest, o *providers.Object, values providers.Values, at ...string) source {
	s := source{path: values.String("path"), repository: values.String("repository")}
	ref := values.String("ref")
	switch {
	case (s.path == "") == (s.repository == ""):
		s.diags = problem(req, "Which Spack?", "Give either path, or repository and ref.", append(at, "path")...)
	case s.repository != "" && ref == "":
		s.diags = problem(req, "Missing ref", "A git repository needs a ref: a tag, a branch or a commit.", append(at, "repository")...)
	case s.path != "":
		if !filepath.IsAbs(s.path) {
			s.path = filepath.Join(req.ModuleDir, s.path)
		}
		if abs, err := filepath.Abs(s.path); err == nil {
			s.path = abs
		}
	case isCommit(ref):
		s.commit = ref
	default:
		pin := providers.Pin{Repository: s.repository, Ref: ref}
		o.Pins = append(o.Pins, pin)
		commit, ok := req.Pins.Commit(s.repository, ref)
		if !ok {
			o.Unpinned = append(o.Unpinned, pin)
		}
		s.commit = commit
	}
	return s
}

func isCommit(ref string) bool {
	return len(ref) == 40 && strings.Trim(ref, "0123456789abcdef") == ""
}

func problem(req providers.ResolveRequest, summary, detail string, path ...string) hcl.Diagnostics {
	rng := req.AttributeRange(path...)
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &rng}}
}
