// Package recipe is the block `recipe`: a package that esd builds from a
// script, at a prefix that is the same everywhere, in a sandbox where the
// machine has one. Its product goes to the caches as an archive that is an
// image layer already.
package recipe

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"esd/internal/addr"
	"esd/internal/archive"
	"esd/internal/artifact"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/providers/executor"
	"esd/internal/schema"
)

// Options is what the provider needs of its surroundings.
type Options struct {
	// WorkDir is the directory of working data (`.esd`), absolute.
	WorkDir string
	// Caches opens caches.
	Caches *cache.Opener
	// Platform is what is built on this machine: linux/amd64/debian-12.
	Platform string
	// Sandbox is the level of encapsulation that is asked for; empty for the
	// best that there is.
	Sandbox string
}

// Provider builds recipes.
type Provider struct {
	opts  Options
	store *store

	mu    sync.Mutex
	trees map[string]archive.Tree // by directory
}

var (
	_ providers.Provider = (*Provider)(nil)
	_ providers.Reuser   = (*Provider)(nil)
)

// New gives the provider.
func New(opts Options) *Provider {
	return &Provider{opts: opts, trees: map[string]archive.Tree{}, store: &store{workDir: opts.WorkDir}}
}

// Schema describes the block.
func (p *Provider) Schema() *schema.Block { return blockSchema }

// DefaultForm is a product in a cache.
func (p *Provider) DefaultForm() providers.Form { return providers.Archive }

// hashTree reads a source directory once, however many recipes use it.
func (p *Provider) hashTree(ctx context.Context, dir string) (archive.Tree, error) {
	p.mu.Lock()
	tree, known := p.trees[dir]
	p.mu.Unlock()
	if known {
		return tree, nil
	}
	tree, err := archive.HashTree(ctx, dir, archive.HashOptions{})
	if err != nil {
		return tree, err
	}
	p.mu.Lock()
	p.trees[dir] = tree
	p.mu.Unlock()
	return tree, nil
}

// found is what Observe tells Plan.
type found struct {
	record artifact.Record
	cache  cache.Settings
	lacks  []cache.Settings // which take products and have it not
}

// ArchiveOf reads from an observation which archive a package has in a cache.
func ArchiveOf(obs providers.Observation) (digest string, size int64, ok bool) {
	f, ok := obs.Data.(found)
	return string(f.record.Archive.Digest), f.record.Archive.Size, ok
}

// caches are those that serve the configuration.
func (p *Provider) caches(settings providers.Setting) []cache.Settings {
	return cache.Of(settings, filepath.Join(p.opts.WorkDir, "cache"))
}

// sandbox is how builds are to be kept apart: as asked on the command line,
// else as the executor says.
func (p *Provider) sandbox(settings providers.Setting) string {
	return cmp.Or(p.opts.Sandbox, executor.Of(settings).Sandbox)
}

// Observe asks the caches for all products at once: those that take products
// for all of them, others only for what no cache before them has. Then, if
// anything must be built, it looks which packages stand unpacked here.
func (p *Provider) Observe(ctx context.Context, req providers.ObserveRequest) (map[addr.Address]providers.Observation, error) {
	out := make(map[addr.Address]providers.Observation, len(req.Objects))
	lacks := map[addr.Address][]cache.Settings{}
	missing := req.Objects
	for _, settings := range p.caches(req.Settings) {
		ask := missing
		if settings.Push {
			ask = req.Objects
		}
		if len(ask) == 0 {
			continue
		}
		records, err := p.lookUp(ctx, settings, ask)
		if err != nil {
			return nil, err
		}
		missing = missing[:0:0]
		for _, o := range req.Objects {
			record, has := records[o.Key]
			_, known := out[o.Address]
			switch {
			case has && !known:
				out[o.Address] = observation(o, record, settings)
			case !has && !known:
				missing = append(missing, o)
			}
			if !has && settings.Push {
				lacks[o.Address] = append(lacks[o.Address], settings)
			}
		}
	}
	for a, obs := range out {
		if len(lacks[a]) > 0 {
			out[a] = lacking(obs, lacks[a])
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	if err := p.observeInstalled(ctx, req, out); err != nil {
		return out, err
	}
	return out, p.explainUnused(ctx, req.Settings, missing, out)
}

// explainUnused says of what no cache has that the directory has it which serves
// where there is no cache block: what was built before there was one.
func (p *Provider) explainUnused(ctx context.Context, settings providers.Setting, missing []*providers.Object, out map[addr.Address]providers.Observation) error {
	unused := cache.Settings{Name: "default", URL: filepath.Join(p.opts.WorkDir, "cache")}
	var names []string
	for _, s := range p.caches(settings) {
		if s.URL == unused.URL {
			return nil
		}
		names = append(names, s.Name)
	}
	if _, err := os.Stat(unused.URL); err != nil {
		return nil // nothing was built without a cache block
	}
	records, err := p.lookUp(ctx, unused, missing)
	if err != nil {
		return err
	}
	for _, o := range missing {
		if _, has := records[o.Key]; has {
			obs := out[o.Address]
			obs.Problem = fmt.Sprintf("not in cache %s; .esd/cache has it, but is used only without a cache block", strings.Join(names, ", "))
			out[o.Address] = obs
		}
	}
	return nil
}

// lacking is the observation of a product that some cache should have and has
// not: its archive is not where it is wanted.
func lacking(obs providers.Observation, caches []cache.Settings) providers.Observation {
	f := obs.Data.(found)
	f.lacks = caches
	obs.Data, obs.NotDrift = f, true
	obs.Problem = fmt.Sprintf("is in cache %s, but not in cache %s yet", f.cache.Name, caches[0].Name)
	delete(obs.Forms, providers.Archive)
	return obs
}

func (p *Provider) lookUp(ctx context.Context, settings cache.Settings, objects []*providers.Object) (map[string]artifact.Record, error) {
	c, err := p.opts.Caches.Open(ctx, settings)
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(objects))
	for i, o := range objects {
		keys[i] = o.Key
	}
	records, err := c.Has(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("cache %q (%s): %w", settings.Name, settings.URL, err)
	}
	return records, nil
}

func observation(o *providers.Object, record artifact.Record, settings cache.Settings) providers.Observation {
	return providers.Observation{
		Exists: true, Key: o.Key, Data: found{record: record, cache: settings},
		Forms:      map[providers.Form]string{providers.Archive: "cache " + settings.Name},
		Attributes: attributes(o.Spec.(*spec), record),
	}
}

// attributes is what is recorded of a product.
func attributes(s *spec, record artifact.Record) map[string]any {
	return map[string]any{
		"prefix": s.prefix(), "version": s.version,
		"digest": string(record.Archive.Digest), "size": record.Archive.Size,
	}
}

// observeInstalled adds the form Installed to the packages that are unpacked
// here together with all that they need.
func (p *Provider) observeInstalled(ctx context.Context, req providers.ObserveRequest, out map[addr.Address]providers.Observation) error {
	installed, err := p.store.list(ctx, p.sandbox(req.Settings), req.Objects)
	if err != nil {
		return err
	}
	whole := make(map[addr.Address]bool, len(req.Objects))
	for _, o := range req.Objects { // dependencies stand before
		s := o.Spec.(*spec)
		obs, cached := out[o.Address]
		if !cached || !installed[s.base] {
			continue
		}
		whole[o.Address] = !slices.ContainsFunc(s.needs, func(a addr.Address) bool { return !whole[a] })
		if whole[o.Address] {
			obs.Forms[providers.Installed] = "this machine"
		}
	}
	return nil
}

// Plan gives the steps that a package needs: building it; or, where a cache has
// it, fetching it for builds and bringing it to the caches that lack it.
func (p *Provider) Plan(req providers.PlanRequest) (providers.Planned, error) {
	s := req.Object.Spec.(*spec)
	st := stepSpec{
		Name: s.name, Version: s.version, Root: s.root, Base: s.base,
		Caches: p.caches(req.Settings), Replace: req.Replace, Sandbox: p.sandbox(req.Settings),
	}
	var needs []providers.Need
	for _, a := range s.needs {
		st.Needs = append(st.Needs, needOf(req.Lookup(a)))
		needs = append(needs, providers.Need{Address: a, Form: providers.Installed})
	}
	f, cached := req.Observed.Data.(found)
	_, archived := req.Observed.Forms[providers.Archive]
	var steps []providers.Step
	add := func(step providers.Step) error {
		step.Completes = true
		var err error
		step.Spec, err = json.Marshal(st)
		steps = append(steps, step)
		return err
	}
	if (!cached && !archived) || req.Replace {
		err := add(p.planBuild(&st, req, s, needs))
		return providers.Planned{Steps: steps}, err
	}
	var err error
	if req.Demands(providers.Installed) {
		err = add(planFetch(st, f, needs))
	}
	if req.Demands(providers.Archive) && err == nil {
		err = add(planPush(st, f, req.Observed.Problem))
	}
	return providers.Planned{Steps: steps}, err
}

func needOf(o *providers.Object) need {
	s := o.Spec.(*spec)
	return need{Variable: variableName(o.Address.Name), Base: s.base, Key: o.Key}
}

func planFetch(st stepSpec, f found, needs []providers.Need) providers.Step {
	step := providers.Step{
		Op: opFetch, Title: "fetch " + st.Name + " " + st.Version, Needs: needs,
		Provides: []providers.Form{providers.Installed}, Reason: "needed to build what needs it",
	}
	if f.cache.Remote() {
		step.Download = f.record.Archive.Size
	}
	return step
}

func planPush(st stepSpec, f found, why string) providers.Step {
	step := providers.Step{
		Op: opPush, Title: "push " + st.Name + " " + st.Version, Provides: []providers.Form{providers.Archive}, Reason: why,
	}
	if f.cache.Remote() {
		step.Download = f.record.Archive.Size
	}
	for _, c := range f.lacks {
		if c.Remote() {
			step.Upload += f.record.Archive.Size
		}
	}
	return step
}

func (p *Provider) planBuild(st *stepSpec, req providers.PlanRequest, s *spec, needs []providers.Need) providers.Step {
	step := providers.Step{
		Op: opBuild, Title: "build " + st.Name + " " + st.Version, Needs: needs, Resources: s.resources,
		Provides: []providers.Form{providers.Archive, providers.Installed},
	}
	for _, a := range s.buildNeeds {
		n := needOf(req.Lookup(a))
		n.BuildOnly = true
		st.Needs = append(st.Needs, n)
		step.Needs = append(step.Needs, providers.Need{Address: a, Form: providers.Installed})
	}
	st.Script, st.Env, st.Network, st.Platform, st.Source = s.script, s.env, s.network, s.platform, s.source
	for _, in := range req.Object.Inputs {
		st.Inputs = append(st.Inputs, artifact.Input{Name: in.Name, Digest: in.Recorded()})
	}
	if s.source.URL != "" || s.source.Git != "" {
		step.Download = -1
	}
	for _, c := range st.Caches {
		if c.Push && c.Remote() {
			step.Upload = -1
		}
	}
	return step
}

// PlanDestroy has no steps: products in caches are shared and content
// addressed, and stay until they are cleaned up.
func (p *Provider) PlanDestroy(providers.DestroyRequest) ([]providers.Step, error) {
	return nil, nil
}
