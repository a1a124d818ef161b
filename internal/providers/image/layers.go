package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"esd/internal/archive"
	"esd/internal/artifact"
	"esd/internal/oci"
	"esd/internal/providers"
	"esd/internal/providers/cache"
)

const (
	// epoch is the time that files in layers carry: 1980-01-01.
	epoch = 315532800
	// maxName is how much of the title of a merged layer is kept, in bytes.
	maxName = 512
	// maxMakers is how many layers are made at the same time, if there are so
	// many processors. Each takes up to some 150 MiB of memory.
	maxMakers = 8
)

func epochTime() time.Time { return time.Unix(epoch, 0) }

// layers gives the layers of the image above its base: those that are
// published already as they are there, others from the caches. What is nowhere
// is made, several at a time, and put into the caches.
func (a *assembly) layers(ctx context.Context) ([]oci.Layer, error) {
	layers := make([]oci.Layer, len(a.image.Layers))
	var missing []int
	for i, l := range a.image.Layers {
		if published, ok := a.published[l.Key]; ok {
			layers[i] = published.layer(l.Title)
			continue
		}
		if found, ok := a.findMade(l); ok {
			layers[i] = a.layer(found, l.Title)
			continue
		}
		missing = append(missing, i)
	}
	if err := a.makeAll(ctx, missing, layers); err != nil {
		return nil, err
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

// findMade looks for a layer in the caches. One that is to be made anew does
// not count, but the product of a recipe does: it was made anew before, if
// anybody asked for that.
func (a *assembly) findMade(l layer) (foundRecord, bool) {
	found, ok := a.found[l.Key]
	return found, ok && (l.isProduct() || !a.image.Replace)
}

// makeAll makes layers, those with the most to read first, so that no large one
// is left at the end.
func (a *assembly) makeAll(ctx context.Context, missing []int, layers []oci.Layer) error {
	var archives []packageRef
	for _, i := range missing {
		archives = append(archives, a.toRead(a.image.Layers[i])...)
	}
	if err := a.findArchives(ctx, archives); err != nil {
		return err
	}
	size := func(i int) (sum int64) {
		for _, ref := range a.toRead(a.image.Layers[i]) {
			sum += a.archives[ref.Key].Size()
		}
		return sum
	}
	slices.SortStableFunc(missing, func(i, j int) int { return cmp.Compare(size(j), size(i)) })
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(min(max(a.run.CPUs, 1), maxMakers))
	for _, i := range missing {
		group.Go(func() (err error) {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			layers[i], err = a.make(ctx, a.image.Layers[i])
			return err
		})
	}
	return group.Wait()
}

// make makes one layer.
func (a *assembly) make(ctx context.Context, l layer) (oci.Layer, error) {
	if l.isProduct() {
		return oci.Layer{}, fmt.Errorf("%s is in no cache any more: run the same command again to build it", l.Title)
	}
	if l.Trees {
		return a.treesLayer(ctx, l)
	}
	compression, err := archive.ParseCompression(a.image.Compression)
	if err != nil {
		return oci.Layer{}, err
	}
	var inputs []artifact.Input
	var open []func() (io.ReadCloser, error)
	for _, p := range l.Packages {
		inputs = append(inputs, artifact.Input{Name: p.Title, Digest: providers.ShortDigest(p.Key)})
		open = append(open, func() (io.ReadCloser, error) {
			r, err := a.openPackage(ctx, p)
			if err != nil {
				err = fmt.Errorf("%s: %w", p.Title, err)
			}
			return r, err
		})
	}
	return a.made(ctx, l, inputs, func(w io.Writer) (archive.Summary, error) {
		return archive.Merge(ctx, w, archive.MergeOptions{Archives: open, Compression: compression, MTime: epochTime()})
	})
}

// openPackage reads the files of a package as an archive: as a cache has them
// in a layer or product of their own, or else from a build cache.
func (a *assembly) openPackage(ctx context.Context, p packageRef) (io.ReadCloser, error) {
	if found, ok := a.found[p.Key]; ok && (p.Hash == "" || !a.image.Replace) {
		return found.cache.Open(ctx, found.record)
	}
	if p.Hash == "" {
		return nil, errors.New("it is in no cache any more: run the same command again to build it")
	}
	return a.openArchive(ctx, p)
}

// files gives the layer with the files.
func (a *assembly) files(ctx context.Context) (oci.Layer, error) {
	compression, err := archive.ParseCompression(a.image.Compression)
	if err != nil {
		return oci.Layer{}, err
	}
	key := providers.NewKey(layerKind, layerKeyVersion)
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
	sum, inputs := key.Sum()
	l := layer{Key: sum, Title: "files"}
	found, err := a.find(ctx, sum)
	if err == nil {
		return a.layer(found, l.Title), nil
	}
	if !errors.Is(err, artifact.ErrNotFound) {
		return oci.Layer{}, err
	}
	return a.made(ctx, l, recorded(inputs), func(w io.Writer) (archive.Summary, error) {
		return archive.PackFiles(ctx, w, archive.PackFilesOptions{Files: list, Compression: compression, MTime: epochTime()})
	})
}

func recorded(inputs []providers.Input) []artifact.Input {
	list := make([]artifact.Input, len(inputs))
	for i, in := range inputs {
		list[i] = artifact.Input{Name: in.Name, Digest: in.Recorded()}
	}
	return list
}

// made makes a layer and puts it into the caches.
func (a *assembly) made(ctx context.Context, l layer, inputs []artifact.Input, write func(io.Writer) (archive.Summary, error)) (oci.Layer, error) {
	if err := os.MkdirAll(a.provider.tmpDir(), 0o755); err != nil {
		return oci.Layer{}, err
	}
	file, err := os.CreateTemp(a.provider.tmpDir(), "layer-*")
	if err != nil {
		return oci.Layer{}, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	summary, err := write(file)
	if err != nil {
		return oci.Layer{}, err
	}
	found, err := a.put(ctx, artifact.Record{
		FormatVersion: artifact.FormatVersion, Key: l.Key, Kind: layerKind, Name: l.Title[:min(len(l.Title), maxName)],
		Platform: a.image.Platform, Archive: artifact.DescriptorOf(summary), Files: summary.Files, Inputs: inputs,
	}, file.Name())
	if err != nil {
		return oci.Layer{}, err
	}
	return a.layer(found, l.Title), nil
}

// put stores a layer in the first cache that takes any, and gives what is there
// then: somebody may have been faster.
func (a *assembly) put(ctx context.Context, record artifact.Record, file string) (foundRecord, error) {
	for _, c := range a.caches {
		if !c.settings.Push {
			continue
		}
		if a.image.Replace {
			if err := c.cache.Delete(ctx, record.Key); err != nil && !errors.Is(err, oci.ErrUnsupported) {
				return foundRecord{}, err
			}
		}
		kept, err := c.cache.Put(ctx, record, cache.FileOpener(file))
		return foundRecord{c, kept}, err
	}
	return foundRecord{}, errors.New("no cache takes the layer: none of the cache blocks has push = true")
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

// meter adds up what is read of archives.
type meter struct {
	mu          sync.Mutex
	done, total int64
	remote      int64
	tell        func(done, total int64)
}

func (m *meter) add(n int64, remote bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += n
	if remote {
		m.remote += n
	}
	if m.tell != nil {
		m.tell(m.done, m.total)
	}
}
