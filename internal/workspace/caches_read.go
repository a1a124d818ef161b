package workspace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"esd/internal/spack"
	"esd/internal/spack/buildcache"
	"esd/internal/spack/signature"
)

// readers is how many entries of a cache are read at once.
const readers = 16

// cached is one package in a build cache.
type cached struct {
	entry buildcache.Entry
	spec  *spack.Spec // nil where it cannot be read
	// problem says why the entry cannot be used.
	problem error
}

// contents are packages of a build cache, sorted by name, version and hash.
type contents struct {
	packages []*cached
	// specs are their specs and all that these depend on.
	specs spack.Specs
	// absent are packages that were asked for by an environment and are not there.
	absent []*spack.Spec
}

// read reads entries and their specs. What is damaged is in the result with its
// problem.
func (b *Buildcache) read(ctx context.Context, entries []buildcache.Entry) (*contents, error) {
	out := &contents{packages: make([]*cached, len(entries)), specs: spack.Specs{}}
	var mu sync.Mutex
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, e := range entries {
		group.Go(func() error {
			p, doc, err := b.readOne(groupCtx, e)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			out.packages[i] = p
			if doc != nil {
				out.add(doc)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out.packages = slices.DeleteFunc(out.packages, func(p *cached) bool { return p == nil })
	out.sort()
	return out, nil
}

// readOne reads an entry. It is nil if it has gone since it was listed.
func (b *Buildcache) readOne(ctx context.Context, e buildcache.Entry) (*cached, *spack.Document, error) {
	if e.Problem != nil {
		return &cached{entry: e, problem: e.Problem}, nil, nil
	}
	full, err := b.cache.Resolve(ctx, e)
	switch {
	case errors.Is(err, buildcache.ErrNotFound) && !errors.Is(err, buildcache.ErrIndex):
		return nil, nil, nil
	case isOfEntry(err):
		return &cached{entry: e, problem: err}, nil, nil
	case err != nil:
		return nil, nil, err
	}
	text, err := b.cache.Spec(ctx, full)
	if err != nil && !isOfEntry(err) {
		return nil, nil, err
	}
	if err == nil {
		var doc *spack.Document
		if doc, err = spack.DecodeDocument(text); err == nil {
			return &cached{entry: full, spec: doc.Root}, doc, nil
		}
	}
	return &cached{entry: full, problem: fmt.Errorf("its spec cannot be read: %w", err)}, nil, nil
}

// isOfEntry tells errors that are about one entry from those about the cache.
func isOfEntry(err error) bool {
	for _, known := range []error{
		buildcache.ErrNotFound, buildcache.ErrInvalid, buildcache.ErrIndex, signature.ErrUnsigned, signature.ErrUntrusted, signature.ErrBad,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// add takes the specs of a document.
func (c *contents) add(doc *spack.Document) {
	for h, s := range doc.Specs {
		if c.specs[h] == nil || h == doc.Root.Hash {
			s.Raw = nil // the text of a hundred thousand specs is a gigabyte
			c.specs[h] = s
		}
	}
}

func (c *contents) sort() {
	slices.SortFunc(c.packages, func(a, b *cached) int {
		return cmp.Or(cmp.Compare(a.entry.Name, b.entry.Name), spack.CompareVersions(a.entry.Version, b.entry.Version),
			cmp.Compare(a.entry.Hash, b.entry.Hash))
	})
}

// dependenciesFirst are the packages so that none stands before one that it needs
// to link or to run: stopped halfway, what was copied in this order is complete.
func (c *contents) dependenciesFirst() []*cached {
	byHash := make(map[spack.Hash]*cached, len(c.packages))
	for _, p := range c.packages {
		byHash[p.entry.Hash] = p
	}
	var out []*cached
	done := make(map[spack.Hash]bool, len(c.packages))
	var visit func(h spack.Hash)
	visit = func(h spack.Hash) {
		if done[h] {
			return
		}
		done[h] = true
		if s := c.specs[h]; s != nil {
			for _, e := range s.Dependencies {
				if e.Types&spack.LinkRun != 0 {
					visit(e.Hash)
				}
			}
		}
		if p := byHash[h]; p != nil {
			out = append(out, p)
		}
	}
	for _, p := range c.packages {
		visit(p.entry.Hash)
	}
	return out
}

// closure extends packages by what they need to link and to run. What the cache
// does not have of that is given too.
func (b *Buildcache) closure(ctx context.Context, c *contents) (lacking []*spack.Spec, err error) {
	have := map[spack.Hash]bool{}
	var roots []spack.Hash
	for _, p := range c.packages {
		have[p.entry.Hash] = true
		roots = append(roots, p.entry.Hash)
	}
	var more []*spack.Spec
	for _, s := range c.specs.Closure(spack.LinkRun, roots...) {
		if !have[s.Hash] && !s.IsExternal() {
			more = append(more, s)
		}
	}
	found, err := b.cache.Lookup(ctx, more, buildcache.LookupOptions{Specs: c.specs, Verify: true})
	if err != nil {
		return nil, err
	}
	for _, s := range more {
		if e, ok := found[s.Hash]; ok {
			c.packages = append(c.packages, &cached{entry: e, spec: s, problem: e.Problem})
		} else {
			lacking = append(lacking, s)
		}
	}
	c.sort()
	return lacking, nil
}

// CachePackage is a package in a build cache, as it is told of.
type CachePackage struct {
	Name, Version, Hash string
	// Spec is the whole spec in Spack's syntax, without its hash; empty where only
	// the name is known.
	Spec                 string
	Platform, OS, Target string
	Compiler             string // "gcc@12.2.0"; empty for none
	// Variants are in Spack's syntax, without those that tell users nothing.
	Variants string
	Size     int64  // bytes of the archive; negative when not known
	SHA256   string // of the archive
	Signed   bool
	Signer   string // fingerprint of the trusted key; empty when not checked
	Problem  string // why it cannot be used
}

// packageOf tells of a package.
func (c *contents) packageOf(p *cached) CachePackage {
	e := p.entry
	out := CachePackage{
		Name: e.Name, Version: e.Version, Hash: string(e.Hash), Size: -1, SHA256: e.Archive.SHA256, Signed: e.Signed, Signer: e.Signer,
	}
	if e.Resolved() {
		out.Size = e.Archive.Size
	}
	if p.problem != nil {
		out.Problem = p.problem.Error()
	}
	if s := p.spec; s != nil {
		out.Spec = format(s, c.specs, "{name}{@version}{compiler_flags}{variants}{ arch=architecture}{compilers}")
		out.Platform, out.OS, out.Target = s.Arch.Platform, s.Arch.OS, s.Arch.Target
		if compiler := format(s, c.specs, "{compiler.name}@{compiler.version}"); compiler != "none@none" {
			out.Compiler = strings.ReplaceAll(compiler, "@=", "@")
		}
		out.Variants = tellingVariants(s)
	}
	return out
}

func (c *contents) packagesOf(list []*cached) []CachePackage {
	out := make([]CachePackage, len(list))
	for i, p := range list {
		out[i] = c.packageOf(p)
	}
	return out
}

// format writes a spec as the generation of Spack does that made it.
func format(s *spack.Spec, all spack.Specs, template string) string {
	t, err := spack.ParseTemplate(template)
	if err != nil {
		return ""
	}
	if s.SpecfileVersion < 5 {
		t = t.In(spack.Syntax023)
	}
	text, _ := t.Format(s, all)
	return text
}

// tellingVariants are all variants but those that every package has, and digests.
func tellingVariants(s *spack.Spec) string {
	var switches, others strings.Builder
	for _, p := range s.Parameters {
		switch {
		case p.IsFlags(), p.Name == "build_system", p.Name == "patches":
		case p.Bool:
			switches.WriteString(p.String())
		case p.List && s.SpecfileVersion < 5: // := is of Spack 1.0
			others.WriteString(" " + strings.Replace(p.String(), ":=", "=", 1))
		default:
			others.WriteString(" " + p.String())
		}
	}
	return strings.TrimSpace(switches.String() + others.String())
}
