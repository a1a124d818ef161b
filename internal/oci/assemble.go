package oci

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// AssembleOptions say what an image is made of.
type AssembleOptions struct {
	Base        *Image              // image to put the layers on; nil for none
	Layers      []Layer             // bottom first
	Config      ocispec.ImageConfig // laid over the base's, see [Assemble]
	Platform    ocispec.Platform    // default: the base's
	Labels      map[string]string   // added to Config.Labels
	Annotations map[string]string   // of the manifest
	Key         string              // content key of the whole image; kept as [AnnotationKey]
	Author      string              // default: none
	// Created is the time of creation that the image claims. The zero value stands
	// for 1970-01-01T00:00:00Z: a time of the clock would make every image new.
	// [CreatedFromEnv] follows SOURCE_DATE_EPOCH.
	Created time.Time
}

// Assembled is an image that is ready to be published. The same options give the same
// bytes, always.
type Assembled struct {
	Manifest           []byte
	ManifestDescriptor ocispec.Descriptor
	Config             []byte
	ConfigDescriptor   ocispec.Descriptor
	Layers             []Layer // those of the base first
}

// CreatedFromEnv reads SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/),
// seconds since 1970. Where it is not set, the time is 1970-01-01T00:00:00Z.
func CreatedFromEnv(getenv func(string) string) (time.Time, error) {
	value := getenv("SOURCE_DATE_EPOCH")
	if value == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil || seconds < 0 || seconds > 253402300799 { // the last second of the year 9999
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH=%q is not a number of seconds since 1970", abbreviate(value))
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// Assemble makes the configuration and the manifest of an image. It transfers nothing.
//
// The configuration is the base's with opts.Config laid over it, as a Dockerfile does:
// variables, labels, ports and volumes are added, or replace those of the same name;
// the user, working directory and stop signal replace when they are set; an entry
// point also clears the base's command. What Docker knows beyond the OCI
// specification (health check, shell, triggers) is not taken over from a base.
//
// Layers may be compressed differently from each other. Media types of Docker become
// OCI's, and the result is always an OCI manifest.
func Assemble(opts AssembleOptions) (*Assembled, error) {
	layers, err := allLayers(opts)
	if err != nil {
		return nil, err
	}
	config, err := buildConfig(opts, layers)
	if err != nil {
		return nil, err
	}
	out := &Assembled{Layers: layers}
	if out.Config, err = canonicalJSON(config); err != nil {
		return nil, fmt.Errorf("assembling the image's configuration: %w", err)
	}
	out.ConfigDescriptor = Describe(ocispec.MediaTypeImageConfig, out.Config)
	manifest := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: out.ConfigDescriptor, Layers: []ocispec.Descriptor{}, Annotations: manifestAnnotations(opts),
	}
	for _, l := range layers {
		manifest.Layers = append(manifest.Layers, l.Descriptor)
	}
	if out.Manifest, err = canonicalJSON(manifest); err != nil {
		return nil, fmt.Errorf("assembling the image's manifest: %w", err)
	}
	if len(out.Manifest) > MaxManifest {
		return nil, fmt.Errorf("assembling the image: %w: its manifest has %d bytes, registries accept %d; use fewer layers", ErrInvalidContent, len(out.Manifest), MaxManifest)
	}
	out.ManifestDescriptor = Describe(ocispec.MediaTypeImageManifest, out.Manifest)
	return out, nil
}

// allLayers joins the base's layers and the new ones, with their final descriptors.
func allLayers(opts AssembleOptions) ([]Layer, error) {
	var layers []Layer
	if opts.Base != nil {
		layers = slices.Clone(opts.Base.Layers)
	}
	layers = append(layers, opts.Layers...)
	if len(layers) > maxLayers {
		return nil, fmt.Errorf("assembling the image: %w: %d layers, at most %d are accepted", ErrInvalidContent, len(layers), maxLayers)
	}
	for i := range layers {
		if err := finishLayer(&layers[i]); err != nil {
			return nil, fmt.Errorf("assembling the image: layer %d (%s): %w", i+1, layers[i].Title, err)
		}
	}
	return layers, nil
}

func finishLayer(l *Layer) error {
	mediaType, err := ociLayerType(l.Descriptor.MediaType)
	if err != nil {
		return err
	}
	if err := checkDescriptor("layer", l.Descriptor); err != nil {
		return err
	}
	if err := l.DiffID.Validate(); err != nil {
		return fmt.Errorf("%w: diff ID %q: %v", ErrInvalidContent, abbreviate(l.DiffID.String()), err)
	}
	annotations := maps.Clone(l.Descriptor.Annotations)
	for name, value := range map[string]string{AnnotationKey: l.Key, AnnotationTitle: l.Title} {
		if value == "" {
			continue
		}
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[name] = value
	}
	l.Descriptor = ocispec.Descriptor{
		MediaType: mediaType, Digest: l.Descriptor.Digest, Size: l.Descriptor.Size,
		URLs: l.Descriptor.URLs, Annotations: annotations,
	}
	return nil
}

func buildConfig(opts AssembleOptions, layers []Layer) (*ocispec.Image, error) {
	created := time.Unix(0, 0).UTC()
	if !opts.Created.IsZero() {
		created = opts.Created.UTC().Truncate(time.Second)
	}
	var base ocispec.Image
	if opts.Base != nil {
		base = opts.Base.Config
	}
	platform := opts.Platform
	if platform.OS == "" && platform.Architecture == "" {
		platform = base.Platform
	}
	if platform.OS == "" || platform.Architecture == "" {
		return nil, fmt.Errorf("assembling the image: the platform is missing; name one such as linux/amd64")
	}
	if opts.Base != nil && (platform.OS != base.OS || platform.Architecture != base.Architecture) {
		return nil, fmt.Errorf("assembling the image: the base image is for %s, not for %s", PlatformString(&base.Platform), PlatformString(&platform))
	}
	config := &ocispec.Image{
		Created: &created, Author: opts.Author, Platform: platform,
		Config:  overlayConfig(base.Config, opts.Config, opts.Labels),
		RootFS:  ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{}},
		History: slices.Clone(base.History),
	}
	for _, l := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.DiffID)
	}
	for _, l := range opts.Layers {
		entry := ocispec.History{Created: &created, CreatedBy: "esd: " + l.Title}
		if l.Key != "" {
			entry.Comment = "key " + l.Key
		}
		config.History = append(config.History, entry)
	}
	return config, nil
}

// overlayConfig lays one run configuration over another.
func overlayConfig(base, over ocispec.ImageConfig, labels map[string]string) ocispec.ImageConfig {
	out := ocispec.ImageConfig{
		User: orElse(over.User, base.User), WorkingDir: orElse(over.WorkingDir, base.WorkingDir),
		StopSignal: orElse(over.StopSignal, base.StopSignal),
		Entrypoint: base.Entrypoint, Cmd: base.Cmd,
		Env:          overlayEnv(base.Env, over.Env),
		ExposedPorts: merged(base.ExposedPorts, over.ExposedPorts),
		Volumes:      merged(base.Volumes, over.Volumes),
		Labels:       merged(base.Labels, over.Labels, labels),
	}
	if over.Entrypoint != nil {
		out.Entrypoint, out.Cmd = over.Entrypoint, nil
	}
	if over.Cmd != nil {
		out.Cmd = over.Cmd
	}
	return out
}

// overlayEnv replaces variables in place, so that one may still refer to an earlier
// one, and appends new ones.
func overlayEnv(base, over []string) []string {
	out := slices.Clone(base)
	for _, v := range over {
		name, _, _ := strings.Cut(v, "=")
		i := slices.IndexFunc(out, func(old string) bool { return strings.HasPrefix(old, name+"=") })
		if i >= 0 {
			out[i] = v
		} else {
			out = append(out, v)
		}
	}
	return out
}

func manifestAnnotations(opts AssembleOptions) map[string]string {
	out := map[string]string{}
	if opts.Base != nil {
		out[ocispec.AnnotationBaseImageDigest] = opts.Base.Descriptor.Digest.String()
	}
	maps.Copy(out, opts.Annotations)
	if opts.Key != "" {
		out[AnnotationKey] = opts.Key
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

func merged[V any](all ...map[string]V) map[string]V {
	var out map[string]V
	for _, m := range all {
		for k, v := range m {
			if out == nil {
				out = map[string]V{}
			}
			out[k] = v
		}
	}
	return out
}
