// Package executor is the block `executor`: what a machine lets steps occupy.
// It has nothing to plan; it sets the defaults of a run.
package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/providers"
	"esd/internal/schema"
)

// KindName is the kind of the block.
const KindName = "executor"

// Settings is what an executor block says. Zero values are for esd to choose.
type Settings struct {
	CPUs    int
	Memory  int64 // bytes
	Sandbox string
}

// Kind implements the block.
type Kind struct{}

var _ providers.Kind = Kind{}

var blockSchema = &schema.Block{
	Kind:    KindName,
	Summary: "Where steps run, and what they may occupy there.",
	Doc: "This version runs steps on the machine that esd runs on: the executor named `local`. Its settings are the defaults of " +
		"`--jobs`, `--memory` and `--sandbox`.",
	Example: `executor "local" {
  cpus   = 16
  memory = "48GiB"
}`,
	Attributes: []schema.Attribute{
		{Name: "cpus", Type: cty.Number, Check: checkCPUs, Doc: "How many processors all steps together may occupy. The default is all of the machine."},
		{Name: "memory", Type: cty.String, Check: schema.CheckSize, Doc: "How much memory all steps together may occupy, as far as they say what they need. The default is no limit."},
		{Name: "sandbox", Type: cty.String, Check: checkSandbox, Doc: "How builds are kept apart from the machine: `namespace` or `none`. The default is the best that there is; `esd doctor` tells."},
	},
}

func checkCPUs(v cty.Value) error {
	f := v.AsBigFloat()
	if n, _ := f.Int64(); !f.IsInt() || n < 1 || n > 1<<16 {
		return errors.New("the number of processors is a whole number of at least 1")
	}
	return nil
}

func checkSandbox(v cty.Value) error {
	if s := v.AsString(); s != "namespace" && s != "none" {
		return fmt.Errorf("%q is not a sandbox; namespace and none are", s)
	}
	return nil
}

// Schema describes the block.
func (Kind) Schema() *schema.Block { return blockSchema }

// Resolve reads the settings.
func (Kind) Resolve(_ context.Context, req providers.ResolveRequest) (*providers.Object, hcl.Diagnostics) {
	values := providers.Decode(req.Config)
	s := Settings{CPUs: values.Int("cpus"), Sandbox: values.String("sandbox")}
	if values.IsSet("memory") {
		s.Memory, _ = schema.ParseSize(values.String("memory")) // checked by the schema
	}
	o := &providers.Object{
		Address: req.Address, Kind: KindName, Dependencies: req.Dependencies, Range: req.Range, Spec: s,
		Attributes: cty.ObjectVal(map[string]cty.Value{
			"address": cty.StringVal(req.Address.String()), "name": cty.StringVal(req.Address.Name),
			"cpus": req.Config.GetAttr("cpus"), "memory": req.Config.GetAttr("memory"),
		}),
	}
	if req.Address.Name != "local" || req.Address.Module != "" {
		rng := req.Range
		return o, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Unknown executor", Subject: &rng,
			Detail: fmt.Sprintf("%s: this version of esd runs steps on this machine only, so the one executor is named \"local\" and stands in the root module.", req.Address),
		}}
	}
	return o, nil
}

// Of gives the settings of the executor of a configuration; zero without one.
func Of(settings providers.Setting) Settings {
	for _, o := range settings.ByKind(KindName) {
		return o.Spec.(Settings)
	}
	return Settings{}
}
