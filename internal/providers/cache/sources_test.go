package cache

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"esd/internal/providers"
	"esd/internal/schema"
	"esd/internal/spack/transport/s3test"
)

// resolve resolves a block with some of its attributes set.
func resolve(t *testing.T, kind providers.Kind, dir string, set map[string]cty.Value) (any, hcl.Diagnostics) {
	t.Helper()
	object := map[string]cty.Value{}
	for _, a := range kind.Schema().Attributes {
		v, ok := set[a.Name]
		switch {
		case ok && a.Check != nil:
			if err := a.Check(v); err != nil {
				return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Detail: err.Error()}}
			}
		case !ok && a.Default != cty.NilVal:
			v = a.Default
		case !ok:
			v = cty.NullVal(a.Type)
		}
		object[a.Name] = v
	}
	o, diags := kind.Resolve(t.Context(), providers.ResolveRequest{
		Config: cty.ObjectVal(object), ModuleDir: dir, AttributeRange: func(...string) hcl.Range { return hcl.Range{} },
	})
	return o.Spec, diags
}

func TestMirrorsTakeSourcesWhereTheyCan(t *testing.T) {
	t.Parallel()
	text := func(s string) cty.Value { return cty.StringVal(s) }
	for name, test := range map[string]struct {
		set  map[string]cty.Value
		want Sources
		says string // "" for no error
	}{
		"a directory":                     {set: map[string]cty.Value{"url": text("mirror")}, want: Sources{URL: "file:///conf/mirror", Push: true}},
		"a directory that is only read":   {set: map[string]cty.Value{"url": text("file:///srv/m"), "push": cty.False}, want: Sources{URL: "file:///srv/m"}},
		"a bucket":                        {set: map[string]cty.Value{"url": text("s3://b/p")}, want: Sources{URL: "s3://b/p", Push: true}},
		"a bucket that is only read":      {set: map[string]cty.Value{"url": text("s3://b"), "push": cty.False, "anonymous": cty.True}, want: Sources{URL: "s3://b", Access: Access{Anonymous: true}}},
		"a bucket elsewhere":              {set: map[string]cty.Value{"url": text("s3://b"), "endpoint": text("https://s3.example.org"), "region": text("r"), "ca_file": text("ca.pem")}, want: Sources{URL: "s3://b", Push: true, Access: Access{CAFile: "/conf/ca.pem", Endpoint: "https://s3.example.org", Region: "r"}}},
		"a web server":                    {set: map[string]cty.Value{"url": text("https://example.org/m")}, want: Sources{URL: "https://example.org/m"}},
		"a web server that is to be fed":  {set: map[string]cty.Value{"url": text("https://example.org/m"), "push": cty.True}, says: "A web server is only read"},
		"a registry":                      {set: map[string]cty.Value{"url": text("oci://example.org/m")}, says: "file://, https:// or s3://"},
		"nothing":                         {set: map[string]cty.Value{"url": text("")}, says: "no place for sources"},
		"a password":                      {set: map[string]cty.Value{"url": text("https://ann:geheim@example.org/m")}, says: "must not contain a user name"},
		"a scheme without anything after": {set: map[string]cty.Value{"url": text("s3://")}, says: "no place for sources"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, diags := resolve(t, SourcesBlock{}, "/conf", test.set)
			if test.says != "" {
				if !diags.HasErrors() || !strings.Contains(diags[0].Detail, test.says) || strings.Contains(diags[0].Detail, "geheim") {
					t.Errorf("%v, want %q", diags, test.says)
				}
				return
			}
			if diff := cmp.Diff(test.want, got); diff != "" || diags.HasErrors() {
				t.Errorf("%v %s", diags, diff)
			}
		})
	}
}

func TestCachesAndMirrorsAreReachedAlike(t *testing.T) {
	t.Parallel()
	mirrors, caches := map[string]schema.Attribute{}, map[string]schema.Attribute{}
	for _, a := range sourcesSchema.Attributes {
		mirrors[a.Name] = a
	}
	for _, a := range buildcacheSchema.Attributes {
		caches[a.Name] = a
	}
	for _, a := range accessAttributes() {
		if mirrors[a.Name].Doc != a.Doc || caches[a.Name].Doc != a.Doc {
			t.Errorf("%s is not in both", a.Name)
		}
	}
	endpoint := cty.StringVal(s3test.NewFake().Serve(t).Endpoint)
	set := map[string]cty.Value{"url": cty.StringVal("s3://bucket/p"), "endpoint": endpoint, "anonymous": cty.True}
	spec, diags := resolve(t, BuildcacheBlock{}, "/conf", set)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	opener := &BuildcacheOpener{WorkDir: filepath.Join(t.TempDir(), ".esd")}
	c, err := opener.Open(t.Context(), spec.(Buildcache))
	if err != nil {
		t.Fatal(err)
	}
	if entries, err := c.List(t.Context()); err != nil || len(entries) != 0 {
		t.Errorf("the build cache: %v, %v", entries, err)
	}
	spec, diags = resolve(t, SourcesBlock{}, "/conf", set)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var mirrorOpener SourcesOpener
	first, err := mirrorOpener.Open(spec.(Sources))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := mirrorOpener.Open(spec.(Sources)); err != nil || again != first {
		t.Errorf("it is opened again: %v", err)
	}
}
