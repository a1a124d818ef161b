package cache

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/providers"
	"esd/internal/schema"
)

// SourcesKind is the kind of the block `cache "sources"`.
const SourcesKind = "cache.sources"

// Sources is what one block `cache "sources"` says.
type Sources struct {
	Name string `json:"name"`
	URL  string `json:"url"` // file:// with an absolute path, http(s):// or s3://
	Push bool   `json:"push,omitempty"`
}

// SourcesBlock implements the block `cache "sources"`.
type SourcesBlock struct{}

var _ providers.Kind = SourcesBlock{}

var sourcesSchema = &schema.Block{
	Kind:    SourcesKind,
	Summary: "A mirror of the sources of Spack packages.",
	Doc: "Environments that name one fetch the sources of what must be built into it first (`esd fetch` does only that), and " +
		"then build without a network. The layout is that of Spack's own mirrors.",
	Example: `cache "sources" "mirror" {
  url = "mirror"
}`,
	Attributes: []schema.Attribute{
		{Name: "url", Type: cty.String, Required: true, Check: checkSourcesURL,
			Doc: "A directory (a path, relative to the module, or `file://…`), or `https://…`, which is only read."},
		{Name: "push", Type: cty.Bool, Doc: "Whether sources that are missing are stored here. The default is `true` for directories."},
	},
}

func checkSourcesURL(v cty.Value) error {
	url := v.AsString()
	scheme, rest, found := strings.Cut(url, "://")
	if url == "" || found && (rest == "" || !slices.Contains([]string{"file", "http", "https"}, scheme)) {
		return fmt.Errorf("%q is no place for sources: give a directory, or a URL that begins with file:// or https://", url)
	}
	return nil
}

// Schema describes the block.
func (SourcesBlock) Schema() *schema.Block { return sourcesSchema }

// Resolve reads the settings.
func (SourcesBlock) Resolve(_ context.Context, req providers.ResolveRequest) (*providers.Object, hcl.Diagnostics) {
	values := providers.Decode(req.Config)
	s := Sources{Name: req.Address.Name, URL: values.String("url"), Push: values.Bool("push")}
	if scheme, _, found := strings.Cut(s.URL, "://"); !found || scheme == "file" {
		s.URL = "file://" + absolute(req.ModuleDir, strings.TrimPrefix(s.URL, "file://"))
		s.Push = s.Push || !values.IsSet("push")
	}
	return &providers.Object{
		Address: req.Address, Kind: SourcesKind, Dependencies: req.Dependencies, Range: req.Range, Spec: s,
		Attributes: cty.ObjectVal(map[string]cty.Value{
			"address": cty.StringVal(req.Address.String()), "url": cty.StringVal(s.URL), "push": cty.BoolVal(s.Push),
		}),
	}, nil
}
