package filesystem

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"esd/internal/providers"
	"esd/internal/providers/environment"
	"esd/internal/spack"
	"esd/internal/spack/binary"
	"esd/internal/spack/store"
)

// The operations on a tree.
const (
	opInstall = "install"
	opRemove  = "remove" // what is no longer part of it
	opLeave   = "leave"  // an earlier path
	opDestroy = "destroy"
)

// defaultJobs is how many packages are installed at the same time, where so
// many processors are free: beyond, it is the disk that takes its time.
const defaultJobs = 16

// stepSpec is all that a step needs to know. What packages are made of stands in
// the locks, which are named by their digests.
type stepSpec struct {
	Target       string                    `json:"target"`
	Tree         treeRef                   `json:"tree"`
	Environments []environment.Environment `json:"environments,omitempty"`
	Members      []memberRef               `json:"members,omitempty"`
	// Again has the members that are there and were installed by the target
	// installed anew.
	Again bool `json:"again,omitempty"`
	// Remove are the packages that go.
	Remove []spack.Hash `json:"remove,omitempty"`
	// Keep are packages that another target takes over.
	Keep []spack.Hash `json:"keep,omitempty"`
	Jobs int          `json:"jobs,omitempty"`
}

// memberRef is one member.
type memberRef struct {
	Hash  spack.Hash `json:"hash"`
	Asked bool       `json:"asked,omitempty"`
	// Environment is the place in the list of environments of one that has it.
	Environment int `json:"environment,omitempty"`
}

// Plan gives the step that installs what is missing, and those that remove what
// is no longer wanted.
func (p *Provider) Plan(req providers.PlanRequest) (providers.Planned, error) {
	s := req.Object.Spec.(*spec)
	found, looked := req.Observed.Data.(seen)
	if !looked { // the record was trusted: installing will look
		found = seen{tree: s.tree.of(req.Prior), missing: map[spack.Hash]bool{}}
		for _, m := range s.members {
			found.missing[m.Spec.Hash] = true
		}
	}
	if err := s.refuse(req, found); err != nil {
		return providers.Planned{}, err
	}
	var out planned
	out.add(s.planInstall(req, found))
	if s.prune && len(found.gone) > 0 {
		out.add(s.planRemove(req, found))
	}
	if s.prune && found.old != "" {
		out.add(providers.Step{
			Op: opLeave, Title: "remove what was installed in " + found.old, After: []string{opInstall}, Completes: true,
		}, stepSpec{Tree: treeRef{Path: found.old, Owner: req.Prior.Attributes.String("owner")}})
	}
	return providers.Planned{Steps: out.steps}, out.err
}

// Reuse lets a step that was to install everything anew install what is missing.
func (p *Provider) Reuse(_ string, spec json.RawMessage) (json.RawMessage, error) {
	var st stepSpec
	if err := json.Unmarshal(spec, &st); err != nil || !st.Again {
		return spec, err
	}
	st.Again = false
	return json.Marshal(st)
}

// planned collects steps.
type planned struct {
	steps []providers.Step
	err   error
}

func (p *planned) add(step providers.Step, spec stepSpec) {
	data, err := json.Marshal(spec)
	if err != nil && p.err == nil {
		p.err = err
	}
	step.Spec = data
	p.steps = append(p.steps, step)
}

func (s *spec) planInstall(req providers.PlanRequest, found seen) (providers.Step, stepSpec) {
	step := providers.Step{
		Op: opInstall, Provides: []providers.Form{providers.Published}, Completes: true,
		Resources: providers.Resources{CPUs: defaultJobs},
	}
	if s.jobs > 0 {
		step.Resources.CPUs = s.jobs
	}
	st := stepSpec{Target: req.Object.Address.String(), Tree: found.tree, Environments: s.environments, Again: req.Replace, Jobs: s.jobs}
	n := 0
	for _, m := range s.members {
		st.Members = append(st.Members, memberRef{m.Spec.Hash, m.Asked, m.environment})
		if !found.missing[m.Spec.Hash] && !req.Replace {
			continue
		}
		n++
		step.Needs = append(step.Needs, providers.Need{Address: m.Address, Form: providers.Archive})
		step.Download = s.download(req, m, step.Download)
	}
	step.Title = fmt.Sprintf("install %s into %s", packages(n, "", ""), s.tree.Path)
	if n == 0 {
		step.Title = "note what was asked for in " + s.tree.Path
	}
	step.Title += beside(found.others)
	return step, st
}

// download adds the size of the archive of a package; the sum is unknown with
// one that is still to be built and comes from a distant cache.
func (s *spec) download(req providers.PlanRequest, m member, sum int64) int64 {
	obs, asked := req.Observation(m.Address)
	entry, cached := environment.EntryOf(obs)
	switch {
	case sum < 0:
		return sum
	case asked && cached && entry.Cache.Remote():
		return sum + entry.Size
	case asked && cached:
		return sum
	}
	for _, c := range s.environments[m.environment].Caches {
		if c.Remote() {
			return -1
		}
	}
	return sum
}

func (s *spec) planRemove(req providers.PlanRequest, found seen) (providers.Step, stepSpec) {
	st := stepSpec{Target: req.Object.Address.String(), Tree: found.tree}
	for _, m := range s.members {
		st.Members = append(st.Members, memberRef{m.Spec.Hash, m.Asked, m.environment})
	}
	for _, spec := range found.gone {
		st.Remove = append(st.Remove, spec.Hash)
	}
	slices.Sort(st.Remove)
	return providers.Step{
		Op: opRemove, Title: fmt.Sprintf("remove %s from %s", packages(len(found.gone), "", ""), s.tree.Path), After: []string{opInstall},
		Completes: true, Reason: names(found.gone, "is", "are") + " no longer part of it",
	}, st
}

// refuse says why the tree cannot be made as it is wanted.
func (s *spec) refuse(req providers.PlanRequest, found seen) error {
	switch {
	case found.standing == other:
		return obstacle(s.tree.Path, found.what)
	case found.version == store.Version7 && s.tree.DatabaseVersion == store.Version8:
		return fmt.Errorf("the install tree %s is of Spack 0.23 or older, and packages of Spack 1.x cannot be recorded in it: "+
			"give another path, or run `spack reindex` there with Spack 1.x", s.tree.Path)
	}
	var elsewhere, long []string
	for _, m := range s.members {
		if at, ok := found.elsewhere[m.Spec.Hash]; ok {
			elsewhere = append(elsewhere, fmt.Sprintf("%s %s is at %s and should be at %s", m.Spec.Name, m.Spec.Version, at, m.prefix))
		}
		if !found.missing[m.Spec.Hash] && !req.Replace {
			continue
		}
		obs, _ := req.Observation(m.Address)
		if entry, ok := environment.EntryOf(obs); ok && entry.Prefix != "" && binary.Relocatable(entry.Prefix, m.prefix) == binary.FitsWithoutStrings {
			long = append(long, fmt.Sprintf("%s %s was built at %s (%d characters) and would stand at %s (%d)",
				m.Spec.Name, m.Spec.Version, entry.Prefix, len(entry.Prefix), m.prefix, len(m.prefix)))
		}
	}
	switch {
	case len(elsewhere) > 0:
		return fmt.Errorf("the install tree %s has another projection than its environments:\n  %s\n"+
			"Set the projection of the environments to that of the tree, or give another path", s.tree.Path, first(elsewhere))
	case len(long) > 0:
		return fmt.Errorf("%s cannot be installed in %s, because paths in programs can be made shorter, but not longer:\n  %s\n"+
			"Give a shorter path, or set padded_length in the environment and build the packages anew (--replace)",
			packages(len(long), "", ""), s.tree.Path, first(long))
	}
	return nil
}

// maxListed is how many packages an error lists.
const maxListed = 10

func first(list []string) string {
	if more := len(list) - maxListed; more > 1 {
		list = append(slices.Clone(list[:maxListed]), fmt.Sprintf("and %d more", more))
	}
	return strings.Join(list, "\n  ")
}

// PlanDestroy removes what the target installed, but for what another target
// at the same path has now.
func (p *Provider) PlanDestroy(req providers.DestroyRequest) ([]providers.Step, error) {
	path, owner := req.Recorded.Attributes.String("path"), req.Recorded.Attributes.String("owner")
	if path == "" || !validOwner(owner) {
		return nil, nil
	}
	st := stepSpec{Target: req.Address.String(), Tree: treeRef{Path: path, Owner: owner}}
	for _, o := range req.Kept {
		if s := o.Spec.(*spec); s.tree.Path == path {
			st.Keep = append(st.Keep, hashesOf(s.members)...)
		}
	}
	data, err := json.Marshal(st)
	return []providers.Step{{Op: opDestroy, Title: "remove what was installed in " + path, Completes: true, Spec: data}}, err
}
