package workspace

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/state/backend"
	"esd/internal/state/backend/kinds"
)

// openBackend finds where the state is kept.
func (w *Workspace) openBackend() (backend.Backend, error) {
	name, said := kinds.All()[0].Name, cty.NilVal
	if w.Config.State != nil {
		name, said = w.Config.State.Kind, w.Config.State.Config
	}
	return w.backendOf(name, said)
}

// backendOf opens the backend of a kind with what a state block says.
func (w *Workspace) backendOf(name string, said cty.Value) (backend.Backend, error) {
	kind := kinds.Find(name)
	if kind == nil {
		var names []string
		for _, k := range kinds.All() {
			names = append(names, fmt.Sprintf("%q", k.Name))
		}
		return nil, fmt.Errorf("there is no state %q; a state is kept by one of %s", name, strings.Join(names, ", "))
	}
	getenv := w.opts.Environ
	if getenv == nil {
		getenv = func(string) (string, bool) { return "", false }
	}
	settings, err := kind.Decode(said, getenv)
	if err != nil {
		return nil, err
	}
	return kind.Open(settings, backend.Env{
		Dir: filepath.Dir(w.WorkDir), WorkDir: w.WorkDir, Name: w.Config.Name, Getenv: getenv, UserAgent: "esd/" + w.opts.Version,
	})
}
