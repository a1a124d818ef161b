package workspace

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"esd/internal/spack"
	"esd/internal/spack/binary"
	"esd/internal/spack/buildcache"
)

// CacheListing is what a build cache has.
type CacheListing struct {
	Packages []CachePackage
	// Absent are packages of environments that are not there, as name@version.
	Absent []string
}

// List lists the packages that a query means.
func (b *Buildcache) List(ctx context.Context, q CacheQuery) (*CacheListing, error) {
	c, err := b.find(ctx, q)
	if err != nil {
		return nil, err
	}
	return &CacheListing{Packages: c.packagesOf(c.packages), Absent: written(c.absent)}, nil
}

// Names lists all packages by what their names and the index tell: nothing else
// is read.
func (b *Buildcache) Names(ctx context.Context) (*CacheListing, error) {
	entries, err := b.cache.List(ctx)
	if err != nil {
		return nil, err
	}
	c := &contents{}
	for _, e := range entries {
		c.packages = append(c.packages, &cached{entry: e, problem: e.Problem})
	}
	c.sort()
	return &CacheListing{Packages: c.packagesOf(c.packages)}, nil
}

// written are packages as people name them.
func written(specs []*spack.Spec) []string {
	list := make([]string, len(specs))
	for i, s := range specs {
		list[i] = s.Name + "@" + s.Version + "/" + s.Hash.Short()
	}
	slices.Sort(list)
	return list
}

// CacheDetails is all that is known of a package in a build cache.
type CacheDetails struct {
	CachePackage
	SpecSHA256 string // of the spec's blob; empty where it is none
	// Prefix is where it was installed when its archive was made; empty if that
	// cannot be told.
	Prefix string
	Padded bool
	// TarSize is the size of the archive without compression in bytes, 0 if the
	// entry does not tell.
	TarSize int64
	// ChecksSignatures tells that the cache is used with trusted keys.
	ChecksSignatures bool
	// EntryURL and ArchiveURL are where they are.
	EntryURL, ArchiveURL string
	Dependencies         []CacheDependency
	// Needs counts all packages that it needs to link or to run, externals left
	// out; Lacks are those that the cache does not have, as name@version/hash.
	Needs int
	Lacks []string
}

// CacheDependency is a direct dependency of a package in a build cache.
type CacheDependency struct {
	Name, Version, Hash string
	// Types are build, link, run and test.
	Types []string
	// State is cached, missing or external.
	State string
	// Path is where an external one is.
	Path string
}

// Show tells all of the packages that a query means.
func (b *Buildcache) Show(ctx context.Context, q CacheQuery) ([]CacheDetails, []string, error) {
	c, err := b.find(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	var asked []*spack.Spec
	for _, s := range c.specs {
		asked = append(asked, s)
	}
	slices.SortFunc(asked, func(x, y *spack.Spec) int { return cmp.Compare(x.Hash, y.Hash) })
	there, err := b.cache.Lookup(ctx, asked, buildcache.LookupOptions{Specs: c.specs, Verify: true})
	if err != nil {
		return nil, nil, err
	}
	out := make([]CacheDetails, len(c.packages))
	for i, p := range c.packages {
		if out[i], err = b.details(ctx, c, p, there); err != nil {
			return nil, nil, err
		}
	}
	return out, written(c.absent), nil
}

func (b *Buildcache) details(ctx context.Context, c *contents, p *cached, there map[spack.Hash]buildcache.Entry) (CacheDetails, error) {
	d := CacheDetails{CachePackage: c.packageOf(p), SpecSHA256: p.entry.SpecBlob.SHA256, TarSize: p.entry.TarSize, ChecksSignatures: b.checksSignatures()}
	d.EntryURL, d.ArchiveURL = b.urls(c, p)
	if p.entry.Resolved() {
		var err error
		if d.Prefix, err = b.prefix(ctx, p.entry); err != nil {
			return d, err
		}
		d.Padded = strings.Contains(d.Prefix, padding)
	}
	if p.spec == nil {
		return d, nil
	}
	for _, e := range p.spec.Dependencies {
		if s := c.specs[e.Hash]; s != nil {
			d.Dependencies = append(d.Dependencies, dependency(s, e, there))
		}
	}
	var lacks []*spack.Spec
	for _, s := range c.specs.Closure(spack.LinkRun, p.spec.Hash)[1:] {
		if s.IsExternal() {
			continue
		}
		d.Needs++
		if e, ok := there[s.Hash]; !ok || e.Problem != nil {
			lacks = append(lacks, s)
		}
	}
	d.Lacks = written(lacks)
	return d, nil
}

// The states of a dependency.
const (
	dependencyCached   = "cached"
	dependencyMissing  = "missing"
	dependencyExternal = "external"
)

func dependency(s *spack.Spec, e spack.Edge, there map[spack.Hash]buildcache.Entry) CacheDependency {
	d := CacheDependency{Name: s.Name, Version: s.Version, Hash: string(s.Hash), Types: e.Types.Names(), State: dependencyMissing}
	if entry, ok := there[s.Hash]; ok && entry.Problem == nil {
		d.State = dependencyCached
	}
	if s.IsExternal() {
		d.State, d.Path = dependencyExternal, s.External.Path
	}
	return d
}

// padding is what Spack makes paths of stores longer with
// (SPACK_PATH_PADDING_CHARS in Spack's util/path.py).
const padding = "__spack_path_placeholder__"

// maxHead is how much of an archive is read to learn its prefix.
const maxHead = 1 << 20

// prefix finds out where a package was installed, from its entry or from the
// first bytes of its archive. It is empty where they do not tell.
func (b *Buildcache) prefix(ctx context.Context, e buildcache.Entry) (string, error) {
	if e.Prefix != "" {
		return e.Prefix, nil
	}
	for n := int64(8 << 10); n <= maxHead; n *= 8 {
		head, err := b.cache.ArchiveHead(ctx, e, n)
		if isOfEntry(err) {
			return "", nil // check tells what is wrong with it
		}
		if err != nil {
			return "", err
		}
		prefix, err := binary.Prefix(bytes.NewReader(head))
		if !errors.Is(err, binary.ErrNotEnough) || int64(len(head)) < n {
			return prefix, nil
		}
	}
	return "", nil
}

// there tells whether the archive of an entry can be opened.
func (b *Buildcache) there(ctx context.Context, e buildcache.Entry) (bool, error) {
	_, err := b.cache.ArchiveHead(ctx, e, 1)
	if isOfEntry(err) || errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil, err
}

// urls tells people where the two objects of an entry are; nothing is read there.
// The names are those of package buildcache (names.go).
func (b *Buildcache) urls(c *contents, p *cached) (entry, archive string) {
	e, root := p.entry, b.Location()
	switch e.Layout {
	case buildcache.V3:
		entry = root + "/v3/manifests/spec/" + e.Name + "/" + e.ID() + ".spec.manifest.json"
		if e.Resolved() {
			archive = root + "/blobs/sha256/" + e.Archive.SHA256[:2] + "/" + e.Archive.SHA256
		}
	case buildcache.V2:
		if p.spec == nil {
			return "", ""
		}
		compiler := format(p.spec, c.specs, "{compiler.name}-{compiler.version}")
		base := p.spec.Arch.String() + "-" + compiler + "-" + e.ID()
		suffix := ".spec.json"
		if e.Signed {
			suffix += ".sig"
		}
		entry = root + "/build_cache/" + base + suffix
		archive = root + "/build_cache/" + p.spec.Arch.String() + "/" + compiler + "/" + e.Name + "-" + e.Version + "/" + base + ".spack"
	case buildcache.OCI:
		tag := strings.ReplaceAll(e.ID()+".spack", "+", "_")
		if len(tag) > 128 {
			tag = tag[:64] + tag[len(tag)-64:]
		}
		entry = root + ":" + tag
		if e.Resolved() {
			archive = root + "@sha256:" + e.Archive.SHA256
		}
	}
	return entry, archive
}
