// Package site is the block `site`: what is known of one place (a cluster, a
// laptop, a registry's neighbourhood), kept apart from what is deployed there.
// It has nothing to plan; other blocks refer to its attributes.
package site

import (
	"context"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/providers"
	"esd/internal/schema"
)

// KindName is the kind of the block.
const KindName = "site"

// Kind implements the block.
type Kind struct{}

var _ providers.Kind = Kind{}

var blockSchema = &schema.Block{
	Kind:    KindName,
	Summary: "What is known of one place, kept apart from what is deployed there.",
	Doc: "Expert knowledge of one place: its processors, what is installed there, where to build. The attributes mean nothing " +
		"to esd by themselves; other blocks refer to them, so that the same definitions serve several places.",
	Example: `site "jusuf" {
  microarchitecture = "zen2"
  build_directory   = "/dev/shm"
  mpi               = { strategy = "bind", provider = "openmpi" }
}`,
	Attributes: []schema.Attribute{
		{Name: "microarchitecture", Type: cty.String, Doc: "The processors, as Spack names them: `zen2`."},
		{Name: "externals", Type: cty.String, Doc: "What is installed there, as the text of a `packages.yaml`."},
		{Name: "build_directory", Type: cty.String, Doc: "Where to build: a fast local file system."},
		{Name: "mpi", Type: cty.DynamicPseudoType, Doc: "How MPI is provided."},
		{Name: "properties", Type: cty.DynamicPseudoType, Doc: "Anything else that definitions want to know."},
	},
	Repeats: true,
}

// Schema describes the block.
func (Kind) Schema() *schema.Block { return blockSchema }

// Resolve offers the attributes to other blocks.
func (Kind) Resolve(_ context.Context, req providers.ResolveRequest) (*providers.Object, hcl.Diagnostics) {
	values := map[string]cty.Value{"address": cty.StringVal(req.Address.String()), "name": cty.StringVal(req.Address.Name)}
	for _, a := range blockSchema.Attributes {
		values[a.Name] = req.Config.GetAttr(a.Name)
	}
	return &providers.Object{
		Address: req.Address, Kind: KindName, Dependencies: req.Dependencies, Range: req.Range, Attributes: cty.ObjectVal(values),
	}, nil
}
