package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

var linuxAMD64 = ocispec.Platform{OS: "linux", Architecture: "amd64"}

// textLayer is a layer whose content stands for an archive.
func textLayer(title, content string) Layer {
	return Layer{
		Descriptor: Describe(ocispec.MediaTypeImageLayerZstd, []byte(content)),
		DiffID:     digest.FromString("tar of " + content),
		Key:        digest.FromString("key of " + content).Encoded(), Title: title,
		Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(content)), nil
		},
	}
}

// packages are n layers; the changed one has another content.
func packages(n, changed int) []Layer {
	layers := make([]Layer, n)
	for i := range layers {
		content := fmt.Sprintf("package %d", i)
		if i == changed {
			content += " changed"
		}
		layers[i] = textLayer(fmt.Sprintf("recipe.p%d", i), content)
	}
	return layers
}

func mustAssemble(t *testing.T, opts AssembleOptions) *Assembled {
	t.Helper()
	if opts.Base == nil && opts.Platform.OS == "" {
		opts.Platform = linuxAMD64
	}
	img, err := Assemble(opts)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func mustPublish(t *testing.T, img *Assembled, s Store, opts PublishOptions) Stats {
	t.Helper()
	stats, err := Publish(t.Context(), img, s, opts)
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

func TestPublishedImageSaysWhatItIsMadeOf(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s Store) {
		img := mustAssemble(t, AssembleOptions{Layers: packages(3, -1), Key: "whole"})
		stats := mustPublish(t, img, s, PublishOptions{Tag: "v1"})
		if stats.BlobsSent != 4 || stats.BlobsPresent != 0 {
			t.Errorf("stats: %+v", stats)
		}
		got, err := Inspect(t.Context(), s, "v1")
		if err != nil {
			t.Fatal(err)
		}
		if got.Key != "whole" || got.Descriptor.Digest != img.ManifestDescriptor.Digest {
			t.Errorf("key %q, digest %s", got.Key, got.Descriptor.Digest)
		}
		for i, l := range got.Layers {
			if l.Key != img.Layers[i].Key || l.Title != img.Layers[i].Title {
				t.Errorf("layer %d is %q with key %q", i, l.Title, l.Key)
			}
		}
	})
}

func TestPublishingAgainAsksOnceAndSendsNothing(t *testing.T) {
	t.Parallel()
	var meter Meter
	s := mustOpen(t, newRegistry(t, nil)+"/esd/lab", Options{Meter: &meter})
	img := mustAssemble(t, AssembleOptions{Layers: packages(100, -1)})
	mustPublish(t, img, s, PublishOptions{Tag: "v1"})
	meter.Reset()
	stats := mustPublish(t, img, s, PublishOptions{Tag: "v1"})
	if diff := cmp.Diff(Stats{BlobsPresent: 101}, stats); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int64{"HEAD": 1}, meter.Snapshot().Requests); diff != "" {
		t.Error(diff)
	}
	if read, written := meter.Bytes(); read == 0 || written == 0 || written > 1000 {
		t.Errorf("read %d bytes, wrote %d", read, written)
	}
}

func TestPublishingOneChangedLayerDoesNotAskAboutTheOthers(t *testing.T) {
	t.Parallel()
	var log requestLog
	var meter Meter
	s := mustOpen(t, newRegistry(t, log.wrap)+"/esd/lab", Options{Meter: &meter})
	mustPublish(t, mustAssemble(t, AssembleOptions{Layers: packages(100, -1)}), s, PublishOptions{Tag: "v1"})
	log.reset()
	meter.Reset()
	img := mustAssemble(t, AssembleOptions{Layers: packages(100, 42)})
	stats := mustPublish(t, img, s, PublishOptions{Tag: "v1"})
	want := Stats{
		BlobsSent: 2, BlobsPresent: 99,
		BytesSent: img.Layers[42].Descriptor.Size + img.ConfigDescriptor.Size + img.ManifestDescriptor.Size,
	}
	if diff := cmp.Diff(want, stats); diff != "" {
		t.Error(diff)
	}
	for i, l := range img.Layers {
		if asked := log.mentions(l.Descriptor.Digest); asked != (i == 42) {
			t.Errorf("layer %d asked about: %v", i, asked)
		}
	}
	wantRequests := map[string]int64{"HEAD": 3, "GET": 1, "POST": 2, "PUT": 3}
	if diff := cmp.Diff(wantRequests, meter.Snapshot().Requests); diff != "" {
		t.Error(diff)
	}
	read, written := meter.Bytes()
	t.Logf("1 of 100 layers changed: %d requests, read %d, wrote %d bytes, of them %d of content", meter.Snapshot().Total(), read, written, want.BytesSent)
}

func TestPublishMountsLayersThatAnotherRepositoryHas(t *testing.T) {
	t.Parallel()
	host := newRegistry(t, nil)
	cache := mustOpen(t, host+"/esd/cache", Options{})
	layers := packages(3, -1)
	for i := range layers {
		pushBlob(t, cache, fmt.Sprintf("package %d", i))
		layers[i].Mounts = []MountSource{
			{Registry: "elsewhere.example.org", Repository: "esd/cache"},
			{Registry: host, Repository: "esd/cache"},
		}
		layers[i].Open = func(context.Context) (io.ReadCloser, error) {
			t.Error("a layer was opened that could have been mounted")
			return nil, io.EOF
		}
	}
	s := mustOpen(t, host+"/esd/lab", Options{})
	stats := mustPublish(t, mustAssemble(t, AssembleOptions{Layers: layers}), s, PublishOptions{Tag: "v1"})
	if stats.BlobsMounted != 3 || stats.BlobsSent != 1 {
		t.Errorf("stats: %+v", stats)
	}
}

func TestPublishSendsWhatCannotBeMounted(t *testing.T) {
	t.Parallel()
	host := newRegistry(t, nil)
	layers := packages(1, -1)
	layers[0].Mounts = []MountSource{{Registry: host, Repository: "esd/cache"}}
	s := mustOpen(t, host+"/esd/lab", Options{})
	stats := mustPublish(t, mustAssemble(t, AssembleOptions{Layers: layers}), s, PublishOptions{Tag: "v1"})
	if stats.BlobsMounted != 0 || stats.BlobsSent != 2 {
		t.Errorf("stats: %+v", stats)
	}
}

func TestPublishSendsAgainWhatTheRegistryLost(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s Store) {
		mustPublish(t, mustAssemble(t, AssembleOptions{Layers: packages(10, -1)}), s, PublishOptions{Tag: "v1"})
		img := mustAssemble(t, AssembleOptions{Layers: packages(10, 4)})
		for _, l := range img.Layers[7:9] {
			if err := s.Delete(t.Context(), l.Descriptor); err != nil {
				t.Fatal(err)
			}
		}
		stats := mustPublish(t, img, s, PublishOptions{Tag: "v1"})
		if stats.BlobsSent != 4 { // the changed one, the two that were lost, the configuration
			t.Errorf("stats: %+v", stats)
		}
		for _, l := range img.Layers {
			mustRead(t, s, l.Descriptor)
		}
	})
}

func TestPublishThatFailsLeavesTheTagAlone(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s Store) {
		before := mustAssemble(t, AssembleOptions{Layers: packages(10, -1)})
		mustPublish(t, before, s, PublishOptions{Tag: "v1"})
		ctx, interrupt := context.WithCancelCause(t.Context())
		stop := errors.New("interrupted by the user")
		layers := append(packages(10, 4), textLayer("recipe.last", "last"))
		layers[10].Open = func(context.Context) (io.ReadCloser, error) {
			interrupt(stop)
			return io.NopCloser(strings.NewReader("last")), nil
		}
		_, err := Publish(ctx, mustAssemble(t, AssembleOptions{Layers: layers}), s, PublishOptions{Tag: "v1"})
		if !errors.Is(err, stop) {
			t.Errorf("got %v", err)
		}
		if got, err := s.Resolve(t.Context(), "v1"); err != nil || got.Digest != before.ManifestDescriptor.Digest {
			t.Errorf("v1 is now %s, %v", got.Digest, err)
		}
	})
}

func TestPublishTellsItsProgress(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, newRegistry(t, nil)+"/esd/lab", Options{})
	kinds := map[EventKind]int{}
	img := mustAssemble(t, AssembleOptions{Layers: packages(3, -1)})
	mustPublish(t, img, s, PublishOptions{Tag: "v1", Jobs: 3, Progress: func(e Event) {
		if e.Kind != EventSending {
			kinds[e.Kind]++
		}
	}})
	if diff := cmp.Diff(map[EventKind]int{EventSent: 4, EventTagged: 1}, kinds); diff != "" {
		t.Error(diff)
	}
}

func TestPublishWithoutATagStoresByDigest(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, s Store) {
		for _, changed := range []int{-1, 1, -1} {
			img := mustAssemble(t, AssembleOptions{Layers: packages(2, changed)})
			mustPublish(t, img, s, PublishOptions{})
			if _, err := Inspect(t.Context(), s, img.ManifestDescriptor.Digest.String()); err != nil {
				t.Error(err)
			}
			if _, ok := s.(*layout); !ok {
				continue
			}
			if got, err := s.Resolve(t.Context(), ""); err != nil || got.Digest != img.ManifestDescriptor.Digest {
				t.Errorf("the layout's image is %s, %v", got.Digest, err)
			}
		}
	})
}

func TestPublishPutsLayersOnABaseFromAnotherStore(t *testing.T) {
	t.Parallel()
	source := mustOpen(t, newRegistry(t, nil)+"/library/debian", Options{})
	pushImage(t, source, "debian", "12")
	base, err := LoadImage(t.Context(), source, "12", linuxAMD64)
	if err != nil {
		t.Fatal(err)
	}
	eachStore(t, func(t *testing.T, s Store) {
		img := mustAssemble(t, AssembleOptions{Base: base, Layers: packages(2, -1)})
		mustPublish(t, img, s, PublishOptions{Tag: "v1"})
		got, err := LoadImage(t.Context(), s, "v1", linuxAMD64)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Layers) != 3 || string(mustRead(t, s, got.Layers[0].Descriptor)) != "debian" {
			t.Errorf("layers: %+v", got.Layers)
		}
	})
}

func TestTagsMoveInLayoutsWithoutLeavingGarbage(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "layout")
	s := mustOpen(t, "oci:"+dir, Options{})
	mustPublish(t, mustAssemble(t, AssembleOptions{Layers: packages(3, -1)}), s, PublishOptions{Tag: "v1"})
	mustPublish(t, mustAssemble(t, AssembleOptions{Layers: packages(3, 1)}), s, PublishOptions{Tag: "v1"})
	if n := len(blobFiles(t, dir)); n != 5 {
		t.Errorf("%d blobs, want 3 layers, a configuration and a manifest", n)
	}
}

// requestLog keeps what a registry was asked.
type requestLog struct {
	mu   sync.Mutex
	urls []string
}

func (l *requestLog) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.urls = append(l.urls, r.Method+" "+r.URL.String())
		l.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

func (l *requestLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.urls = nil
}

func (l *requestLog) mentions(d digest.Digest) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, u := range l.urls {
		if strings.Contains(u, d.Encoded()) {
			return true
		}
	}
	return false
}
