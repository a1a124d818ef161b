package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/providers"
	"esd/internal/schema"
)

// BuildcacheKind is the kind of the block `cache "buildcache"`.
const BuildcacheKind = "cache.buildcache"

// Buildcache is what one block `cache "buildcache"` says, and what a step
// carries of it. Keys are named by file: no secret is in it.
type Buildcache struct {
	Name string `json:"name"`
	// URL is file:// with an absolute path, http(s)://, s3://, oci:// or
	// oci+http://.
	URL    string `json:"url"`
	Push   bool   `json:"push,omitempty"`
	Layout string `json:"layout,omitempty"` // v2, v3 or oci; empty is what is there
	// Signed demands signatures by one of the trusted keys.
	Signed      bool     `json:"signed,omitempty"`
	TrustedKeys []string `json:"trusted_keys,omitempty"` // files, absolute
	SigningKey  string   `json:"signing_key,omitempty"`  // file, absolute
	// PassphraseVariable names the environment variable with the passphrase of
	// the signing key.
	PassphraseVariable string `json:"passphrase_variable,omitempty"`
	Index              bool   `json:"index,omitempty"`
	Access
}

// Remote reports whether reading the cache crosses a network.
func (s Buildcache) Remote() bool { return !strings.HasPrefix(s.URL, "file://") }

// BuildcacheBlock implements the block `cache "buildcache"`.
type BuildcacheBlock struct{}

var _ providers.Kind = BuildcacheBlock{}

var buildcacheSchema = &schema.Block{
	Kind:    BuildcacheKind,
	Summary: "A build cache in Spack's own format: Spack itself can read and write it.",
	Doc: "Environments name the build caches that serve them, in the order in which they are asked. All three layouts of Spack " +
		"are read and written: manifests and blobs (1.x), `build_cache/` (0.23), and OCI registries.\n\n" +
		"Credentials are never written here: those of registries are found where Docker and Podman keep them, those of S3 where " +
		"the AWS tools do.",
	Example: `cache "buildcache" "shared" {
  url  = "oci://registry.example.org/esd/buildcache"
  push = var.ci
}`,
	Attributes: append([]schema.Attribute{
		{Name: "url", Type: cty.String, Required: true, Check: checkBuildcacheURL,
			Doc: "A directory (a path, relative to the module, or `file://…`), `https://…`, `s3://bucket/prefix`, `oci://registry/repository`, or `oci+http://…` for a registry without TLS."},
		{Name: "push", Type: cty.Bool, Doc: "Whether built packages are stored here. The default is `true`, but for `http(s)://`, which is only read."},
		{Name: "layout", Type: cty.String, Check: oneOf("v2", "v3"),
			Doc: "The layout of a cache that is still empty: `v3` for Spack 1.x (the default), `v2` for Spack 0.23. In others the layout that is there is used."},
		{Name: "signed", Type: cty.Bool, Default: cty.False, Doc: "Whether packages without a signature by one of `trusted_keys` are as good as absent. Spack signs nothing in registries."},
		{Name: "trusted_keys", Type: cty.List(cty.String), Doc: "Files with OpenPGP public keys."},
		{Name: "signing_key", Type: cty.String, Doc: "A file with the OpenPGP secret key by which what is stored here is signed."},
		{Name: "passphrase_variable", Type: cty.String, Doc: "The name of the environment variable with the passphrase of the signing key."},
		{Name: "index", Type: cty.Bool, Default: cty.True, Doc: "Whether the index is brought up to date after an apply stored packages."},
	}, accessAttributes()...),
	Exports: []schema.Export{{Name: "url", Type: cty.String, Doc: "Where it is; a directory by its absolute path."}},
}

func oneOf(allowed ...string) func(cty.Value) error {
	return func(v cty.Value) error {
		if !slices.Contains(allowed, v.AsString()) {
			return fmt.Errorf("%q is none of %s", v.AsString(), strings.Join(allowed, ", "))
		}
		return nil
	}
}

func checkBuildcacheURL(v cty.Value) error {
	return checkPlace(v.AsString(), "a build cache", "file://, https://, s3:// or oci://", "file", "http", "https", "s3", "oci", "oci+http")
}

// Schema describes the block.
func (BuildcacheBlock) Schema() *schema.Block { return buildcacheSchema }

// Resolve reads the settings.
func (BuildcacheBlock) Resolve(_ context.Context, req providers.ResolveRequest) (*providers.Object, hcl.Diagnostics) {
	values := providers.Decode(req.Config)
	s := Buildcache{
		Name: req.Address.Name, URL: placeURL(req.ModuleDir, values.String("url")), Layout: values.String("layout"),
		Signed: values.Bool("signed"), PassphraseVariable: values.String("passphrase_variable"), Index: values.Bool("index"),
		Access: accessOf(req.ModuleDir, values),
	}
	s.Push = values.Bool("push")
	if !values.IsSet("push") {
		s.Push = !strings.HasPrefix(s.URL, "http")
	}
	for _, file := range values.Strings("trusted_keys") {
		s.TrustedKeys = append(s.TrustedKeys, absolute(req.ModuleDir, file))
	}
	if file := values.String("signing_key"); file != "" {
		s.SigningKey = absolute(req.ModuleDir, file)
	}
	var diags hcl.Diagnostics
	if s.Signed && len(s.TrustedKeys) == 0 {
		rng := req.AttributeRange("signed")
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Nobody is trusted",
			Detail: "With signed = true, name the files of the keys whose signatures count in trusted_keys.", Subject: &rng})
	}
	diags = append(diags, checkDirectory(req, s)...)
	return &providers.Object{
		Address: req.Address, Kind: BuildcacheKind, Dependencies: req.Dependencies, Range: req.Range, Spec: s,
		Attributes: cty.ObjectVal(map[string]cty.Value{
			"address": cty.StringVal(req.Address.String()), "url": cty.StringVal(s.URL), "push": cty.BoolVal(s.Push),
		}),
	}, diags
}

// checkDirectory tells of a directory that is not there: a misspelt path would
// otherwise look like an empty cache, and everything be built.
func checkDirectory(req providers.ResolveRequest, s Buildcache) hcl.Diagnostics {
	dir, isDir := strings.CutPrefix(s.URL, "file://")
	if !isDir {
		return nil
	}
	rng := req.AttributeRange("url")
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Not a build cache", Detail: dir + " is not a directory.", Subject: &rng}}
	case errors.Is(err, fs.ErrNotExist) && !s.Push:
		return hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "There is no such build cache",
			Detail: dir + " does not exist: it counts as empty, and with push = false nothing will be stored there.", Subject: &rng}}
	case errors.Is(err, fs.ErrNotExist):
		return hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "The build cache is not there yet",
			Detail: dir + " does not exist: it counts as empty, and is made when the first package is stored.", Subject: &rng}}
	}
	return nil
}
