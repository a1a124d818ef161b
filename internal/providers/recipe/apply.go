package recipe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"esd/internal/archive"
	"esd/internal/artifact"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/sandbox"
)

// Apply builds or fetches a package.
func (p *Provider) Apply(ctx context.Context, run providers.Run) (providers.Result, error) {
	var st stepSpec
	if err := json.Unmarshal(run.Spec, &st); err != nil {
		return providers.Result{}, fmt.Errorf("the plan is damaged: %w", err)
	}
	box, why, err := choose(ctx, st.Sandbox)
	if err != nil {
		return providers.Result{}, err
	}
	place, err := p.store.place(box, st.Root)
	if err != nil {
		return providers.Result{}, err
	}
	for _, dir := range []string{place.dir, filepath.Join(place.dir, metaDir)} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return providers.Result{}, err
		}
	}
	lock, err := lockPackage(ctx, place, st.Base)
	if err != nil {
		return providers.Result{}, err
	}
	defer lock.Close()
	job := &job{provider: p, run: run, step: st, place: place, lock: lock, box: box, why: why}
	switch run.Op {
	case opFetch:
		return job.fetch(ctx)
	case opPush:
		return job.push(ctx)
	case opBuild:
		return job.build(ctx)
	}
	return providers.Result{}, fmt.Errorf("recipes have no operation %q; the plan was made by another version of esd", run.Op)
}

// job is one step at work.
type job struct {
	provider *Provider
	run      providers.Run
	step     stepSpec
	place    place
	lock     *os.File // of the package in the place
	box      sandbox.Sandbox
	why      string // this sandbox was chosen
}

// cached finds the product in the caches; false if none has it, or none has
// it whole.
func (j *job) cached(ctx context.Context) (artifact.Cache, artifact.Record, cache.Settings, bool, error) {
	for _, settings := range j.step.Caches {
		c, err := j.provider.opts.Caches.Open(ctx, settings)
		if err != nil {
			return nil, artifact.Record{}, settings, false, err
		}
		record, err := c.Get(ctx, j.run.Key)
		var corrupt *artifact.CorruptError
		switch {
		case err == nil:
			return c, record, settings, true, nil
		case errors.Is(err, artifact.ErrNotFound), errors.As(err, &corrupt):
			continue
		default:
			return nil, record, settings, false, fromCache(settings, err)
		}
	}
	return nil, artifact.Record{}, cache.Settings{}, false, nil
}

// fromCache says which cache an error is about. What may go away by waiting was
// tried again in package oci already.
func fromCache(s cache.Settings, err error) error {
	return fmt.Errorf("cache %q (%s): %w", s.Name, s.URL, err)
}

// fetch unpacks the product from a cache.
func (j *job) fetch(ctx context.Context) (providers.Result, error) {
	c, record, settings, ok, err := j.cached(ctx)
	if err != nil {
		return providers.Result{}, err
	}
	if !ok {
		return providers.Result{}, fmt.Errorf("%s is in no cache any more; the next plan will build it", j.step.Base)
	}
	result, err := j.install(ctx, c, record, settings)
	var corrupt *artifact.CorruptError
	if errors.As(err, &corrupt) {
		err = fmt.Errorf("%w; %s", err, cure(settings, record))
	}
	return result, err
}

// push brings the product from the cache that has it to those that lack it.
func (j *job) push(ctx context.Context) (providers.Result, error) {
	from, record, settings, ok, err := j.cached(ctx)
	if err != nil {
		return providers.Result{}, err
	}
	if !ok {
		return providers.Result{}, fmt.Errorf("%s is in no cache any more; the next plan will build it", j.step.Base)
	}
	result := providers.Result{Attributes: j.attributes(record), Size: record.Archive.Size}
	for _, to := range j.step.Caches {
		if !to.Push || to == settings {
			continue
		}
		c, err := j.provider.opts.Caches.Open(ctx, to)
		if err != nil {
			return result, err
		}
		if _, err := c.Put(ctx, record, func() (io.ReadCloser, error) { return from.Open(ctx, record) }); err != nil {
			return result, fromCache(to, err)
		}
		if to.Remote() {
			result.Uploaded += record.Archive.Size
		}
	}
	if settings.Remote() {
		result.Downloaded = record.Archive.Size
	}
	return result, nil
}

// cure says what to do about a damaged product. A directory cache has dropped it
// by now; a registry keeps what it has under a digest.
func cure(s cache.Settings, record artifact.Record) string {
	if s.Remote() {
		return fmt.Sprintf("remove the blob %s from the registry and run the same command again to build it anew", record.Archive.Digest)
	}
	return "run the same command again to build it anew"
}

// install unpacks a product into the place, unless it stands there.
func (j *job) install(ctx context.Context, c artifact.Cache, record artifact.Record, settings cache.Settings) (providers.Result, error) {
	result := providers.Result{Attributes: j.attributes(record), Size: record.Archive.Size}
	if i, ok := j.place.read(j.step.Base); ok && i.Key == j.run.Key {
		result.Reused = true
		return result, nil
	}
	if err := j.place.remove(j.step.Base); err != nil {
		return result, err
	}
	r, err := c.Open(ctx, record)
	if err != nil {
		return result, fromCache(settings, err)
	}
	defer r.Close()
	fmt.Fprintf(j.run.Log, "esd: unpacking %s from %s\n", j.step.Base, c.Location())
	_, err = archive.UnpackAtomic(ctx, &progressReader{r: r, total: record.Archive.Size, tell: j.run.Progress}, archive.UnpackOptions{
		Dest: j.place.path(j.step.Base), At: j.inArchive(), Links: archive.LinksAnywhere,
		Relocate: j.place.in(), Expect: record.Archive.Digest,
	})
	if err != nil {
		return result, fromCache(settings, err)
	}
	if settings.Remote() {
		result.Downloaded = record.Archive.Size
	}
	return result, j.place.complete(j.step.Base, installed{j.run.Key, j.step.Needs})
}

// inArchive is where the package stands in its archive.
func (j *job) inArchive() string { return (j.step.Root + "/" + j.step.Base)[1:] }

func (j *job) attributes(record artifact.Record) map[string]any {
	return attributes(&spec{version: j.step.Version, root: j.step.Root, base: j.step.Base}, record)
}
