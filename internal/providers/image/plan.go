package image

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"esd/internal/addr"
	"esd/internal/oci"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/providers/environment"
	"esd/internal/providers/recipe"
	"esd/internal/schema"
)

// The operations on an image. Publishing and checking have a number or a name
// behind them.
const (
	opAssemble = "assemble"
	opCheck    = "check"
	opPublish  = "publish"
	opDestroy  = "unpublish"
)

// stepSpec is all that a step needs to know. It is the same for all steps of
// one image, but for what the step is about.
type stepSpec struct {
	Image imageSpec `json:"image"`
	// Check is what a check step runs.
	Check *check `json:"check,omitempty"`
	// Destination is where a publish step publishes.
	Destination *destination `json:"destination,omitempty"`
	// Destinations are all of them, for the record.
	Destinations []string `json:"destinations,omitempty"`
}

// imageSpec is what an image is made of.
type imageSpec struct {
	Title       string            `json:"title"` // the address
	Base        base              `json:"base,omitzero"`
	Layers      []layer           `json:"layers,omitempty"` // of packages, lowest first
	Files       []file            `json:"files,omitempty"`
	Entrypoint  []string          `json:"entrypoint,omitempty"`
	Cmd         []string          `json:"cmd,omitempty"`
	Env         []string          `json:"env,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	User        string            `json:"user,omitempty"`
	Workdir     string            `json:"workdir,omitempty"`
	Platform    string            `json:"platform"`
	Compression string            `json:"compression"`
	Caches      []cache.Settings  `json:"caches"`
	// Environments are those that the packages of Spack come from.
	Environments []environment.Environment `json:"environments,omitempty"`
	// Published are the images that layers can be taken from.
	Published []place `json:"published,omitempty"`
	// Replace asks for layers that are made anew.
	Replace bool `json:"replace,omitempty"`
}

// place is an image that is published somewhere.
type place struct {
	Reference string    `json:"reference"` // layouts by absolute path
	Digest    string    `json:"digest"`
	Transport transport `json:"transport,omitzero"`
}

// Plan gives the steps of an image: put it together, check it, and publish it
// where it is not yet.
func (p *Provider) Plan(req providers.PlanRequest) (providers.Planned, error) {
	s := req.Object.Spec.(*spec)
	seen, _ := req.Observed.Data.(observed)
	if req.Replace {
		seen.places, seen.cached = nil, nil
	}
	layers, err := s.layers(seen.baseLayers)
	if err != nil {
		return providers.Planned{}, err
	}
	image := p.imageSpec(req, s, seen, layers)
	lacks := seen.lacking(req.Object.Key, layers)
	var out steps
	out.add(providers.Step{
		Op: opAssemble, Title: "assemble " + req.Object.Title, Needs: needsOf(s, seen, lacks),
		Resources: providers.Resources{CPUs: min(max(len(lacks), 1), maxMakers)}, Download: download(req, s, seen, lacks),
	}, stepSpec{Image: image})
	before := []string{opAssemble}
	for _, c := range s.checks {
		op := opCheck + " " + c.Name
		timeout, _ := schema.ParseDuration(c.Timeout) // checked by the schema
		out.add(providers.Step{
			Op: op, Title: fmt.Sprintf("check %q of %s", c.Name, req.Object.Title), After: []string{opAssemble},
			Resources: providers.Resources{CPUs: 1, Timeout: timeout + time.Minute},
		}, stepSpec{Image: image, Check: &c})
		before = append(before, op)
	}
	for i, d := range s.destinations {
		here := seen.at(i)
		if here.key == req.Object.Key {
			continue
		}
		out.add(providers.Step{
			Op: fmt.Sprintf("%s %s", opPublish, d.Written), Title: "publish " + req.Object.Title + " to " + d.Written, After: before,
			Provides: []providers.Form{providers.Published}, Completes: true, Upload: upload(req, s, d, here, seen, layers),
		}, stepSpec{Image: image, Destination: &d, Destinations: written(s)})
	}
	return providers.Planned{Steps: out.list}, out.err
}

type steps struct {
	list []providers.Step
	err  error
}

func (s *steps) add(step providers.Step, spec stepSpec) {
	data, err := json.Marshal(spec)
	if err != nil && s.err == nil {
		s.err = err
	}
	step.Spec = data
	s.list = append(s.list, step)
}

func written(s *spec) []string {
	var list []string
	for _, d := range s.destinations {
		list = append(list, d.Written)
	}
	return list
}

func (p *Provider) imageSpec(req providers.PlanRequest, s *spec, seen observed, layers []layer) imageSpec {
	image := imageSpec{
		Title: req.Object.Address.String(), Base: s.base, Layers: layers, Files: s.files, Entrypoint: s.entrypoint, Cmd: s.cmd, Env: s.env,
		Labels: s.labels, User: s.user, Workdir: s.workdir, Platform: s.platform, Compression: s.compression,
		Caches: cache.Of(req.Settings, p.cacheDir()), Environments: s.environments, Replace: req.Replace,
	}
	wanted := map[string]bool{}
	for _, l := range layers {
		wanted[l.Key] = true
	}
	for i, d := range s.destinations {
		if here := seen.at(i); here.hasAny(req.Object.Key, wanted) {
			image.Published = append(image.Published, place{d.Reference, here.digest, d.Transport})
		}
	}
	return image
}

// Reuse lets a step that was to make layers anew take those that there are.
func (p *Provider) Reuse(_ string, spec json.RawMessage) (json.RawMessage, error) {
	var st stepSpec
	if err := json.Unmarshal(spec, &st); err != nil || !st.Image.Replace {
		return spec, err
	}
	st.Image.Replace = false
	return json.Marshal(st)
}

// layers are those above the base, but for the one with the files.
func (s *spec) layers(baseLayers int) ([]layer, error) {
	limit := room(baseLayers)
	if limit < leastPackageLayers && len(s.parts) > limit {
		return nil, fmt.Errorf("the base image has %d layers, and container engines accept %d in all: too few are left for the packages; "+
			"use a base with fewer layers", baseLayers, maxLayers)
	}
	layers := arrange(s.parts, limit, s.compression)
	if s.trees != "" {
		layers = append(layers, layer{Key: s.trees, Title: "spack", Trees: true})
	}
	return layers, nil
}

// lacking lists the layers that neither a destination nor a cache has. Which
// caches have the products of recipes is asked elsewhere.
func (o observed) lacking(key string, layers []layer) []layer {
	return slices.DeleteFunc(slices.Clone(layers), func(l layer) bool {
		_, cached := o.cached[l.Key]
		return cached || slices.ContainsFunc(o.places, func(p seen) bool { return p.has(key, l.Key) })
	})
}

// needsOf are the packages of the layers that have to be made.
func needsOf(s *spec, seen observed, lacks []layer) []providers.Need {
	wanted := map[string]bool{}
	for _, l := range lacks {
		for _, ref := range l.Packages {
			if _, cached := seen.cached[ref.Key]; !cached {
				wanted[ref.Key] = true
			}
		}
	}
	var needs []providers.Need
	for _, part := range s.parts {
		if wanted[part.Key] {
			needs = append(needs, providers.Need{Address: part.address, Form: providers.Archive})
		}
	}
	return needs
}

// download forecasts what is read of archives from distant build caches. It is
// unknown where a package has to be built first.
func download(req providers.PlanRequest, s *spec, seen observed, lacks []layer) int64 {
	var sum int64
	for _, need := range needsOf(s, seen, lacks) {
		obs, asked := req.Observation(need.Address)
		if o := req.Lookup(need.Address); o == nil || o.Kind != environment.PackageKind {
			continue
		}
		entry, ok := environment.EntryOf(obs)
		switch {
		case !asked || !ok:
			return -1
		case entry.Cache.Remote():
			sum += entry.Size
		}
	}
	return sum
}

// upload forecasts what publishing sends: the layers that are known and that
// the image under the tag does not have. It is unknown where one is still to be
// made.
func upload(req providers.PlanRequest, s *spec, d destination, here seen, all observed, layers []layer) int64 {
	if ref, err := oci.ParseRef(d.Reference); err == nil && ref.Layout != "" {
		return 0 // a layout on disk: nothing crosses a network
	}
	addresses := map[string]addr.Address{}
	for _, part := range s.parts {
		addresses[part.Key] = part.address
	}
	var sum int64
	for _, l := range layers {
		if here.has(req.Object.Key, l.Key) {
			continue
		}
		size, known := all.sizeOf(l.Key)
		if !known && !l.Trees && l.isProduct() {
			obs, asked := req.Observation(addresses[l.Key])
			_, size, known = recipe.ArchiveOf(obs)
			known = known && asked
		}
		if !known && !l.Trees {
			return -1
		}
		sum += size
	}
	return sum
}

// isProduct tells that a layer is the archive of a recipe as it is.
func (l layer) isProduct() bool {
	return len(l.Packages) == 1 && l.Packages[0].Hash == "" && l.Packages[0].Key == l.Key
}

// sizeOf is the size of a layer in bytes that is known from somewhere.
func (o observed) sizeOf(key string) (int64, bool) {
	for _, p := range o.places {
		if size, ok := p.layers[key]; ok {
			return size, true
		}
	}
	size, ok := o.cached[key]
	return size, ok
}

// PlanDestroy removes the tags that were published, but for those that another
// image has taken over.
func (p *Provider) PlanDestroy(req providers.DestroyRequest) ([]providers.Step, error) {
	kept := map[string]bool{}
	for _, o := range req.Kept {
		for _, d := range o.Spec.(*spec).destinations {
			if ref, err := oci.ParseRef(d.Reference); err == nil {
				kept[canonical(ref).String()] = true
			}
		}
	}
	recorded := req.Recorded.Attributes
	spec := destroySpec{Digest: recorded.String("digest"), PlainHTTP: recorded.Bool("plain_http"), CAFile: recorded.String("ca_file")}
	for _, w := range publishedAt(req.Recorded) {
		ref, err := p.locate(w)
		if err != nil || !kept[canonical(ref).String()] {
			spec.Published = append(spec.Published, w)
		}
	}
	if len(spec.Published) == 0 {
		return nil, nil
	}
	data, err := json.Marshal(spec)
	return []providers.Step{{Op: opDestroy, Title: "remove image " + req.Address.Name, Completes: true, Spec: data}}, err
}

// destroySpec is what removing an image needs to know.
type destroySpec struct {
	Digest    string   `json:"digest"`
	Published []string `json:"published"`
	PlainHTTP bool     `json:"plain_http,omitempty"`
	CAFile    string   `json:"ca_file,omitempty"`
}
