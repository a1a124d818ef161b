package image

import (
	"encoding/json"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"esd/internal/oci"
	"esd/internal/providers"
)

// Annotations of the manifest by which an image says what is in it, as far as
// the titles of its layers do not: `esd diff` reads them.
const (
	// annotationRecipes lists the recipes as ADDRESS@VERSION/KEY, where the key
	// is cut as it is in prefixes, with a comma and a space between them.
	annotationRecipes = "dev.esd.recipes"
	// annotationFiles is a JSON object with a short digest for each file or
	// directory that was put into the image, by its path there.
	annotationFiles = "dev.esd.files"
	// maxAnnotation bounds each, in bytes: registries accept manifests of 4 MiB,
	// and layers need most of that.
	maxAnnotation = 256 << 10
)

// annotations follow from what the content key of the image covers, but for
// the name of the base, which is told by its digest too.
func (s imageSpec) annotations() map[string]string {
	out := map[string]string{}
	add := func(name, value string) {
		if value != "" && len(value) <= maxAnnotation {
			out[name] = value
		}
	}
	add(annotationRecipes, s.recipes())
	if len(s.Files) > 0 {
		digests := map[string]string{}
		for _, f := range s.Files {
			digests[f.Target] = providers.ShortDigest(f.Digest)
		}
		text, _ := json.Marshal(digests) // texts always can be
		add(annotationFiles, string(text))
	}
	add(ocispec.AnnotationBaseImageName, s.Base.name())
	return out
}

// recipes lists the recipes, sorted by address.
func (s imageSpec) recipes() string {
	var list []string
	for _, l := range s.Layers {
		for _, p := range l.Packages {
			if p.Hash == "" {
				list = append(list, p.Title+"@"+p.Version+"/"+providers.ShortKey(p.Key))
			}
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// name is the reference of the base without its digest. That of a layout is a
// path on this machine, and nobody else's business.
func (b base) name() string {
	ref, err := oci.ParseRef(b.Reference)
	if err != nil || ref.Layout != "" || ref.Tag == "" {
		return ""
	}
	ref.Digest = ""
	return ref.String()
}
