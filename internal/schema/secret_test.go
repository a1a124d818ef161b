package schema_test

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
)

func TestAddressesOfRepositoriesMustNotHoldSecrets(t *testing.T) {
	t.Parallel()
	for address, refused := range map[string]bool{
		"https://example.org/a.git": false, "git@example.org:a/b.git": false, "ssh://git@example.org/a": false, "../a": false,
		"https://example.org/a.git?depth=1": false, "https://hush@example.org/a.git": true, "ssh://git:hush@example.org/a": true,
		"https://example.org/a.git?private_token=hush": true,
	} {
		if err := schema.CheckRepository(cty.StringVal(address)); refused != (err != nil) || err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestPlacesMustNotHoldSecrets(t *testing.T) {
	t.Parallel()
	for place, refused := range map[string]bool{
		"https://example.org/x.tar.gz":                                      false,
		"https://example.org/x.tar.gz?file=a&version=1":                     false,
		"https://example.org/@scope/x.tgz":                                  false,
		"https://example.org/x?token=":                                      false,
		"oci://registry.example.org/esd/cache":                              false,
		"registry.example.org:5000/esd/lab:1":                               false,
		"debian@sha256:" + strings.Repeat("0", 64):                          false,
		"example.org/debian:12@sha256:" + strings.Repeat("0", 64):           false,
		"oci:dist/a@b:1":                                                    false,
		"../cache":                                                          false,
		"s3://bucket/prefix":                                                false,
		"https://example.org/x.tar.gz#token=hush":                           false, // never sent
		"https://user:hush@example.org/x.tar.gz":                            true,
		"https://hush@example.org/x.tar.gz":                                 true,
		"oci://user:hush@registry.example.org/esd/cache":                    true,
		"user:hush@registry.example.org/esd/lab:1":                          true,
		"https://example.org/x.tar.gz?private_token=hush":                   true,
		"https://example.org/x.tar.gz?a=b&Private-Token=hush":               true,
		"https://example.org/x.tar.gz?%74oken=hush":                         true,
		"https://example.org/x.tar.gz?a=b;access_token=hush":                true,
		"https://b.s3.amazonaws.com/k?X-Amz-Signature=hush&X-Amz-Date=1":    true,
		"https://a.blob.core.windows.net/c/b?sv=1&sig=hush#end":             true,
		"https://example.org?token=hush":                                    true,
		"https://example.org/@sha256:" + strings.Repeat("0", 64) + "?sig=a": true,
	} {
		err := schema.CheckNoSecret(place, "log in otherwise")
		if refused != (err != nil) {
			t.Errorf("%s: %v", place, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "log in otherwise")) {
			t.Errorf("%s: %v", place, err)
		}
	}
}
