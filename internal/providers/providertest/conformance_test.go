package providertest_test

import (
	"testing"

	"esd/internal/addr"
	"esd/internal/providers/providertest"
)

func TestProvidersKeepWhatThePlannerReliesOn(t *testing.T) {
	files := map[string]string{
		"main.hcl": `
recipe "tool" {
  version = "1"
  script  = "mkdir $prefix/bin && echo 'echo tool' > $prefix/bin/tool && chmod +x $prefix/bin/tool"
}
recipe "lib" {
  version = "1"
  script  = "mkdir $prefix/lib && echo lib > $prefix/lib/lib.txt"
}
recipe "app" {
  version     = "1.2"
  source { path = "src" }
  needs       = [recipe.lib]
  build_needs = [recipe.tool]
  env         = { GREETING = "hello" }
  script      = "cp a.txt $prefix/; $tool/bin/tool > $prefix/tool.txt; cat $lib/lib/lib.txt > $prefix/lib.txt"
}
target "image" "lab" {
  packages = [recipe.app]
  files    = { "/etc/motd" = "motd" }
  cmd      = ["/bin/true"]
  publish  = ["oci:dist/lab:1", "oci:dist/lab:2"]
}
`,
		"src/a.txt": "a", "motd": "welcome",
	}
	for _, address := range []string{"recipe.lib", "recipe.app", "target.image.lab"} {
		t.Run(address, func(t *testing.T) {
			p := newPlace(t, files)
			a, err := addr.Parse(address)
			if err != nil {
				t.Fatal(err)
			}
			providertest.Run(t, providertest.Case{Open: p.open, Address: a, Dir: p.dir})
		})
	}
}
