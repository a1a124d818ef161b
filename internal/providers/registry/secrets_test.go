package registry_test

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/providers/registry"
	"esd/internal/schema"
)

// TestNoKindQuotesASecret gives addresses with secrets to every attribute that
// takes texts: whether they are accepted or not, they are not repeated. What
// fetches something does not accept them.
func TestNoKindQuotesASecret(t *testing.T) {
	t.Parallel()
	fetches := map[string]bool{"url": true, "git": true, "endpoint": true, "repository": true, "base": true, "publish": true, "ca_file": true, "from": true, "ref": true}
	seen, refused := 0, map[string]bool{}
	for kind, k := range registry.New(registry.Options{Dir: t.TempDir(), WorkDir: t.TempDir()}) {
		eachAttribute(k.Schema(), func(a schema.Attribute) {
			for _, scheme := range []string{"https", "http", "s3", "oci", "oci+http", "git+https", "file", "ftp", "ssh", "HTTPS"} {
				for _, rest := range []string{"user:hush@example.org/c", "example.org/c?token=hush", "example.org/c?a=b&X-Amz-Signature=hush", "user:hu sh@example.org/c"} {
					v, ok := textOf(a.Type, scheme+"://"+rest)
					if !ok || a.Check == nil {
						continue
					}
					seen++
					err := a.Accept(v)
					if err != nil && (strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "hu sh")) {
						t.Errorf("%s of %s: %v", a.Name, kind, err)
					}
					if err != nil {
						refused[a.Name] = true
					} else if fetches[a.Name] && scheme != "file" {
						t.Errorf("%s of %s accepts %s://%s", a.Name, kind, scheme, rest)
					}
				}
			}
		})
	}
	for name := range fetches {
		if !refused[name] {
			t.Errorf("there is no %s any more that refuses secrets", name)
		}
	}
	t.Logf("%d values", seen)
}

func eachAttribute(b *schema.Block, do func(schema.Attribute)) {
	if b == nil { // never written in a configuration
		return
	}
	for _, a := range b.Attributes {
		do(a)
	}
	for i := range b.Blocks {
		eachAttribute(&b.Blocks[i].Block, do)
	}
}

// textOf is a value of a type that holds a text; false if none can.
func textOf(t cty.Type, text string) (cty.Value, bool) {
	switch {
	case t == cty.String || t == cty.DynamicPseudoType:
		return cty.StringVal(text), true
	case t == cty.List(cty.String):
		return cty.ListVal([]cty.Value{cty.StringVal(text)}), true
	case t == cty.Map(cty.String):
		return cty.MapVal(map[string]cty.Value{text: cty.StringVal(text)}), true
	}
	return cty.NilVal, false
}
