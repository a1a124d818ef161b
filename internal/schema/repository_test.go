package schema

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func TestAddressOfRepositoryMayCarryNoSecret(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://host/x.git":               true,
		"http://host:8080/x@1":             true,
		"git@host:team/x.git":              true,
		"ssh://git@host/x.git":             true,
		"git+ssh://git@host:22/x.git":      true,
		"../sources/x@y:z":                 true,
		"/srv/git/x":                       true,
		"http://user:s3cr3t@host/x":        false,
		"https://token@host/x":             false,
		"HTTPS://token@host":               false,
		"ssh://git:s3cr3t@host/x":          false,
		"git:s3cr3t@host:x":                false,
		"https://user:p@ss@host/x":         false,
		"http::https://user:s3cr3t@host/x": false,
	} {
		err := CheckRepository(cty.StringVal(address))
		if (err == nil) != ok {
			t.Errorf("%s: got %v", address, err)
		}
		if err != nil && (strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), "token@")) {
			t.Errorf("%s: the error tells the secret: %v", address, err)
		}
	}
}
