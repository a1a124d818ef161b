package cache

import (
	"context"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/providers"
	"esd/internal/schema"
)

// SourcesKind is the kind of the block `cache "sources"`.
const SourcesKind = "cache.sources"

// Sources is what one block `cache "sources"` says, and what a step carries of it.
type Sources struct {
	Name string `json:"name"`
	URL  string `json:"url"` // file:// with an absolute path, http(s):// or s3://
	Push bool   `json:"push,omitempty"`
	Access
}

// Directory is where the mirror is, "" for one on a network.
func (s Sources) Directory() string {
	dir, local := strings.CutPrefix(s.URL, "file://")
	if !local {
		return ""
	}
	return dir
}

// SourcesBlock implements the block `cache "sources"`.
type SourcesBlock struct{}

var _ providers.Kind = SourcesBlock{}

var sourcesSchema = &schema.Block{
	Kind:    SourcesKind,
	Summary: "A mirror of the sources of Spack packages.",
	Doc: "Environments that name one or more fetch the sources of what must be built from there, and from the rest of the world " +
		"only what none of them has (`esd fetch` does only that). Then they build without a network: Spack reads the first " +
		"directory that takes sources, or else `.esd/spack/mirror` beside the configuration. All mirrors that take sources get " +
		"what they lack, each file verified by the digest in its recipe. The layout is that of Spack's own mirrors.\n\n" +
		"Credentials are never written here: those of S3 are found where the AWS tools find them.",
	Example: `cache "sources" "mirror" {
  url = "s3://esd-sources"
}`,
	Attributes: append([]schema.Attribute{
		{Name: "url", Type: cty.String, Required: true, Check: checkSourcesURL,
			Doc: "A directory (a path, relative to the module, or `file://…`), `s3://bucket/prefix`, or `https://…`, which is only read."},
		{Name: "push", Type: cty.Bool, Doc: "Whether sources that are missing are stored here. The default is `true`, but for `http(s)://`, which is only read."},
	}, accessAttributes()...),
}

func checkSourcesURL(v cty.Value) error {
	return checkPlace(v.AsString(), "sources", "file://, https:// or s3://", "file", "http", "https", "s3")
}

// Schema describes the block.
func (SourcesBlock) Schema() *schema.Block { return sourcesSchema }

// Resolve reads the settings.
func (SourcesBlock) Resolve(_ context.Context, req providers.ResolveRequest) (*providers.Object, hcl.Diagnostics) {
	values := providers.Decode(req.Config)
	s := Sources{
		Name: req.Address.Name, URL: placeURL(req.ModuleDir, values.String("url")), Push: values.Bool("push"),
		Access: accessOf(req.ModuleDir, values),
	}
	var diags hcl.Diagnostics
	switch readOnly := strings.HasPrefix(s.URL, "http"); {
	case !values.IsSet("push"):
		s.Push = !readOnly
	case s.Push && readOnly:
		rng := req.AttributeRange("push")
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Sources cannot be stored there",
			Detail: "A web server is only read. Leave push out, or name the directory or bucket that the server takes its files from.", Subject: &rng})
	}
	return &providers.Object{
		Address: req.Address, Kind: SourcesKind, Dependencies: req.Dependencies, Range: req.Range, Spec: s,
		Attributes: cty.ObjectVal(map[string]cty.Value{
			"address": cty.StringVal(req.Address.String()), "url": cty.StringVal(s.URL), "push": cty.BoolVal(s.Push),
		}),
	}, diags
}
