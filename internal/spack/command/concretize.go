package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// ConcretizeRequest asks for a lock.
type ConcretizeRequest struct {
	// Manifest is a spack.yaml; its view is left out, as nothing is installed.
	// Without it, Specs are concretized together.
	Manifest []byte
	Specs    []string
	// Files are further files beside the manifest that it includes, by their paths
	// relative to it.
	Files map[string][]byte
	// Timeout and Silence are as in [BuildRequest].
	Timeout, Silence time.Duration
	// Output gets what Spack prints; may be nil.
	Output io.Writer
}

// Concretize lets Spack solve for concrete packages, from recipes and
// configuration alone: nothing that happens to be installed or in a cache is
// preferred. It returns the spack.lock as Spack wrote it.
func (i *Instance) Concretize(ctx context.Context, r ConcretizeRequest) ([]byte, error) {
	manifest, err := r.manifest()
	if err != nil {
		return nil, err
	}
	env, remove, err := i.environment(ctx, manifest, nil)
	if err != nil {
		return nil, err
	}
	defer remove()
	for name, data := range r.Files {
		if !filepath.IsLocal(name) {
			return nil, fmt.Errorf("concretizing: %s is not a path beside the manifest", name)
		}
		if err := writeFile(filepath.Join(env, name), data); err != nil {
			return nil, err
		}
	}
	run := running{doing: "concretizing", env: env, output: r.Output, timeout: r.Timeout, silence: r.Silence}
	if err := i.run(ctx, run, "concretize", "--fresh"); err != nil {
		var failed *RunError
		if errors.As(err, &failed) && errors.Is(failed.Cause, ErrBuildFailed) {
			failed.Cause = ErrNotConcretized
		}
		return nil, err
	}
	lock, err := os.ReadFile(filepath.Join(env, "spack.lock"))
	if err != nil {
		return nil, fmt.Errorf("concretizing: Spack wrote no lock: %w; does the manifest have any specs?", ErrNotConcretized)
	}
	return lock, nil
}

func (r *ConcretizeRequest) manifest() ([]byte, error) {
	switch {
	case r.Manifest != nil && r.Specs != nil:
		return nil, errors.New("concretizing: give a manifest or specs, not both")
	case r.Manifest != nil:
		return withoutView(r.Manifest)
	case len(r.Specs) == 0:
		return nil, errors.New("concretizing: there is nothing to concretize")
	}
	return marshal(object{{"spack", object{{"specs", r.Specs}, {"view", false}, {"concretizer", object{{"unify", true}}}}}})
}

// running is a run of Spack whose product is a file.
type running struct {
	doing, env       string
	output           io.Writer
	timeout, silence time.Duration
	writes, reads    []string
}

// run runs Spack and turns all that is no success into a [*RunError].
func (i *Instance) run(ctx context.Context, r running, args ...string) error {
	follow := &follower{each: func(string) {}}
	var out io.Writer = follow
	if r.output != nil {
		out = io.MultiWriter(follow, r.output)
	}
	watched, out, stop := watch(ctx, r.timeout, r.silence, out)
	defer stop()
	c := i.command(r.env, args...)
	c.Output, c.Writes, c.Reads = out, append(c.Writes, r.writes...), append(c.Reads, r.reads...)
	exit, err := i.settings.Run(watched, c)
	said := string(follow.tail.kept)
	if why := cause(watched, exit, err, said); why != nil {
		return &RunError{Doing: r.doing, Cause: why, Exit: exit, Said: essence(said)}
	}
	return nil
}
