package environment

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/spack/mirror"
)

// fetchSources brings everything that building the package needs into the mirror from
// which Spack builds: from the other mirrors, or else from the rest of the world. The
// others get what they lack.
func (j *job) fetchSources(ctx context.Context) (providers.Result, error) {
	result := providers.Result{Reused: true}
	dir := j.sourceMirror()
	opts := mirror.Options{Others: j.otherSources, Events: func(e mirror.Event) { j.tellSource(e, &result) }}
	for _, s := range j.step.Sources {
		if s.Directory() == dir {
			continue
		}
		m, err := j.mirrors.Open(s)
		if err != nil {
			return result, err
		}
		opts.Mirrors = append(opts.Mirrors, m)
	}
	sources, err := j.sources(ctx)
	if err != nil {
		return result, err
	}
	if err := mirror.Fetch(ctx, dir, sources, opts); err != nil {
		return result, fmt.Errorf("sources of %s %s: %w", j.spec.Name, j.spec.Version, err)
	}
	return result, nil
}

// takesSources reports whether sources are fetched before anything is built, which then
// needs no network. Any mirror will do: what comes from one that is only read is kept
// below the working data.
func takesSources(mirrors []cache.Sources) bool { return len(mirrors) > 0 }

// sourceMirror is the directory of sources from which Spack builds. Builds have no
// network: it is the first directory that takes sources, or one that all environments
// of the configuration share.
func (j *job) sourceMirror() string {
	for _, s := range j.step.Sources {
		if s.Push && s.Directory() != "" {
			return s.Directory()
		}
	}
	return filepath.Join(j.opts.WorkDir, "spack", "mirror")
}

// otherSources lets Spack fetch what only it can: checkouts.
func (j *job) otherSources(ctx context.Context, dir string, sources []mirror.Source) error {
	for _, s := range sources {
		fmt.Fprintf(j.run.Log, "esd: asking Spack for %s\n", s.Path)
	}
	in, err := j.instance(ctx, true)
	if err != nil {
		return err
	}
	lock, err := j.step.Lock.text()
	if err != nil {
		return err
	}
	return in.Others(lock)(ctx, dir, sources)
}

// tellSource logs and counts a source. What crosses no network is not counted.
func (j *job) tellSource(e mirror.Event, result *providers.Result) {
	fmt.Fprintf(j.run.Log, "esd: source %s %s\n", e.Source.Path, e.From)
	result.Reused = result.Reused && e.From == "" && len(e.To) == 0
	result.Size += e.Bytes
	if !strings.HasPrefix(e.From, "file://") {
		result.Downloaded += e.Bytes
	}
	for _, to := range e.To {
		fmt.Fprintf(j.run.Log, "esd: stored %s in %s\n", e.Source.Path, to)
		if !strings.HasPrefix(to, "file://") {
			result.Uploaded += e.Size
		}
	}
}
