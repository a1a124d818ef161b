package buildcache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"esd/internal/oci"
)

// imageConfig is a configuration as Spack writes it: an image's, with the members of a
// spec document besides (extra_config in _oci_push, binary_distribution.py). The time
// that Spack adds is left out, so that the same package has the same digest.
type imageConfig struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	RootFS       struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
	Config struct {
		Env []string `json:"Env"`
	} `json:"config"`
	specDocument
	ArchiveSize        int64  `json:"archive_size"`
	ArchiveCompression string `json:"archive_compression"`
}

// The numbers that Spack calls layout versions of OCI caches: 0.23 refuses more than 2.
const (
	ociLayout023 = 2
	ociLayout    = 3
)

// push implements backend.
func (b *registry) push(ctx context.Context, k key, req pushRequest) (Entry, error) {
	if req.Archive.DiffID == "" {
		var err error
		if req.Archive.DiffID, req.Archive.TarSize, err = diffID(req.Archive); err != nil {
			return Entry{}, err
		}
	}
	config, err := req.imageConfig()
	if err != nil {
		return Entry{}, err
	}
	configDesc := oci.Describe(ocispec.MediaTypeImageConfig, config)
	req.blob.MediaType = ocispec.MediaTypeImageLayerGzip
	manifest, err := marshal(ociManifest{
		MediaType: ocispec.MediaTypeImageManifest, SchemaVersion: 2,
		Config: configDesc, Layers: []ocispec.Descriptor{req.blob.descriptor()},
		Annotations: req.ociAnnotations(),
	})
	if err != nil {
		return Entry{}, err
	}
	if err := b.store.Push(ctx, req.blob.descriptor(), req.verified().Open); err != nil {
		return Entry{}, b.explain(err)
	}
	if err := b.store.PushBytes(ctx, configDesc, config); err != nil {
		return Entry{}, b.explain(err)
	}
	desc := oci.Describe(ocispec.MediaTypeImageManifest, manifest)
	if err := oci.PushManifest(ctx, b.store, desc, manifest, k.ociTag()); err != nil {
		return Entry{}, b.explain(err)
	}
	e := Entry{
		Hash: k.hash, Name: k.name, Version: k.version, Layout: OCI, Archive: req.blob,
		SpecBlob: Blob{SHA256: configDesc.Digest.Encoded(), Size: configDesc.Size, MediaType: configDesc.MediaType},
		key:      k, ref: k.ociTag(),
	}
	e.annotate(req.annotations())
	return e, nil
}

// ociManifest has its members in Spack's order.
type ociManifest struct {
	MediaType     string               `json:"mediaType"`
	SchemaVersion int                  `json:"schemaVersion"`
	Config        ocispec.Descriptor   `json:"config"`
	Layers        []ocispec.Descriptor `json:"layers"`
	Annotations   map[string]string    `json:"annotations,omitempty"`
}

func (r pushRequest) ociAnnotations() map[string]string {
	m := r.annotations()
	s := r.Spec
	m[ocispec.AnnotationDescription] = fmt.Sprintf("%s@=%s platform=%s os=%s target=%s", s.Name, s.Version, s.Arch.Platform, s.Arch.OS, s.Arch.Target)
	return m
}

func (r pushRequest) imageConfig() ([]byte, error) {
	c := imageConfig{
		Architecture: goArch(r.Spec.Arch.Target), OS: "linux",
		specDocument: r.doc, ArchiveSize: r.blob.Size, ArchiveCompression: "gzip",
	}
	c.RootFS.Type, c.RootFS.DiffIDs = "layers", []string{"sha256:" + r.Archive.DiffID}
	c.LayoutVersion = ociLayout
	if r.doc.Spec.Meta.Version < 5 {
		c.LayoutVersion = ociLayout023
	}
	c.Checksum = &specChecksum{Algorithm: "sha256", Hash: r.blob.SHA256}
	c.Annotations = nil // those are in the manifest
	switch {
	case r.Env != nil:
		c.Config.Env = r.Env
	case r.Prefix != "":
		c.Config.Env = []string{"PATH=" + path.Join(r.Prefix, "bin") + ":/bin:/usr/bin"}
	default:
		c.Config.Env = []string{"PATH=/bin:/usr/bin"}
	}
	return marshal(c)
}

// goArch names the family of a microarchitecture in OCI's way (the families of
// archspec; _oci_archspec_to_gooarch).
func goArch(target string) string {
	for prefix, arch := range map[string]string{
		"aarch64": "arm64", "armv8": "arm64", "armv9": "arm64", "neoverse": "arm64", "graviton": "arm64",
		"a64fx": "arm64", "thunderx": "arm64", "cortex_a": "arm64", "m1": "arm64", "m2": "arm64", "m3": "arm64", "m4": "arm64",
		"riscv64": "riscv64", "u74mc": "riscv64", "ppc64le": "ppc64le",
	} {
		if strings.HasPrefix(target, prefix) {
			return arch
		}
	}
	if strings.HasPrefix(target, "power") {
		if strings.HasSuffix(target, "le") {
			return "ppc64le"
		}
		return "ppc64"
	}
	return "amd64"
}

// diffID reads an archive to learn the digest of what is in it.
func diffID(a Archive) (sum string, size int64, err error) {
	in, err := a.Open()
	if err != nil {
		return "", 0, err
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		return "", 0, errors.New("the sha256 of the tar in the archive is needed (DiffID): it is not compressed with gzip, and cannot be told here")
	}
	h := sha256.New()
	if size, err = io.Copy(h, z); err != nil {
		return "", 0, fmt.Errorf("reading the archive: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}
