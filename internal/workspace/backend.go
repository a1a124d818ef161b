package workspace

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"esd/internal/state/backend"
	"esd/internal/state/backend/kinds"
)

// openBackend finds where the state is kept, and what this machine remembers of
// it.
func (w *Workspace) openBackend() (backend.Backend, error) {
	name, said := kinds.All()[0].Name, cty.NilVal
	if w.Config.State != nil {
		name, said = w.Config.State.Kind, w.Config.State.Config
	}
	at, b, err := w.backendOf(name, said)
	if err != nil {
		return nil, err
	}
	return &remembering{Backend: b, at: at, file: w.seenPath(), before: w.unremembered}, nil
}

// backendOf opens the backend of a kind with what a state block says, and tells
// what can be remembered of it.
func (w *Workspace) backendOf(name string, said cty.Value) (place, backend.Backend, error) {
	kind, err := findKind(name)
	if err != nil {
		return place{}, nil, err
	}
	env := w.backendEnv()
	settings, err := kind.Decode(said, env.Getenv)
	if err != nil {
		return place{}, nil, err
	}
	at, err := placeOf(kind, settings)
	if err != nil {
		return place{}, nil, err
	}
	b, err := kind.Open(settings, env)
	if err == nil {
		b = w.patiently(b)
	}
	return at, b, err
}

// patiently makes a backend tell when its place takes long to answer. A file is
// not waited for.
func (w *Workspace) patiently(b backend.Backend) backend.Backend {
	remote, ok := b.(interface{ Location() string })
	if !ok || w.opts.Slow == nil {
		return b
	}
	return &patient{Backend: b, location: remote.Location(), after: slowAfter, tell: w.opts.Slow}
}

func findKind(name string) (*backend.Kind, error) {
	kind := kinds.Find(name)
	if kind == nil {
		var names []string
		for _, k := range kinds.All() {
			names = append(names, fmt.Sprintf("%q", k.Name))
		}
		return nil, fmt.Errorf("there is no state %q; a state is kept by one of %s", name, strings.Join(names, ", "))
	}
	return kind, nil
}

// backendEnv is what a backend knows of this configuration.
func (w *Workspace) backendEnv() backend.Env {
	getenv := w.opts.Environ
	if getenv == nil {
		getenv = func(string) (string, bool) { return "", false }
	}
	return backend.Env{
		Dir: filepath.Dir(w.WorkDir), WorkDir: w.WorkDir, Name: w.Config.Name, Getenv: getenv, UserAgent: "esd/" + w.opts.Version,
	}
}
