package environment

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

func TestConfigurationOfSpackMustNotHoldSecrets(t *testing.T) {
	t.Parallel()
	for config, refused := range map[string]bool{
		`{"mirrors": {"m": "https://example.org/mirror"}}`:                                                  false,
		`{"mirrors": {"m": {"url": "oci://example.org/m", "access_token_variable": "TOKEN"}}}`:              false,
		`{"mirrors": {"m": {"push": {"access_pair": {"id": "me", "secret_variable": "TOKEN"}}}}}`:           false,
		`{"packages": {"all": {"require": ["target=zen3", "%gcc@12"]}, "openssl": {"externals": null}}}`:    false,
		`{"packages": {"m": {"externals": [{"spec": "m@1 foo=bar@baz", "prefix": "/opt/a@b"}]}}}`:           false,
		`{"mirrors": {"m": "https://user:hush@example.org/mirror"}}`:                                        true,
		`{"mirrors": {"m": {"url": "https://example.org/mirror?token=hush"}}}`:                              true,
		`{"mirrors": {"m": {"url": "oci://example.org/m", "access_token": "hush"}}}`:                        true,
		`{"mirrors": {"m": {"fetch": {"url": "oci://example.org/m", "access_pair": ["me", "hush"]}}}}`:      true,
		`{"mirrors": {"m": {"url": "oci://example.org/m", "access_pair": {"id": "me", "secret": "hush"}}}}`: true,
		`{"repos": {"r": {"git": "ssh://git@example.org/r.git"}}}`:                                          false,
		`{"repos": {"r": {"git": "https://hush@example.org/r.git"}}}`:                                       true,
	} {
		typ, err := ctyjson.ImpliedType([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		v, err := ctyjson.Unmarshal([]byte(config), typ)
		if err != nil {
			t.Fatal(err)
		}
		err = checkConfig(v)
		if refused != (err != nil) || err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", config, err)
		}
	}
	if err := checkNoSecrets(cty.UnknownVal(cty.String)); err != nil {
		t.Error(err)
	}
}
