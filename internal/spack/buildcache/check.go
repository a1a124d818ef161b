package buildcache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"esd/internal/spack"
)

// FindingKind is what can be wrong with a cache.
type FindingKind int

// The kinds of findings.
const (
	// Unreadable is an entry that is malformed, or whose signature is not accepted.
	Unreadable FindingKind = iota
	// ArchiveMissing is an entry whose archive is not there.
	ArchiveMissing
	// ArchiveWrong is an entry whose archive has another size or digest.
	ArchiveWrong
	// SpecWrong is an entry whose spec is missing, or about another package.
	SpecWrong
	// NotInIndex is an entry that the index does not list.
	NotInIndex
	// NotThere is what the index lists without an entry.
	NotThere
	// DependencyMissing is an entry that needs, to link or to run, a package that is
	// neither in the cache nor external.
	DependencyMissing
)

// String gives a word for machines.
func (k FindingKind) String() string {
	return [...]string{"unreadable", "archive-missing", "archive-wrong", "spec-wrong", "not-in-index", "not-there", "dependency-missing"}[k]
}

// Finding is something that is wrong with an entry.
type Finding struct {
	Kind          FindingKind
	Hash          spack.Hash
	Name, Version string
	// Needs is the dependency that is missing.
	Needs spack.Reference
	Err   error // more about it; may be nil
}

// String says it in words.
func (f Finding) String() string {
	s := fmt.Sprintf("%s: %s@%s/%s", f.Kind, f.Name, f.Version, f.Hash.Short())
	if f.Needs.Hash != "" {
		s += fmt.Sprintf(" needs %s/%s", f.Needs.Name, f.Needs.Hash.Short())
	}
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// CheckOptions say how thorough a check is.
type CheckOptions struct {
	// Archives reads all archives and compares their digests; otherwise only their
	// sizes are asked for.
	Archives bool
	// SkipIndex leaves the index out.
	SkipIndex bool
}

// Check looks for entries that will not install: see [FindingKind]. The findings are
// sorted. An error means that the check could not be made.
func (c *Cache) Check(ctx context.Context, opts CheckOptions) ([]Finding, error) {
	b, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := c.List(ctx)
	if err != nil {
		return nil, err
	}
	k := &checker{c: c, b: b, opts: opts, there: map[spack.Hash]bool{}, needs: map[spack.Hash][]missing{}, newer: map[spack.Hash]bool{}}
	for _, e := range entries {
		k.there[e.Hash] = true
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(c.opts.Concurrency)
	for _, e := range entries {
		group.Go(func() error { return k.entry(groupCtx, e) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	k.dependencies()
	if !opts.SkipIndex {
		if err := k.index(ctx, entries); err != nil {
			return nil, err
		}
	}
	sortFindings(k.findings)
	return k.findings, nil
}

// checker collects what is wrong.
type checker struct {
	c     *Cache
	b     backend
	opts  CheckOptions
	there map[spack.Hash]bool

	mu       sync.Mutex
	findings []Finding
	needs    map[spack.Hash][]missing
	newer    map[spack.Hash]bool // not in the index by design, see [UpdateReport]
}

// missing is a dependency that may not be there.
type missing struct {
	by   Entry
	name string
}

func (k *checker) found(kind FindingKind, e Entry, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.findings = append(k.findings, Finding{Kind: kind, Hash: e.Hash, Name: e.Name, Version: e.Version, Err: err})
}

// entry checks one entry. An error ends the whole check.
func (k *checker) entry(ctx context.Context, e Entry) error {
	if e.Problem != nil {
		k.found(Unreadable, e, e.Problem)
		return nil
	}
	full, err := k.c.Resolve(ctx, e)
	switch {
	case errors.Is(err, ErrNotFound): // known from the index only, or deleted since
		k.found(NotThere, e, nil)
		return nil
	case isAbsent(err):
		k.found(Unreadable, e, err)
		return nil
	case err != nil:
		return err
	}
	if err := k.archive(ctx, full); err != nil {
		return err
	}
	return k.spec(ctx, full)
}

func (k *checker) archive(ctx context.Context, e Entry) error {
	info, err := k.b.has(ctx, e)
	switch {
	case errors.Is(err, ErrNotFound):
		k.found(ArchiveMissing, e, nil)
		return nil
	case err != nil:
		return err
	case info.Size >= 0 && e.Archive.Size >= 0 && info.Size != e.Archive.Size:
		k.found(ArchiveWrong, e, fmt.Errorf("it has %d bytes, %d expected", info.Size, e.Archive.Size))
		return nil
	case !k.opts.Archives:
		return nil
	}
	r, err := k.c.Archive(ctx, e)
	if err == nil {
		_, err = io.Copy(io.Discard, r)
		r.Close()
	}
	if isAbsent(err) {
		k.found(ArchiveWrong, e, err)
		return nil
	}
	return err
}

func (k *checker) spec(ctx context.Context, e Entry) error {
	text, err := k.b.spec(ctx, e)
	var doc specDocument
	var d *spack.Document
	where := k.c.where + ": " + e.ID()
	if err == nil {
		doc, _, err = parseSpecDocument(where, text, e.Hash)
	}
	if err == nil {
		d, err = doc.decode(where)
	}
	if isAbsent(err) {
		k.found(SpecWrong, e, err)
		return nil
	}
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.newer[e.Hash] = k.b.layout() == V2 && d.Root.FileVersion >= firstOf1x
	for _, edge := range d.Root.Dependencies {
		if edge.Types&spack.LinkRun != 0 && !k.there[edge.Hash] && !d.Specs[edge.Hash].IsExternal() {
			k.needs[edge.Hash] = append(k.needs[edge.Hash], missing{e, edge.Name})
		}
	}
	return nil
}

// dependencies reports what is needed and not there.
func (k *checker) dependencies() {
	for h, by := range k.needs {
		for _, m := range by {
			k.findings = append(k.findings, Finding{
				Kind: DependencyMissing, Hash: m.by.Hash, Name: m.by.Name, Version: m.by.Version,
				Needs: spack.Reference{Name: m.name, Hash: h},
			})
		}
	}
}

// index compares the index with what is there.
func (k *checker) index(ctx context.Context, entries []Entry) error {
	ix, err := k.c.currentIndex(ctx, k.b, IndexAlways, len(entries))
	if err != nil || ix == nil {
		return err
	}
	for _, e := range entries {
		if listed, ok := ix.find(e.Hash); (!ok || !listed.inCache) && !k.newer[e.Hash] {
			k.found(NotInIndex, e, nil)
		}
	}
	for i := range ix.n {
		e, ok := ix.at(i)
		if !ok || !e.inCache {
			continue
		}
		gone := Entry{Hash: e.hash, Name: e.name, Version: e.version}
		if !k.there[e.hash] {
			k.found(NotThere, gone, nil)
		}
	}
	return nil
}

func sortFindings(all []Finding) {
	slices.SortFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Hash, b.Hash),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Needs.Name, b.Needs.Name), cmp.Compare(a.Needs.Hash, b.Needs.Hash))
	})
}
