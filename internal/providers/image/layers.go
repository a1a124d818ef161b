package image

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"esd/internal/archive"
	"esd/internal/artifact"
	"esd/internal/oci"
	"esd/internal/providers"
	"esd/internal/providers/cache"
)

const (
	// maxLayers is how many layers container engines accept in an image.
	maxLayers = 127
	// maxOwnLayers is up to how many packages each has a layer of its own, unless
	// the base leaves room for fewer.
	maxOwnLayers = 100
	// groups is how many layers the packages share when there are more. It does
	// not depend on their number, so that one more package changes one layer.
	groups = 64
	// epoch is the time that files in layers carry: 1980-01-01.
	epoch = 315532800
	// layerKind is the kind under which caches hold layers that are not the
	// archive of a package as it is.
	layerKind = "layer"
	// maxName is how much of the title of a merged layer is kept, in bytes.
	maxName = 512
)

// layers gives the layers of the image above its base. Layers that no cache
// has as they must be are made and put into the caches.
// The base has some already.
func (a *assembly) layers(ctx context.Context, fromBase int) ([]oci.Layer, error) {
	own := min(maxOwnLayers, maxLayers-fromBase-1)
	if own < groups && len(a.image.Packages) > own {
		return nil, fmt.Errorf("the base image has %d layers, and container engines accept %d in all: too few are left for the packages; "+
			"use a base with fewer layers", fromBase, maxLayers)
	}
	var layers []oci.Layer
	for _, group := range group(a.image.Packages, own) {
		layer, err := a.packages(ctx, group)
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	if len(a.image.Files) > 0 {
		layer, err := a.files(ctx)
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	return layers, nil
}

// group distributes packages over layers: one each, or, where there are too
// many, by their names, so that a package always shares its layer with the
// same ones.
func group(packages []packageRef, own int) [][]packageRef {
	if len(packages) <= own {
		out := make([][]packageRef, len(packages))
		for i, p := range packages {
			out[i] = []packageRef{p}
		}
		return out
	}
	buckets := make([][]packageRef, groups)
	for _, p := range packages {
		h := fnv.New32a()
		_, _ = io.WriteString(h, p.Title)
		i := h.Sum32() % groups
		buckets[i] = append(buckets[i], p)
	}
	var out [][]packageRef
	for _, b := range buckets {
		if len(b) > 0 {
			out = append(out, b)
		}
	}
	return out
}

// packages gives the layer of one group. That of a single package is its
// archive as it is, unless another compression is asked for.
func (a *assembly) packages(ctx context.Context, group []packageRef) (oci.Layer, error) {
	if len(group) == 1 && a.image.Compression == "zstd" {
		found, err := a.find(ctx, group[0].Key)
		if errors.Is(err, artifact.ErrNotFound) {
			return oci.Layer{}, fmt.Errorf("%s is in no cache any more: run the same command again to build it", group[0].Title)
		}
		if err != nil {
			return oci.Layer{}, err
		}
		return a.layer(found, group[0].Title), nil
	}
	key := providers.NewKey(layerKind, keyVersion)
	key.AddValue("compression", a.image.Compression)
	title := ""
	for _, p := range group {
		key.AddDigest(p.Title, p.Key)
		if title != "" {
			title += ", "
		}
		title += p.Title
	}
	return a.made(ctx, key, title, func(w io.Writer) (archive.Summary, error) { return a.merge(ctx, w, group) })
}

// merge writes the archives of several packages as one.
func (a *assembly) merge(ctx context.Context, w io.Writer, group []packageRef) (archive.Summary, error) {
	compression, err := archive.ParseCompression(a.image.Compression)
	if err != nil {
		return archive.Summary{}, err
	}
	var open []func() (io.ReadCloser, error)
	for _, p := range group {
		found, err := a.find(ctx, p.Key)
		if err != nil {
			return archive.Summary{}, fmt.Errorf("%s: %w", p.Title, err)
		}
		open = append(open, func() (io.ReadCloser, error) { return found.cache.Open(ctx, found.record) })
	}
	return archive.Merge(ctx, w, archive.MergeOptions{Archives: open, Compression: compression, MTime: time.Unix(epoch, 0)})
}

// files gives the layer with the files.
func (a *assembly) files(ctx context.Context) (oci.Layer, error) {
	compression, err := archive.ParseCompression(a.image.Compression)
	if err != nil {
		return oci.Layer{}, err
	}
	key := providers.NewKey(layerKind, keyVersion)
	key.AddValue("compression", a.image.Compression)
	var list []archive.File
	for _, f := range a.image.Files {
		digest, err := archive.HashPath(ctx, f.Host)
		if err != nil {
			return oci.Layer{}, err
		}
		if digest != f.Digest {
			return oci.Layer{}, fmt.Errorf("%s has changed since the plan was made: plan again", f.Host)
		}
		key.AddDigest("file "+f.Target, f.Digest)
		list = append(list, archive.File{Target: f.Target, Host: f.Host})
	}
	return a.made(ctx, key, "files", func(w io.Writer) (archive.Summary, error) {
		return archive.PackFiles(ctx, w, archive.PackFilesOptions{Files: list, Compression: compression, MTime: time.Unix(epoch, 0)})
	})
}

// made gives a layer from the caches, or makes it and puts it there.
func (a *assembly) made(ctx context.Context, key *providers.KeyBuilder, title string, write func(io.Writer) (archive.Summary, error)) (oci.Layer, error) {
	sum, inputs := key.Sum()
	found, err := a.find(ctx, sum)
	if err == nil {
		return a.layer(found, title), nil
	}
	if !errors.Is(err, artifact.ErrNotFound) {
		return oci.Layer{}, err
	}
	dir := filepath.Join(a.provider.opts.WorkDir, "tmp")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return oci.Layer{}, err
	}
	file, err := os.CreateTemp(dir, "layer-*")
	if err != nil {
		return oci.Layer{}, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	summary, err := write(file)
	if err != nil {
		return oci.Layer{}, err
	}
	record := artifact.Record{
		FormatVersion: artifact.FormatVersion, Key: sum, Kind: layerKind, Name: title[:min(len(title), maxName)], Prefix: "",
		Platform: a.image.Platform, Archive: artifact.DescriptorOf(summary), Files: summary.Files,
	}
	for _, in := range inputs {
		record.Inputs = append(record.Inputs, artifact.Input{Name: in.Name, Digest: in.Recorded()})
	}
	if err := a.put(ctx, record, file.Name()); err != nil {
		return oci.Layer{}, err
	}
	if found, err = a.find(ctx, sum); err != nil {
		return oci.Layer{}, err
	}
	return a.layer(found, title), nil
}

// put stores a layer in the first cache that takes any.
func (a *assembly) put(ctx context.Context, record artifact.Record, file string) error {
	for _, c := range a.caches {
		if !c.settings.Push {
			continue
		}
		_, err := c.cache.Put(ctx, record, cache.FileOpener(file))
		return err
	}
	return errors.New("no cache takes the layer: none of the cache blocks has push = true")
}

func (a *assembly) layer(found foundRecord, title string) oci.Layer {
	ar := found.record.Archive
	layer := oci.Layer{
		Descriptor: ocispec.Descriptor{MediaType: ar.MediaType, Digest: ar.Digest, Size: ar.Size},
		DiffID:     ar.DiffID, Key: found.record.Key, Title: title,
		Open: func(ctx context.Context) (io.ReadCloser, error) { return found.cache.Open(ctx, found.record) },
	}
	if m, ok := found.cache.LocateLayer(found.record); ok {
		layer.Mounts = []oci.MountSource{m}
	}
	return layer
}
