package cli_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/olareg/olareg"
	oconfig "github.com/olareg/olareg/config"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/rogpeppe/go-internal/testscript"

	"esd/internal/oci"
)

// TestImagesAreComparedWhereTheyArePublished runs the scripts that need a
// registry, with images upon a made-up Debian.
func TestImagesAreComparedWhereTheyArePublished(t *testing.T) {
	t.Parallel()
	registry := httptest.NewServer(olareg.New(oconfig.Config{
		Log: slog.New(slog.DiscardHandler), Storage: oconfig.ConfigStorage{StoreType: oconfig.StoreMem},
	}))
	t.Cleanup(registry.Close)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/diff",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "1")
			e.Setenv("LC_ALL", "C.UTF-8")
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			e.Setenv("REGISTRY", strings.TrimPrefix(registry.URL, "http://"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": exitsWith, "json": jsonDocument, "buildcache": fillBuildcache,
			"spacklock": writeSmallLock, "debian": pushDebian, "fill": fillIn,
		},
	})
}

// writeSmallLock writes a lock of hdf5~mpi and zlib-ng: spacklock GENERATION FILE
func writeSmallLock(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: spacklock GENERATION FILE")
	}
	data, _ := smallLock(ts, args[0])
	path := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	ts.Check(os.WriteFile(path, data, 0o644))
}

// fillIn puts the address of the registry into files: fill FILE...
func fillIn(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		text := strings.ReplaceAll(ts.ReadFile(name), "REGISTRY", ts.Getenv("REGISTRY"))
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	}
}

// pushDebian publishes an image with what tells releases of Debian apart, and
// one package: debian REFERENCE VERSION LIBC
func pushDebian(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: debian REFERENCE VERSION LIBC")
	}
	layer := gzippedLayer(ts, [][2]string{
		{"etc/debian_version", args[1] + "\n"},
		{"usr/lib/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n"},
		{"var/lib/dpkg/status", "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: " + args[2] + "\n\n" +
			"Package: dash\nArchitecture: amd64\nVersion: 0.5.12-2\n"},
	})
	img, err := oci.Assemble(oci.AssembleOptions{Layers: []oci.Layer{layer}, Platform: ocispec.Platform{OS: "linux", Architecture: "amd64"}})
	ts.Check(err)
	ref, err := oci.ParseRef(args[0])
	ts.Check(err)
	store, err := oci.Open(context.Background(), ref, oci.Options{})
	ts.Check(err)
	_, err = oci.Publish(context.Background(), img, store, oci.PublishOptions{Tag: ref.Tag})
	ts.Check(err)
}

func gzippedLayer(ts *testscript.TestScript, files [][2]string) oci.Layer {
	var plain, zipped bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, f := range files {
		ts.Check(w.WriteHeader(&tar.Header{Name: f[0], Mode: 0o644, Size: int64(len(f[1]))}))
		_, err := io.WriteString(w, f[1])
		ts.Check(err)
	}
	ts.Check(w.Close())
	z := gzip.NewWriter(&zipped)
	_, err := z.Write(plain.Bytes())
	ts.Check(err)
	ts.Check(z.Close())
	return oci.Layer{
		Descriptor: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: digest.FromBytes(zipped.Bytes()), Size: int64(zipped.Len())},
		DiffID:     digest.FromBytes(plain.Bytes()),
		Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(zipped.Bytes())), nil
		},
	}
}
