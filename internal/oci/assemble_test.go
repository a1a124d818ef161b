package oci

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestAssembleGivesTheSameBytesForTheSameOptions(t *testing.T) {
	t.Parallel()
	options := func() AssembleOptions {
		labels := map[string]string{}
		for _, i := range []int{3, 1, 2} {
			labels[fmt.Sprintf("label%d", i)] = "<&>"
		}
		return AssembleOptions{
			Layers: packages(20, -1), Labels: labels, Annotations: maps.Clone(labels), Key: "k", Platform: linuxAMD64,
			Config: ocispec.ImageConfig{ExposedPorts: map[string]struct{}{"80/tcp": {}, "22/tcp": {}}, Env: []string{"B=1", "A=2"}},
		}
	}
	first := mustAssemble(t, options())
	for range 20 {
		again := mustAssemble(t, options())
		if !bytes.Equal(first.Manifest, again.Manifest) || !bytes.Equal(first.Config, again.Config) {
			t.Fatal("the same options gave other bytes")
		}
	}
	// The digest is written down, so that no later version changes it unnoticed:
	// every published image would have to be made again.
	const want = "sha256:60a52fde636727b60ee491f9b1bb49c45588d5b3ab820d724a0292ad77728816"
	if first.ManifestDescriptor.Digest != want {
		t.Errorf("manifest is %s, used to be %s", first.ManifestDescriptor.Digest, want)
	}
}

func TestAssembleLaysItsConfigurationOverTheBase(t *testing.T) {
	t.Parallel()
	base := &Image{Config: ocispec.Image{
		Platform: linuxAMD64,
		Config: ocispec.ImageConfig{
			User: "root", WorkingDir: "/", Env: []string{"PATH=/bin", "LANG=C"},
			Entrypoint: []string{"/init"}, Cmd: []string{"bash"}, Labels: map[string]string{"a": "1", "b": "2"},
		},
		RootFS: ocispec.RootFS{Type: "layers"},
	}}
	tests := map[string]struct {
		over, want ocispec.ImageConfig
		labels     map[string]string
	}{
		"nothing keeps all": {want: base.Config.Config},
		"variables are replaced in place or added": {
			over: ocispec.ImageConfig{Env: []string{"NEW=1", "PATH=/opt/bin:/bin"}},
			want: ocispec.ImageConfig{
				User: "root", WorkingDir: "/", Env: []string{"PATH=/opt/bin:/bin", "LANG=C", "NEW=1"},
				Entrypoint: []string{"/init"}, Cmd: []string{"bash"}, Labels: base.Config.Config.Labels,
			},
		},
		"an entry point clears the command": {
			over: ocispec.ImageConfig{Entrypoint: []string{"/run"}, User: "1000"}, labels: map[string]string{"b": "3"},
			want: ocispec.ImageConfig{
				User: "1000", WorkingDir: "/", Env: base.Config.Config.Env,
				Entrypoint: []string{"/run"}, Labels: map[string]string{"a": "1", "b": "3"},
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			img := mustAssemble(t, AssembleOptions{Base: base, Config: test.over, Labels: test.labels})
			config, err := parseConfig(img.Config)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, config.Config); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAssembleConvertsDockersMediaTypes(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"application/vnd.docker.image.rootfs.diff.tar":              ocispec.MediaTypeImageLayer,
		"application/vnd.docker.image.rootfs.diff.tar.gzip":         ocispec.MediaTypeImageLayerGzip,
		"application/vnd.docker.image.rootfs.diff.tar.zstd":         ocispec.MediaTypeImageLayerZstd,
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
		ocispec.MediaTypeImageLayerZstd:                             ocispec.MediaTypeImageLayerZstd,
		"application/vnd.docker.image.rootfs.diff.tar.rar":          "",
		"text/plain": "",
	}
	for docker, want := range tests {
		t.Run(docker, func(t *testing.T) {
			t.Parallel()
			layer := textLayer("recipe.a", "a")
			layer.Descriptor.MediaType = docker
			img, err := Assemble(AssembleOptions{Layers: []Layer{layer}, Platform: linuxAMD64})
			if want == "" {
				if !errors.Is(err, ErrInvalidContent) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := img.Layers[0].Descriptor.MediaType; got != want {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestAssembleClaimsTheTimeItIsGiven(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		epoch, want string
		fails       bool
	}{
		"not set means 1970":  {epoch: "", want: "1970-01-01T00:00:00Z"},
		"seconds are read":    {epoch: "1700000000", want: "2023-11-14T22:13:20Z"},
		"text is refused":     {epoch: "yesterday", fails: true},
		"negative is refused": {epoch: "-1", fails: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			created, err := CreatedFromEnv(func(string) string { return test.epoch })
			if test.fails {
				if err == nil {
					t.Error("want an error")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			img := mustAssemble(t, AssembleOptions{Created: created.In(time.FixedZone("", 3600))})
			config, err := parseConfig(img.Config)
			if err != nil {
				t.Fatal(err)
			}
			if got := config.Created.Format(time.RFC3339); got != test.want {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestAssembleRefuses(t *testing.T) {
	t.Parallel()
	arm := &Image{Config: ocispec.Image{Platform: ocispec.Platform{OS: "linux", Architecture: "arm64"}}}
	broken := textLayer("recipe.a", "a")
	broken.DiffID = "sha256:short"
	tests := map[string]AssembleOptions{
		"no platform":                       {},
		"a platform that is not the base's": {Base: arm, Platform: linuxAMD64},
		"a layer without a diff ID":         {Platform: linuxAMD64, Layers: []Layer{broken}},
	}
	for name, options := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Assemble(options); err == nil {
				t.Error("want an error")
			}
		})
	}
}

func TestAssembleWritesAHistoryEntryForEachLayer(t *testing.T) {
	t.Parallel()
	img := mustAssemble(t, AssembleOptions{Layers: packages(2, -1)})
	config, err := parseConfig(img.Config)
	if err != nil {
		t.Fatal(err)
	}
	for i, h := range config.History {
		if want := fmt.Sprintf("esd: recipe.p%d", i); h.CreatedBy != want || h.EmptyLayer {
			t.Errorf("entry %d: %+v", i, h)
		}
	}
}

func BenchmarkAssemble1000Layers(b *testing.B) {
	options := AssembleOptions{Layers: packages(1000, -1), Platform: linuxAMD64}
	for b.Loop() {
		if _, err := Assemble(options); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "layers/s")
}
