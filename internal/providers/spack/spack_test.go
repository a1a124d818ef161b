package spack

import (
	"testing"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
)

// Addresses of repositories stand in plans, logs and the lock file.
func TestNoRepositoryMayCarryASecret(t *testing.T) {
	blocks := map[string]schema.Block{"spack": *Kind{}.Schema(), "package_repository": Kind{}.Schema().Blocks[0].Block}
	for name, block := range blocks {
		found := false
		for _, a := range block.Attributes {
			if a.Name != "repository" {
				continue
			}
			found = true
			if a.Check == nil || a.Check(cty.StringVal("https://token@host/spack.git")) == nil {
				t.Errorf("%s: a token is accepted", name)
			}
			if a.Check != nil && a.Check(cty.StringVal("https://host/spack.git")) != nil {
				t.Errorf("%s: a plain address is refused", name)
			}
		}
		if !found {
			t.Errorf("%s has no repository", name)
		}
	}
}
