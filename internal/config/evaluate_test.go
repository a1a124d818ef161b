package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func addresses(e *Evaluated) []string {
	var list []string
	for _, o := range e.Objects {
		list = append(list, o.Address.String())
	}
	return list
}

func TestObjectsComeAfterWhatTheyDependOn(t *testing.T) {
	_, e := good(t, `
recipe "a" {
  version = "1"
  needs   = [recipe.z]
  source { path = "src/a" }
}
recipe "z" { version = "2" }
target "image" "lab" {
  for_each = toset(["x", "y"])
  packages = [recipe.a]
  base     = "debian:${each.key}"
}
output "digest" { value = target.image.lab["x"].digest }
`)
	want := []string{"recipe.z", "recipe.a", `target.image.lab["x"]`, `target.image.lab["y"]`}
	if diff := cmp.Diff(want, addresses(e)); diff != "" {
		t.Error(diff)
	}
}
