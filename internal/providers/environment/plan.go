package environment

import (
	"encoding/json"
	"fmt"
	"slices"

	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/providers/executor"
	instance "esd/internal/providers/spack"
	"esd/internal/spack"
)

// The operations on a package, and on an environment.
const (
	opBuild   = "build"
	opInstall = "fetch" // from a cache into the store, for builds
	opPush    = "push"
	opRecord  = "complete"
)

// OpSources is the operation that brings sources into a mirror.
const OpSources = "sources"

// stepSpec is all that a step needs to know. What a package is made of stands in
// the lock, which is named by its digest.
type stepSpec struct {
	Name     string             `json:"name"`
	Version  string             `json:"version"`
	Hash     spack.Hash         `json:"hash"`
	Lock     lockRef            `json:"lock"`
	Store    storeRef           `json:"store"`
	Root     string             `json:"root,omitempty"` // the install tree in deployments
	Read     []cache.Buildcache `json:"read,omitempty"`
	Write    []cache.Buildcache `json:"write,omitempty"`
	Spack    instance.Instance  `json:"spack,omitzero"`
	Config   json.RawMessage    `json:"config,omitempty"`
	Sources  []cache.Sources    `json:"sources,omitempty"`
	Network  bool               `json:"network,omitempty"`
	BuildDir string             `json:"build_directory,omitempty"`
	Sandbox  string             `json:"sandbox,omitempty"`
	Replace  bool               `json:"replace,omitempty"`
	// Replaced are the URLs of caches that have an entry that is of no use and
	// gives way.
	Replaced []string `json:"replaced,omitempty"`
}

// replaces tells whether what a cache has of the package gives way.
func (st stepSpec) replaces(c cache.Buildcache) bool {
	return st.Replace || slices.Contains(st.Replaced, c.URL)
}

// lockRef names a spack.lock by path and content.
type lockRef struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
}

// Plan gives the one step of an environment: when all its packages are in their
// caches, it is recorded.
func (p *Provider) Plan(req providers.PlanRequest) (providers.Planned, error) {
	e := req.Object.Spec.(*env)
	st, err := json.Marshal(stepSpec{Lock: lockRef{e.lockPath, e.sha256}, Write: e.writable()})
	step := providers.Step{
		Op: opRecord, Title: "complete " + req.Object.Title, Provides: []providers.Form{providers.Cached}, Completes: true, Spec: st,
	}
	for _, a := range e.runs {
		step.Needs = append(step.Needs, providers.Need{Address: a, Form: providers.Archive})
	}
	return providers.Planned{Steps: []providers.Step{step}}, err
}

// Plan gives the steps of a package. One that a cache has is fetched if a build
// needs it here, and brought to the caches that should have it; one that stands
// here only is stored; others are built, when their sources are there.
func (p *Packages) Plan(req providers.PlanRequest) (providers.Planned, error) {
	k := req.Object.Spec.(*pkg)
	f, _ := req.Observed.Data.(found)
	st := p.stepSpec(k, req)
	st.Replaced = f.replaced
	var steps []providers.Step
	var err error
	add := func(step providers.Step, st stepSpec) {
		step.History = step.Op + " " + k.spec.Name
		if step.Spec, err = json.Marshal(st); err == nil {
			steps = append(steps, step)
		}
	}
	switch {
	case req.Replace || f.cache == nil && !f.installed, f.stuck && req.Demands(providers.Installed):
		build := p.planBuild(k, st)
		if takesSources(k.env.sources) {
			add(p.planSources(k), st)
			build.After = []string{OpSources}
		}
		add(build, st)
	case f.cache == nil:
		add(planPush(k, f, notStored), st)
	default:
		if req.Demands(providers.Installed) {
			add(planInstall(k, f), st)
		}
		if req.Demands(providers.Archive) && err == nil {
			add(planPush(k, f, req.Observed.Problem), st)
		}
	}
	return providers.Planned{Steps: steps}, err
}

func (p *shared) stepSpec(k *pkg, req providers.PlanRequest) stepSpec {
	e := k.env
	st := stepSpec{
		Name: k.spec.Name, Version: k.spec.Version, Hash: k.spec.Hash, Lock: lockRef{e.lockPath, e.sha256}, Root: e.root,
		Store: p.storeOf(e), Read: e.readable(), Write: e.writable(), Spack: e.instance,
		Config: e.config, Sources: e.sources, Network: e.network, BuildDir: e.buildDirectory, Sandbox: p.opts.Sandbox, Replace: req.Replace,
	}
	if st.Sandbox == "" {
		st.Sandbox = executor.Of(req.Settings).Sandbox
	}
	return st
}

func (p *Packages) planBuild(k *pkg, st stepSpec) providers.Step {
	step := providers.Step{
		Op: opBuild, Title: "build " + k.spec.Name + " " + k.spec.Version, Resources: k.resources,
		Provides: []providers.Form{providers.Archive, providers.Installed},
	}
	for _, a := range k.runDeps {
		step.Needs = append(step.Needs, providers.Need{Address: a, Form: providers.Installed})
	}
	for _, a := range k.buildDeps {
		step.Needs = append(step.Needs, providers.Need{Address: a, Form: providers.Installed})
	}
	if st.Network {
		step.Download = -1
	}
	for _, c := range st.Write {
		if c.Remote() {
			step.Upload = -1
		}
	}
	return step
}

func (p *Packages) planSources(k *pkg) providers.Step {
	step := providers.Step{
		Op: OpSources, Title: "fetch sources of " + k.spec.Name + " " + k.spec.Version, Provides: []providers.Form{Sources}, Download: -1,
	}
	for _, s := range k.env.sources {
		if s.Push && s.Directory() == "" {
			step.Upload = -1
		}
	}
	return step
}

// Sources is the form of a package of which all sources are in a mirror.
const Sources providers.Form = "sources"

func planInstall(k *pkg, f found) providers.Step {
	step := providers.Step{
		Op: opInstall, Title: "fetch " + k.spec.Name + " " + k.spec.Version, Provides: []providers.Form{providers.Installed},
		Reason: "needed to build what needs it",
	}
	for _, a := range k.runDeps {
		step.Needs = append(step.Needs, providers.Need{Address: a, Form: providers.Installed})
	}
	if f.cache.Remote() {
		step.Download = f.entry.Archive.Size
	}
	return step
}

func planPush(k *pkg, f found, why string) providers.Step {
	step := providers.Step{
		Op: opPush, Title: fmt.Sprintf("push %s %s", k.spec.Name, k.spec.Version), Provides: []providers.Form{providers.Archive}, Reason: why,
	}
	if f.cache == nil {
		step.Upload, step.Provides = -1, append(step.Provides, providers.Installed)
		return step
	}
	if f.cache.Remote() {
		step.Download = f.entry.Archive.Size
	}
	for _, c := range f.lacks {
		if c.Remote() {
			step.Upload += f.entry.Archive.Size
		}
	}
	return step
}
