package image

import (
	"encoding/json"
	"fmt"
	"time"

	"esd/internal/oci"
	"esd/internal/providers"
	"esd/internal/providers/cache"
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
	Packages    []packageRef      `json:"packages,omitempty"`
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
}

// packageRef is one package of an image.
type packageRef struct {
	Title string `json:"title"` // the address
	Key   string `json:"key"`
}

// Plan gives the steps of an image: put it together, check it, and publish it
// where it is not yet.
func (p *Provider) Plan(req providers.PlanRequest) (providers.Planned, error) {
	s := req.Object.Spec.(*spec)
	places, _ := req.Observed.Data.([]seen)
	image := p.imageSpec(req, s)
	var needs []providers.Need
	for _, a := range s.packages {
		needs = append(needs, providers.Need{Address: a, Form: providers.Archive})
	}
	var out steps
	out.add(providers.Step{
		Op: opAssemble, Title: "assemble " + req.Object.Title, Needs: needs, Resources: providers.Resources{CPUs: 1},
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
		if i < len(places) && places[i].key == req.Object.Key && !req.Replace {
			continue
		}
		out.add(providers.Step{
			Op: fmt.Sprintf("%s %s", opPublish, d.Written), Title: "publish " + req.Object.Title + " to " + d.Written, After: before,
			Provides: []providers.Form{providers.Published}, Completes: true, Upload: upload(req, s, d, at(places, i)),
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

func at(places []seen, i int) seen {
	if i < len(places) {
		return places[i]
	}
	return seen{}
}

func written(s *spec) []string {
	var list []string
	for _, d := range s.destinations {
		list = append(list, d.Written)
	}
	return list
}

func (p *Provider) imageSpec(req providers.PlanRequest, s *spec) imageSpec {
	image := imageSpec{
		Title: req.Object.Address.String(), Base: s.base, Files: s.files, Entrypoint: s.entrypoint, Cmd: s.cmd, Env: s.env,
		Labels: s.labels, User: s.user, Workdir: s.workdir, Platform: s.platform, Compression: s.compression,
		Caches: cache.Of(req.Settings, p.cacheDir()),
	}
	for _, a := range s.packages {
		if o := req.Lookup(a); o != nil {
			image.Packages = append(image.Packages, packageRef{Title: a.String(), Key: o.Key})
		}
	}
	return image
}

// upload forecasts what publishing sends: the packages that are known and that
// the image under the tag does not have. It is unknown where a package is to
// be built, or is compressed anew.
func upload(req providers.PlanRequest, s *spec, d destination, place seen) int64 {
	if ref, err := oci.ParseRef(d.Reference); err == nil && ref.Layout != "" {
		return 0 // a layout on disk: nothing crosses a network
	}
	if s.compression != "zstd" || len(s.packages) > maxOwnLayers {
		return -1
	}
	var sum int64
	for _, a := range s.packages {
		obs, asked := req.Observation(a)
		digest, size, ok := recipe.ArchiveOf(obs)
		if !asked || !ok {
			return -1
		}
		if !place.layers[digest] {
			sum += size
		}
	}
	return sum
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
