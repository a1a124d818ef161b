package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"esd/internal/artifact"
	"esd/internal/oci"
	"esd/internal/providers"
	"esd/internal/providers/cache"
	"esd/internal/providers/environment"
)

// assembly is one image at work.
type assembly struct {
	provider *Provider
	run      providers.Run
	image    imageSpec
	caches   []opened
	found    map[string]foundRecord // by content key; what is not in it was not looked for, or is not there

	published map[string]publishedLayer      // by content key
	archives  map[string]environment.Archive // by the content key of the package's layer
	meter     meter
}

// opened is a cache that is open.
type opened struct {
	settings cache.Settings
	cache    artifact.Cache
}

// assembled is what is kept of an assembled image until it is published: its
// configuration and manifest, which refer to layers by digest.
type assembled struct {
	Manifest []byte      `json:"manifest"`
	Config   []byte      `json:"config"`
	Layers   []keptLayer `json:"layers"`
	Base     []keptLayer `json:"base,omitempty"`
}

// keptLayer is one layer: an artifact of the caches, or a layer of the base.
type keptLayer struct {
	Descriptor ocispec.Descriptor `json:"descriptor"`
	Title      string             `json:"title,omitempty"`
	// Artifact is the content key under which caches hold the layer.
	Artifact string `json:"artifact,omitempty"`
	// Place is the published image that has the layer, if one has.
	Place *place `json:"place,omitempty"`
}

// assemble makes the layers that no cache has, the configuration and the
// manifest, and keeps the latter two.
func (a *assembly) assemble(ctx context.Context) (providers.Result, error) {
	if err := a.openCaches(ctx); err != nil {
		return providers.Result{}, err
	}
	platform, err := oci.ParsePlatform(a.image.Platform)
	if err != nil {
		return providers.Result{}, err
	}
	base, err := a.loadBase(ctx, platform)
	if err != nil {
		return providers.Result{}, err
	}
	if err := a.findPublished(ctx, platform); err != nil {
		return providers.Result{}, err
	}
	if err := a.lookUp(ctx); err != nil {
		return providers.Result{}, err
	}
	fromBase := 0
	if base != nil {
		fromBase = len(base.Layers)
	}
	a.meter.tell = a.run.Progress
	layers, err := a.layers(ctx)
	if err != nil {
		return providers.Result{}, err
	}
	if n := fromBase + len(layers); n > maxLayers {
		return providers.Result{}, fmt.Errorf("the image would have %d layers, %d of them from its base, and container engines accept %d: "+
			"use a base with fewer layers, or plan again if this plan was made with --refresh=false", n, fromBase, maxLayers)
	}
	img, err := oci.Assemble(oci.AssembleOptions{
		Base: base, Layers: layers, Platform: platform, Labels: a.image.Labels, Key: a.run.Key, Annotations: a.image.annotations(),
		Config: ocispec.ImageConfig{
			User: a.image.User, Entrypoint: a.image.Entrypoint, Cmd: a.image.Cmd, Env: a.image.Env, WorkingDir: a.image.Workdir,
		},
	})
	if err != nil {
		return providers.Result{}, err
	}
	if err := a.keep(img, fromBase); err != nil {
		return providers.Result{}, err
	}
	return providers.Result{Attributes: map[string]any{
		"digest": string(img.ManifestDescriptor.Digest), "size": totalSize(img),
	}, Downloaded: a.meter.remote}, nil
}

func (a *assembly) openCaches(ctx context.Context) error {
	for _, settings := range a.image.Caches {
		c, err := a.provider.opts.Caches.Open(ctx, settings)
		if err != nil {
			return err
		}
		a.caches = append(a.caches, opened{settings, c})
	}
	return nil
}

func (a *assembly) loadBase(ctx context.Context, platform ocispec.Platform) (*oci.Image, error) {
	if a.image.Base.Reference == "" {
		return nil, nil
	}
	store, _, err := a.provider.open(ctx, a.image.Base.Reference, a.image.Base.Transport)
	if err != nil {
		return nil, err
	}
	return oci.LoadImage(ctx, store, a.image.Base.Digest, platform)
}

// path is where what was assembled is kept until all of it is published.
func (a *assembly) path() string {
	return filepath.Join(a.provider.opts.WorkDir, "images", a.run.Key+".json")
}

func (a *assembly) keep(img *oci.Assembled, fromBase int) error {
	kept := assembled{Manifest: img.Manifest, Config: img.Config}
	for i, l := range img.Layers {
		k := keptLayer{Descriptor: l.Descriptor, Title: l.Title}
		if i >= fromBase {
			k.Artifact = l.Descriptor.Annotations[oci.AnnotationKey]
			if p, ok := a.published[k.Artifact]; ok && p.Descriptor.Digest == l.Descriptor.Digest {
				k.Place = &p.place
			}
		}
		kept.Layers = append(kept.Layers, k)
	}
	data, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(a.path()), 0o755); err != nil {
		return err
	}
	return writeAtomic(a.path(), data)
}

// load brings back what was assembled; it assembles anew where that is gone.
func (a *assembly) load(ctx context.Context) (*oci.Assembled, error) {
	data, err := os.ReadFile(a.path())
	if errors.Is(err, os.ErrNotExist) {
		if _, err = a.assemble(ctx); err != nil {
			return nil, err
		}
		data, err = os.ReadFile(a.path())
	}
	if err != nil {
		return nil, err
	}
	var kept assembled
	if err := json.Unmarshal(data, &kept); err != nil {
		return nil, fmt.Errorf("%s is damaged (%w): remove it and run the same command again", a.path(), err)
	}
	if a.caches == nil {
		if err := a.openCaches(ctx); err != nil {
			return nil, err
		}
	}
	img := &oci.Assembled{
		Manifest: kept.Manifest, Config: kept.Config,
		ManifestDescriptor: oci.Describe(ocispec.MediaTypeImageManifest, kept.Manifest),
		ConfigDescriptor:   oci.Describe(ocispec.MediaTypeImageConfig, kept.Config),
	}
	for _, k := range kept.Layers {
		layer, err := a.reopen(ctx, k)
		if err != nil {
			return nil, err
		}
		img.Layers = append(img.Layers, layer)
	}
	return img, nil
}

// reopen makes a kept layer readable again. Nothing is asked of anybody before
// the layer is really read.
func (a *assembly) reopen(ctx context.Context, k keptLayer) (oci.Layer, error) {
	layer := oci.Layer{Descriptor: k.Descriptor, Title: k.Title, Key: k.Artifact}
	if k.Artifact == "" {
		store, ref, err := a.provider.open(ctx, a.image.Base.Reference, a.image.Base.Transport)
		if err != nil {
			return layer, err
		}
		if ref.Layout == "" {
			layer.Mounts = []oci.MountSource{{Registry: ref.Registry, Repository: ref.Repository}}
		}
		layer.Open = func(ctx context.Context) (io.ReadCloser, error) { return store.Fetch(ctx, k.Descriptor) }
		return layer, nil
	}
	layer.Mounts = a.mounts(k)
	layer.Open = func(ctx context.Context) (io.ReadCloser, error) { return a.openKept(ctx, k) }
	return layer, nil
}

// openKept reads a layer from a cache or else from where it is published.
func (a *assembly) openKept(ctx context.Context, k keptLayer) (io.ReadCloser, error) {
	another := false
	for _, c := range a.caches {
		record, err := c.cache.Get(ctx, k.Artifact)
		switch {
		case err == nil && record.Archive.Digest == k.Descriptor.Digest:
			return c.cache.Open(ctx, record)
		case err != nil && !errors.Is(err, artifact.ErrNotFound):
			return nil, fmt.Errorf("cache %q (%s): %w", c.settings.Name, c.settings.URL, err)
		}
		another = another || err == nil
	}
	switch {
	case k.Place != nil:
		store, _, err := a.provider.open(ctx, k.Place.Reference, k.Place.Transport)
		if err != nil {
			return nil, err
		}
		return store.Fetch(ctx, k.Descriptor)
	case another:
		return nil, fmt.Errorf("the cache has another product for %s than the image was assembled from: "+
			"remove %s and run the same command again", k.Title, a.path())
	}
	return nil, fmt.Errorf("layer %s: %w", k.Title, artifact.ErrNotFound)
}

// mounts are the repositories of the caches: a registry that has a layer there
// need not get it again.
func (a *assembly) mounts(k keptLayer) []oci.MountSource {
	var list []oci.MountSource
	for _, c := range a.caches {
		record := artifact.Record{Key: k.Artifact, Archive: artifact.Descriptor{Digest: k.Descriptor.Digest, Size: k.Descriptor.Size}}
		if m, ok := c.cache.LocateLayer(record); ok {
			list = append(list, m)
		}
	}
	if k.Place != nil {
		if ref, err := oci.ParseRef(k.Place.Reference); err == nil && ref.Layout == "" {
			list = append(list, oci.MountSource{Registry: ref.Registry, Repository: ref.Repository})
		}
	}
	return list
}

// foundRecord is a record and the cache that has it.
type foundRecord struct {
	opened
	record artifact.Record
}

// lookUp looks for all layers that are not published, and for the packages in
// them, at once: distant caches are asked side by side.
func (a *assembly) lookUp(ctx context.Context) error {
	a.found = map[string]foundRecord{}
	wanted := map[string]bool{}
	for _, l := range a.image.Layers {
		if _, published := a.published[l.Key]; published {
			continue
		}
		wanted[l.Key] = true
		for _, p := range l.Packages {
			wanted[p.Key] = true
		}
	}
	missing := slices.Sorted(maps.Keys(wanted))
	for _, c := range a.caches {
		if len(missing) == 0 {
			break
		}
		records, err := c.cache.Has(ctx, missing)
		if err != nil {
			return fmt.Errorf("cache %q (%s): %w", c.settings.Name, c.settings.URL, err)
		}
		for key, record := range records {
			a.found[key] = foundRecord{c, record}
		}
		missing = slices.DeleteFunc(missing, func(key string) bool { _, ok := records[key]; return ok })
	}
	return nil
}

// find looks for an artifact in the caches, in their order.
func (a *assembly) find(ctx context.Context, key string) (foundRecord, error) {
	if found, ok := a.found[key]; ok {
		return found, nil
	}
	for _, c := range a.caches {
		record, err := c.cache.Get(ctx, key)
		if err == nil {
			return foundRecord{c, record}, nil
		}
		if !errors.Is(err, artifact.ErrNotFound) {
			return foundRecord{}, fmt.Errorf("cache %q (%s): %w", c.settings.Name, c.settings.URL, err)
		}
	}
	return foundRecord{}, artifact.ErrNotFound
}

func writeAtomic(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
