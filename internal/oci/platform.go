package oci

import (
	"fmt"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ParsePlatform reads "os/architecture[/variant]", such as "linux/arm64/v8".
func ParsePlatform(s string) (ocispec.Platform, error) {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 {
		return ocispec.Platform{}, fmt.Errorf("platform %q: write os/architecture, such as linux/amd64, optionally with a /variant", s)
	}
	for _, p := range parts {
		if p == "" {
			return ocispec.Platform{}, fmt.Errorf("platform %q has an empty part", s)
		}
	}
	p := ocispec.Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}

// PlatformString writes what ParsePlatform reads; "" for nil.
func PlatformString(p *ocispec.Platform) string {
	if p == nil {
		return ""
	}
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// defaultVariant is what an architecture without a variant means.
func defaultVariant(architecture string) string {
	switch architecture {
	case "amd64":
		return "v1"
	case "arm64":
		return "v8"
	case "arm":
		return "v7"
	}
	return ""
}

func variantOf(p ocispec.Platform) string {
	if p.Variant != "" {
		return p.Variant
	}
	return defaultVariant(p.Architecture)
}

// selectPlatform picks the entry of an index for a platform: the one of the same
// variant, or, where the wish names none, the only or first one of the architecture.
func selectPlatform(entries []ocispec.Descriptor, want ocispec.Platform) (ocispec.Descriptor, error) {
	var candidates []ocispec.Descriptor
	var available []string
	for _, d := range entries {
		if d.Platform == nil || d.Platform.OS == "unknown" || !isManifest(d.MediaType) {
			continue // attestations and the like
		}
		available = append(available, PlatformString(d.Platform))
		if d.Platform.OS != want.OS || d.Platform.Architecture != want.Architecture {
			continue
		}
		if variantOf(*d.Platform) == variantOf(want) {
			return d, nil
		}
		candidates = append(candidates, d)
	}
	if want.Variant == "" && len(candidates) > 0 {
		return candidates[0], nil
	}
	if len(available) == 0 {
		available = []string{"none"}
	}
	return ocispec.Descriptor{}, fmt.Errorf("no image for platform %s: %w; there is %s",
		PlatformString(&want), ErrNotFound, strings.Join(available, ", "))
}
