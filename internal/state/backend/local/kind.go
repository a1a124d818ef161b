package local

import (
	"path/filepath"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/schema"
	"esd/internal/state/backend"
)

// Kind describes state "local".
func Kind() backend.Kind {
	return backend.Kind{
		Name:    "local",
		Summary: "In a file.",
		Doc: "The version before stands beside it as `PATH.backup`. The lock is one of the operating system, so that it ends with " +
			"the process that holds it, however that ends.",
		Example: `state "local" { path = "state/production.json" }`,
		Attributes: []backend.Attribute{{Attribute: schema.Attribute{
			Name: "path", Type: cty.String,
			Doc: "The file, relative to the configuration. Default: `.esd/NAME.state.json`.",
		}}},
		Open: func(s backend.Settings, env backend.Env) (backend.Backend, error) {
			path := s.String("path")
			switch {
			case path == "":
				path = filepath.Join(env.WorkDir, env.Name+".state.json")
			case !filepath.IsAbs(path):
				path = filepath.Join(env.Dir, path)
			}
			return New(path), nil
		},
	}
}
