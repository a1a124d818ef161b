package environment

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"esd/internal/providers"
	"esd/internal/spack/mirror"
)

// fetchSources brings everything that building the package needs into the
// first source mirror that takes it. The others are asked before the rest of
// the world.
func (j *job) fetchSources(ctx context.Context) (providers.Result, error) {
	var opts mirror.Options
	dir := ""
	for _, m := range j.step.Sources {
		if m.Push && dir == "" {
			dir = strings.TrimPrefix(m.URL, "file://")
			continue
		}
		place, err := mirror.OpenPlace(m.URL, nil)
		if err != nil {
			return providers.Result{}, fmt.Errorf("cache %q: %w", m.Name, err)
		}
		opts.Mirrors = append(opts.Mirrors, place)
	}
	if dir == "" {
		return providers.Result{}, errors.New("no source mirror takes the sources: none of the environment's `cache \"sources\"` has push = true")
	}
	sources, err := j.sources(ctx)
	if err != nil {
		return providers.Result{}, err
	}
	result := providers.Result{Reused: true}
	opts.Events = func(e mirror.Event) {
		result.Size += e.Bytes
		result.Downloaded += e.Bytes
		result.Reused = result.Reused && e.From == ""
		fmt.Fprintf(j.run.Log, "esd: source %s %s\n", e.Source.Path, e.From)
	}
	if err := mirror.Fetch(ctx, dir, sources, opts); err != nil {
		return result, fmt.Errorf("sources of %s %s: %w", j.spec.Name, j.spec.Version, err)
	}
	return result, nil
}
