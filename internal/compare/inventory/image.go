package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"esd/internal/addr"
	"esd/internal/compare"
	"esd/internal/oci"
)

// Annotations of the manifest of a published image, in addition to those in
// package oci. The first two are esd's own and written by package image of
// internal/providers.
const (
	annotationRecipes    = "dev.esd.recipes"
	annotationFiles      = "dev.esd.files"
	annotationBaseName   = "org.opencontainers.image.base.name"
	annotationBaseDigest = "org.opencontainers.image.base.digest"
	labelVersion         = "org.opencontainers.image.version"
	labelRefName         = "org.opencontainers.image.ref.name"
)

// Image is a published image, of which the manifest and the configuration were
// read.
type Image struct {
	name  string
	store oci.Store
	image *oci.Image
	// packages are those that layers and annotations name.
	packages []*compare.Package
	names    map[string]string // of packages, by the beginning of their hashes
	notes    []string
}

// ImageOptions say how an image is reached, and which of several.
type ImageOptions struct {
	OCI oci.Options
	// Platform is os/architecture[/variant], for references to several images.
	Platform string
}

// OpenImage reads the manifest and the configuration of an image. Name is what
// the user wrote.
func OpenImage(ctx context.Context, name string, ref oci.Ref, opts ImageOptions) (*Image, error) {
	store, err := oci.Open(ctx, ref, opts.OCI)
	if err != nil {
		return nil, err
	}
	platform, err := oci.ParsePlatform(opts.Platform)
	if err != nil {
		return nil, err
	}
	img, err := oci.LoadImage(ctx, store, ref.Reference(), platform)
	if err != nil {
		return nil, err
	}
	i := &Image{name: name, store: store, image: img}
	i.readTitles()
	i.index()
	return i, nil
}

// BaseID tells bases apart: their digest, or else the layers that are not
// esd's.
func (i *Image) BaseID() string {
	if d := i.image.Manifest.Annotations[annotationBaseDigest]; d != "" {
		return d
	}
	var b strings.Builder
	for _, l := range i.baseLayers() {
		b.WriteString(string(l.Descriptor.Digest))
	}
	if b.Len() == 0 {
		return ""
	}
	return "sha256:" + digest([]byte(b.String()))
}

// baseLayers are the layers below those that esd made, lowest first.
func (i *Image) baseLayers() []oci.Layer {
	for n, l := range i.image.Layers {
		if l.Key != "" {
			return i.image.Layers[:n]
		}
	}
	return i.image.Layers
}

// SpackID tells apart what Spack knows of the packages of images; empty
// without any.
func (i *Image) SpackID() string {
	if l := i.treesLayer(); l != nil {
		return string(l.Descriptor.Digest)
	}
	return ""
}

// readTitles reads which packages are in the layers: their titles say it.
func (i *Image) readTitles() {
	if listed, ok := i.recipesAnnotation(); ok {
		i.packages = listed
	}
	known := map[string]bool{}
	for _, p := range i.packages {
		known[p.Name] = true
	}
	for _, l := range i.image.Layers {
		if l.Key == "" || l.Title == filesTitle || l.Title == treesTitle {
			continue
		}
		titles := strings.Split(l.Title, ", ")
		for _, title := range titles {
			p := titled(title)
			if known[p.Name] && p.Version == "" {
				continue
			}
			if p.Version == "" && len(titles) == 1 {
				p.ID = l.Key // a recipe, of which nothing else is known
			}
			p.Runs = true
			i.packages = append(i.packages, p)
		}
	}
}

// Titles of layers that hold no packages.
const (
	filesTitle = "files"
	treesTitle = "spack"
)

// recipesAnnotation reads the versions of the recipes in an image.
func (i *Image) recipesAnnotation() (list []*compare.Package, ok bool) {
	text, ok := i.image.Manifest.Annotations[annotationRecipes]
	if !ok {
		return nil, false
	}
	for title := range strings.SplitSeq(text, ", ") {
		p := titled(title)
		if a, err := addr.Parse(p.Name); err == nil && a.Kind == kindRecipe {
			p.Runs, p.Asked = true, true
			list = append(list, p)
		}
	}
	return list, true
}

// Contents says what is read of an image beside its manifest and
// configuration.
type Contents struct {
	// Spack reads the layer with what Spack knows of its packages: variants,
	// compilers, dependencies. It is small.
	Spack bool
	// Release looks in the lowest layer for the release of the distribution, as
	// far as that is cheap.
	Release bool
	// System reads all layers of the base for the packages of the distribution.
	System bool
}

// Inventory says what is in the image.
func (i *Image) Inventory(ctx context.Context, read Contents) (*compare.Inventory, error) {
	inv := &compare.Inventory{Kind: compare.Image, Name: i.name, Detail: string(i.image.Descriptor.Digest)}
	g := &compare.Group{Kind: compare.Target, RunOnly: true, Packages: i.packages}
	if read.Spack && i.treesLayer() != nil {
		if err := i.readTrees(ctx, g); err != nil {
			if !mayGoOn(err) {
				return nil, err
			}
			i.note("what Spack knows of its packages cannot be read, so variants and dependencies are not compared: %v", err)
		}
	}
	base, system, err := i.base(ctx, read)
	if err != nil {
		return nil, err
	}
	if base != nil {
		g.Facts = append(g.Facts, *base)
	}
	g.Facts = append(g.Facts, i.settings()...)
	inv.Groups = []*compare.Group{g}
	if system != nil {
		inv.Groups = append(inv.Groups, &compare.Group{Kind: compare.BaseSystem, Packages: system})
	}
	if len(i.baseLayers()) == len(i.image.Layers) && system == nil {
		i.note("esd did not make it, so of its packages nothing is known; --system compares those of the distribution")
	}
	inv.Notes = i.notes
	return inv, nil
}

// mayGoOn tells errors of content from those of the way to it.
func mayGoOn(err error) bool {
	return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, oci.ErrUnauthorized)
}

func (i *Image) note(format string, args ...any) {
	i.notes = append(i.notes, i.name+": "+fmt.Sprintf(format, args...))
}

// settings are what the configuration of the image says. The values of
// variables and labels may be nobody else's business; that they changed is told.
func (i *Image) settings() []compare.Fact {
	c := i.image.Config
	var facts []compare.Fact
	value := func(kind, v string) {
		if v != "" {
			facts = append(facts, compare.Fact{Kind: kind, Value: v})
		}
	}
	value("platform", strings.TrimSuffix(c.OS+"/"+c.Architecture+"/"+c.Variant, "/"))
	value("entrypoint", i.withoutHashes(strings.Join(c.Config.Entrypoint, " ")))
	value("cmd", i.withoutHashes(strings.Join(c.Config.Cmd, " ")))
	value("user", c.Config.User)
	value("workdir", c.Config.WorkingDir)
	for _, v := range c.Config.Env {
		name, text, _ := strings.Cut(v, "=")
		facts = append(facts, compare.Fact{Kind: "env", Name: name, ID: digest([]byte(i.withoutHashes(text))), Hidden: true})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Config.Labels)) {
		f := compare.Fact{Kind: "label", Name: name, ID: digest([]byte(c.Config.Labels[name])), Hidden: true}
		if strings.HasPrefix(name, "org.opencontainers.image.") {
			f = compare.Fact{Kind: "label", Name: name, Value: c.Config.Labels[name]}
		}
		facts = append(facts, f)
	}
	return append(facts, i.files()...)
}

// files are those of the image, by path.
func (i *Image) files() []compare.Fact {
	var digests map[string]string
	var facts []compare.Fact
	if text := i.image.Manifest.Annotations[annotationFiles]; text != "" && json.Unmarshal([]byte(text), &digests) == nil {
		for _, name := range slices.Sorted(maps.Keys(digests)) {
			facts = append(facts, compare.Fact{Kind: "file", Name: name, ID: digests[name]})
		}
		return facts
	}
	for _, l := range i.image.Layers {
		if l.Title == filesTitle && l.Key != "" {
			facts = append(facts, compare.Fact{Kind: "files", ID: l.Key})
		}
	}
	return facts
}

// withoutHashes takes versions and hashes out of the prefixes in a text: that a
// package is another one is told of the package. A prefix ends in
// name-version-hash or in name-hash.
func (i *Image) withoutHashes(text string) string {
	if !strings.Contains(text, "/") {
		return text
	}
	parts := strings.Split(text, "/")
	for n := range parts[1:] {
		parts[n+1] = i.withoutHash(parts[n+1])
	}
	return strings.Join(parts, "/")
}

// withoutHash does that for what stands between two slashes.
func (i *Image) withoutHash(part string) string {
	for at := 0; ; {
		dash := strings.IndexByte(part[at:], '-')
		if dash < 0 {
			return part
		}
		at += dash + 1
		rest := strings.TrimLeft(part[at:], "abcdefghijklmnopqrstuvwxyz0123456789")
		id := part[at : len(part)-len(rest)]
		name, known := i.names[id[:min(len(id), shortID)]]
		if known && len(id) >= shortID && strings.HasPrefix(part, name+"-") {
			return name + rest
		}
	}
}

// shortID is how much of a hash tells packages of one image apart.
const shortID = 7

// index notes the names of the packages by their hashes, as prefixes have them.
func (i *Image) index() {
	i.names = make(map[string]string, len(i.packages))
	for _, p := range i.packages {
		name := p.Name
		if a, err := addr.Parse(name); err == nil {
			name = a.Name
		}
		i.names[p.ID[:min(len(p.ID), shortID)]] = name
	}
}
