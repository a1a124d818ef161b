package recipe

import (
	"encoding/json"

	"esd/internal/artifact"
	"esd/internal/providers/cache"
)

// The operations on a package.
const (
	opBuild = "build"
	opFetch = "fetch"
	opPush  = "push"
)

// stepSpec is all that a step needs to know.
type stepSpec struct {
	Name    string            `json:"name"`
	Version string            `json:"version"`
	Root    string            `json:"root"`
	Base    string            `json:"base"` // the prefix is Root/Base
	Needs   []need            `json:"needs,omitempty"`
	Caches  []cache.Settings  `json:"caches"`
	Replace bool              `json:"replace,omitempty"`
	Sandbox string            `json:"sandbox,omitempty"`
	Script  string            `json:"script,omitempty"`
	Env     map[string]string `json:"env,omitempty"`
	Network bool              `json:"network,omitempty"`
	// Platform is what the product is good for.
	Platform string           `json:"platform,omitempty"`
	Source   source           `json:"source,omitzero"`
	Inputs   []artifact.Input `json:"inputs,omitempty"`
}

// need is a package that a build finds installed.
type need struct {
	Variable  string `json:"variable"`
	Base      string `json:"base"`
	Key       string `json:"key"`
	BuildOnly bool   `json:"build_only,omitempty"`
}

// sourceDateEpoch is the time that builds and archives carry: 1980-01-01, the
// first that zip files can hold.
const sourceDateEpoch = 315532800

// Reuse lets a step that was to build anew take what was built since.
func (p *Provider) Reuse(_ string, spec json.RawMessage) (json.RawMessage, error) {
	var st stepSpec
	if err := json.Unmarshal(spec, &st); err != nil || !st.Replace {
		return spec, err
	}
	st.Replace = false
	return json.Marshal(st)
}
