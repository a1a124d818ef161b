// Package cache is the block `cache "artifact"`: a place where finished
// packages are kept, so that none is ever built twice. It has nothing to plan;
// the other providers open the caches that it describes.
package cache

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/providers"
	"esd/internal/schema"
)

// KindName is the kind of the block.
const KindName = "cache.artifact"

// Settings is what one cache block says, and what a step carries of it.
type Settings struct {
	Name string `json:"name"`
	// URL is a directory (an absolute path) or a repository (oci://…).
	URL       string `json:"url"`
	Push      bool   `json:"push,omitempty"`
	PlainHTTP bool   `json:"plain_http,omitempty"`
	CAFile    string `json:"ca_file,omitempty"`
}

// Remote reports whether reading the cache crosses a network.
func (s Settings) Remote() bool { return strings.HasPrefix(s.URL, "oci://") }

// Kind implements the block.
type Kind struct{}

var _ providers.Kind = Kind{}

var blockSchema = &schema.Block{
	Kind:    KindName,
	Summary: "A place where finished packages are kept, so that none is built twice.",
	Doc: "A directory, or a repository of an OCI registry. Every recipe's product is stored under its content key as an " +
		"archive that is an image layer already, so images are put together from a cache without compressing anything again.\n\n" +
		"The cache blocks of the root module serve all recipes, directories before registries and then by name. Without any, " +
		"`.esd/cache` beside the configuration is used. Credentials are never written here: they are found where Docker and " +
		"Podman keep them.",
	Example: `cache "artifact" "shared" {
  url  = "oci://registry.example.org/esd/cache"
  push = var.ci
}`,
	Attributes: []schema.Attribute{
		{Name: "url", Type: cty.String, Required: true, Check: checkURL,
			Doc: "A directory (a path, relative to the module, or `file://…`) or a repository (`oci://registry/repository`)."},
		{Name: "push", Type: cty.Bool, Default: cty.True, Doc: "Whether finished packages are stored here. A cache that is only read costs no credentials."},
		{Name: "plain_http", Type: cty.Bool, Default: cty.False, Doc: "Speak HTTP, not HTTPS. Registries on the loopback interface are spoken to in HTTP anyway."},
		{Name: "ca_file", Type: cty.String, Check: schema.CheckPath, Doc: "A file of PEM certificates to trust beside the system's."},
	},
}

func checkURL(v cty.Value) error {
	url := v.AsString()
	scheme, _, found := strings.Cut(url, "://")
	if found && scheme != "file" { // first, since the other error quotes the URL
		if err := schema.CheckNoSecret(url, "log in with docker login or podman login instead"); err != nil {
			return err
		}
	}
	if url == "" || found && scheme != "oci" && scheme != "file" {
		return fmt.Errorf("%q is no place for a cache: give a directory, file://DIRECTORY or oci://REGISTRY/REPOSITORY", url)
	}
	return nil
}

// Schema describes the block.
func (Kind) Schema() *schema.Block { return blockSchema }

// Resolve reads the settings.
func (Kind) Resolve(_ context.Context, req providers.ResolveRequest) (*providers.Object, hcl.Diagnostics) {
	s := Settings{
		Name:      req.Address.Name,
		URL:       req.Config.GetAttr("url").AsString(),
		Push:      req.Config.GetAttr("push").True(),
		PlainHTTP: req.Config.GetAttr("plain_http").True(),
	}
	if !s.Remote() {
		s.URL = absolute(req.ModuleDir, strings.TrimPrefix(s.URL, "file://"))
	}
	if ca := req.Config.GetAttr("ca_file"); !ca.IsNull() {
		s.CAFile = absolute(req.ModuleDir, ca.AsString())
	}
	return &providers.Object{
		Address: req.Address, Kind: KindName, Dependencies: req.Dependencies, Range: req.Range, Spec: s,
		Attributes: cty.ObjectVal(map[string]cty.Value{
			"address": cty.StringVal(req.Address.String()), "url": cty.StringVal(s.URL), "push": cty.BoolVal(s.Push),
		}),
	}, nil
}

func absolute(dir, path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// Of lists the caches that serve a configuration, in the order in which they
// are asked: its cache blocks, directories first; else the default directory.
func Of(settings providers.Setting, defaultDir string) []Settings {
	var local, remote []Settings
	for _, o := range settings.ByKind(KindName) {
		s := o.Spec.(Settings)
		if s.Remote() {
			remote = append(remote, s)
		} else {
			local = append(local, s)
		}
	}
	if list := append(local, remote...); len(list) > 0 {
		return list
	}
	return []Settings{{Name: "default", URL: defaultDir, Push: true}}
}
