// Package image is the block `target "image"`: a container image, put together
// from cached packages without a container runtime, and published to
// registries and OCI layouts.
package image

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/addr"
	"esd/internal/archive"
	"esd/internal/oci"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/providers/environment"
	"esd/internal/schema"
)

// keyVersion is raised whenever the same inputs begin to give another image.
const keyVersion = 1

// Options is what the provider needs of its surroundings.
type Options struct {
	// WorkDir is the directory of working data (`.esd`), absolute; Dir is what
	// recorded paths are relative to.
	WorkDir, Dir string
	Caches       *cache.Opener
	// Archives gives the way to the archives of Spack packages.
	Archives environment.Archives
	// OCI says how registries are reached.
	OCI oci.Options
}

// Provider makes images.
type Provider struct{ opts Options }

var (
	_ providers.Provider = (*Provider)(nil)
	_ providers.Reuser   = (*Provider)(nil)
)

// New gives the provider.
func New(opts Options) *Provider { return &Provider{opts} }

// Schema describes the block.
func (p *Provider) Schema() *schema.Block { return blockSchema }

// DefaultForm is an image at all its destinations.
func (p *Provider) DefaultForm() providers.Form { return providers.Published }

// spec is a decoded image.
type spec struct {
	name         string
	recipes      []addr.Address // all that come into the image, sorted by address
	parts        []part         // the packages in the image, each once
	environments []environment.Environment
	trees        string // content key of the layer with what Spack knows of its packages; empty without any
	base         base
	files        []file
	entrypoint   []string
	cmd          []string
	env          []string // NAME=VALUE, sorted
	labels       map[string]string
	user         string
	workdir      string
	platform     string
	compression  string
	checks       []check
	destinations []destination
}

// base is the image to build upon.
type base struct {
	Reference string    `json:"reference,omitempty"` // as it is fetched: layouts by absolute path
	Digest    string    `json:"digest,omitempty"`
	Transport transport `json:"transport,omitzero"`
}

// transport says how a registry is reached.
type transport struct {
	PlainHTTP bool   `json:"plain_http,omitempty"`
	CAFile    string `json:"ca_file,omitempty"`
}

// file is one thing in the layer of files.
type file struct {
	Target string `json:"target"`
	Host   string `json:"host"` // absolute
	Digest string `json:"digest"`
}

type check struct {
	Name    string   `json:"name"`
	Command []string `json:"command"`
	Timeout string   `json:"timeout"`
}

// destination is one place to publish to.
type destination struct {
	// Written is the reference as it is recorded: layouts by a path relative
	// to the configuration.
	Written   string    `json:"written"`
	Reference string    `json:"reference"` // layouts by absolute path
	Transport transport `json:"transport,omitzero"`
}

// Resolve computes the content key of an image.
func (p *Provider) Resolve(ctx context.Context, req providers.ResolveRequest) (*providers.Object, hcl.Diagnostics) {
	values := providers.Decode(req.Config)
	s := &spec{
		name: req.Address.Name, entrypoint: values.Strings("entrypoint"), cmd: values.Strings("cmd"),
		labels: values.StringMap("labels"), user: values.String("user"), workdir: values.String("workdir"),
		platform: values.String("platform"), compression: values.String("compression"),
	}
	if s.platform == "" {
		s.platform = "linux/" + runtime.GOARCH
	}
	env := values.StringMap("env")
	for _, name := range slices.Sorted(maps.Keys(env)) {
		s.env = append(s.env, name+"="+env[name])
	}
	o := &providers.Object{
		Address: req.Address, Kind: Kind, Dependencies: req.Dependencies, PreventDestroy: false, Range: req.Range, Spec: s,
		Title: "image " + req.Address.Name,
	}
	how := transport{PlainHTTP: values.Bool("plain_http")}
	if ca := values.String("ca_file"); ca != "" {
		how.CAFile = inDir(req.ModuleDir, ca)
	}
	key := providers.NewKey(Kind, keyVersion)
	diags := p.resolveBase(req, values, s, how, o, key)
	prefixes, packageDiags := resolvePackages(req, values, s, o, key)
	diags = append(diags, packageDiags...)
	diags = append(diags, resolveFiles(ctx, req, values, s, key)...)
	addSettings(key, s, prefixes)
	p.resolveDestinations(req, values, s, how)
	s.checks = checksOf(values)
	for _, c := range s.checks {
		addSetting(key, prefixes, "check "+c.Name, terminated(c.Command))
	}
	o.Key, o.Inputs = key.Sum()
	o.Attributes = exported(req, s, o.Key)
	return o, diags
}

// addSettings enters what stands in the configuration of the image.
func addSettings(key *providers.KeyBuilder, s *spec, prefixes *strings.Replacer) {
	key.AddValue("platform", s.platform)
	key.AddValue("compression", s.compression)
	addSetting(key, prefixes, "entrypoint", terminated(s.entrypoint))
	addSetting(key, prefixes, "cmd", terminated(s.cmd))
	key.AddValue("user", s.user)
	key.AddValue("workdir", s.workdir)
	for _, e := range s.env {
		name, value, _ := strings.Cut(e, "=")
		addSetting(key, prefixes, "env "+name, value)
	}
	for _, name := range slices.Sorted(maps.Keys(s.labels)) {
		addSetting(key, prefixes, "label "+name, s.labels[name])
	}
}

// terminated is a list of arguments as one text, each with NUL behind it, so
// that an empty one is not none.
func terminated(arguments []string) string {
	var b strings.Builder
	for _, a := range arguments {
		b.WriteString(a)
		b.WriteByte(0)
	}
	return b.String()
}

// addSetting enters a setting that may mention prefixes of packages: a prefix
// that changes is explained by its package and need not be told again.
func addSetting(key *providers.KeyBuilder, prefixes *strings.Replacer, name, value string) {
	key.AddExplained(name, value, prefixes.Replace(value))
}

// exported is what references to the image see. What is known only after apply
// is taken from the record if that is about the same key.
func exported(req providers.ResolveRequest, s *spec, key string) cty.Value {
	digest, size := cty.UnknownVal(cty.String), cty.UnknownVal(cty.Number)
	if r := req.Recorded; r != nil && r.Key == key && r.Attributes.String("digest") != "" {
		digest = cty.StringVal(r.Attributes.String("digest"))
		if n, ok := r.Attributes.Int("size"); ok {
			size = cty.NumberIntVal(n)
		}
	}
	references := make([]cty.Value, len(s.destinations))
	for i, d := range s.destinations {
		references[i] = cty.StringVal(d.Written)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"address": cty.StringVal(req.Address.String()), "name": cty.StringVal(s.name), "key": cty.StringVal(key),
		"digest": digest, "size": size, "references": cty.ListVal(references),
	})
}

func (p *Provider) resolveBase(req providers.ResolveRequest, values providers.Values, s *spec, how transport, o *providers.Object, key *providers.KeyBuilder) hcl.Diagnostics {
	written := values.String("base")
	if written == "" {
		key.AddValue("base image", "scratch")
		return nil
	}
	ref, err := oci.ParseRef(written)
	if err != nil {
		return hcl.Diagnostics{problem(req, "Invalid base image", err.Error(), "base")}
	}
	digest := string(ref.Digest)
	if ref.Layout != "" {
		ref.Layout = inDir(req.ModuleDir, ref.Layout)
	}
	if digest == "" {
		pin := providers.Pin{Image: written, Platform: s.platform, Fetch: ref.String(), PlainHTTP: how.PlainHTTP, CAFile: how.CAFile}
		o.Pins = append(o.Pins, pin)
		pinned, ok := req.Pins.Image(pin.Image, pin.Platform)
		if !ok {
			o.Unpinned = append(o.Unpinned, pin)
		}
		digest = pinned
	}
	s.base = base{Reference: ref.String(), Digest: digest, Transport: how}
	key.Quiet("base image", digest)
	key.ExplainValue("base image", shortDigest(digest))
	return nil
}

// shortDigest is a digest as people read it: sha256:aabbccddeeff.
func shortDigest(d string) string { return d[:min(len(d), len("sha256:")+12)] }

func resolveFiles(ctx context.Context, req providers.ResolveRequest, values providers.Values, s *spec, key *providers.KeyBuilder) hcl.Diagnostics {
	var diags hcl.Diagnostics
	files := values.StringMap("files")
	for _, target := range slices.Sorted(maps.Keys(files)) {
		host := inDir(req.ModuleDir, files[target])
		digest, err := archive.HashPath(ctx, host)
		if err != nil {
			diags = append(diags, problem(req, "Unreadable file", fmt.Sprintf("The content of %s in the image cannot be read: %v.", target, err), "files"))
			continue
		}
		s.files = append(s.files, file{Target: target, Host: host, Digest: digest})
		key.Quiet("file "+target, digest)
		key.Explain(providers.Input{Name: "file " + files[target], Text: providers.ShortDigest(target + digest)})
	}
	return diags
}

func checksOf(values providers.Values) []check {
	blocks := values.Blocks("check")
	var list []check
	for _, name := range slices.Sorted(maps.Keys(blocks)) {
		list = append(list, check{name, blocks[name].Strings("command"), blocks[name].String("timeout")})
	}
	return list
}

func (p *Provider) resolveDestinations(req providers.ResolveRequest, values providers.Values, s *spec, how transport) {
	for _, written := range values.Strings("publish") {
		ref, err := oci.ParseRef(written)
		if err != nil {
			continue // refused by the schema
		}
		d := destination{Written: written, Transport: how}
		if ref.Layout != "" {
			ref.Layout = inDir(req.ModuleDir, ref.Layout)
			recorded := ref
			if rel, err := filepath.Rel(p.opts.Dir, ref.Layout); err == nil && filepath.IsLocal(rel) {
				recorded.Layout = rel
			}
			d.Written = recorded.String()
		}
		d.Reference = ref.String()
		s.destinations = append(s.destinations, d)
	}
}

// Claims are the places that an image is published to: two images under one tag
// would overwrite each other with every apply.
func (p *Provider) Claims(o *providers.Object) []string {
	s := o.Spec.(*spec)
	claims := make([]string, len(s.destinations))
	for i, d := range s.destinations {
		claims[i] = d.Reference
		if ref, err := oci.ParseRef(d.Reference); err == nil {
			claims[i] = canonical(ref).String()
		}
	}
	return claims
}

// inDir makes a path absolute, from a directory.
func inDir(dir, path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func problem(req providers.ResolveRequest, summary, detail string, path ...string) *hcl.Diagnostic {
	rng := req.AttributeRange(path...)
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &rng}
}
