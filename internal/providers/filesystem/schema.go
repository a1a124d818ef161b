package filesystem

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/providers/environment"
	"esd/internal/schema"
)

var blockSchema = &schema.Block{
	Kind:    Kind,
	Summary: "A Spack install tree at a path, filled from build caches without Spack.",
	Doc: `All packages that the environments need to run are installed below the path, relocated to it, and recorded in Spack's own
database, under Spack's own locks. So the tree can serve as an upstream of another Spack:

` + "```yaml" + `
upstreams:
  site:
    install_tree: /opt/site
` + "```" + `

Only packages that the tree does not have are looked for, downloaded, or built. Others may use the same tree; what they
installed is left alone. A package that the target installed and that is no longer part of it is removed, unless something
else in the tree needs it. Destroying the target removes what it installed, and nothing else.

Packages can be installed below a path only if it is not longer than the one at which they were built: build them in a
padded store (the environment's ` + "`padded_length`" + `).`,
	Example: `target "filesystem" "site" {
  packages = [environment.sim]
  path     = "/opt/site"
}`,
	Attributes: []schema.Attribute{
		{Name: "packages", Type: cty.DynamicPseudoType, References: []string{environment.Kind}, Required: true,
			Doc: "The environments whose packages are installed, with all that those need to run. They must agree on the projection."},
		{Name: "path", Type: cty.String, Required: true, Check: checkPath,
			Doc: "The root of the install tree, relative to the module. It may be on any file system. A directory that has something in it must be an install tree."},
		{Name: "prune", Type: cty.Bool, Default: cty.True,
			Doc: "Whether packages are removed that this target installed and that are no longer part of it."},
		{Name: "jobs", Type: cty.Number, Check: checkJobs,
			Doc: "How many packages are installed at the same time. The default is one for each processor that the run may use, up to 16."},
	},
	Exports: []schema.Export{
		{Name: "name", Type: cty.String, Doc: "The name of the target."},
		{Name: "key", Type: cty.String, Doc: "The content key."},
		{Name: "path", Type: cty.String, Doc: "The root of the install tree, absolute."},
		{Name: "packages", Type: cty.Map(cty.String), Doc: "The prefixes of the packages that were asked for, by name."},
	},
	Repeats:   true,
	Lifecycle: true,
}

// checkPath refuses what cannot be a tree wherever the module is. Paths end up
// in search paths, first lines of scripts and makefiles, which know no quotes.
func checkPath(v cty.Value) error {
	s := v.AsString()
	switch {
	case s == "":
		return errors.New("the path is empty")
	case path.Clean(s) == "/":
		return errors.New("the root of the file system is no install tree; give a directory of its own, such as /opt/site")
	}
	return checkCharacters(s)
}

func checkCharacters(s string) error {
	for _, c := range []byte(s) {
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("/._+-@=,", c) >= 0
		if !ok {
			return fmt.Errorf("%q has a %q in it, with which programs that are installed there would not work: use letters, digits and ._+-@=, only", s, c)
		}
	}
	return nil
}

func checkJobs(v cty.Value) error {
	if n, acc := v.AsBigFloat().Int64(); acc != 0 || n < 1 || n > 1024 {
		return errors.New("the number of jobs is a whole number from 1 to 1024")
	}
	return nil
}
