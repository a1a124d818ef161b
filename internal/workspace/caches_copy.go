package workspace

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"esd/internal/spack"
	"esd/internal/spack/buildcache"
)

// The ways to treat signatures of packages that are copied.
const (
	// SignaturesAuto signs where the destination has a key, and carries signatures
	// over where both caches have the same layout.
	SignaturesAuto = "auto"
	// SignaturesCarry copies them as they are.
	SignaturesCarry = "carry"
	// SignaturesSign signs all copies anew.
	SignaturesSign = "sign"
	// SignaturesNone leaves them behind.
	SignaturesNone = "none"
)

// CacheCopyOptions say what is copied from one build cache to another, and how.
type CacheCopyOptions struct {
	CacheQuery
	// OnlyPackage leaves out what the packages need to link and to run.
	OnlyPackage bool
	// Force replaces what is there.
	Force      bool
	Signatures string // empty: auto
	NoIndex    bool
	// Progress is told of each package; may be nil. It is not called concurrently.
	Progress func(CacheCopyStep)
}

// CacheCopyStep tells what became of one package. The first one, without a
// package, tells how much there is to do.
type CacheCopyStep struct {
	Package CachePackage
	// Copied tells it from one that was there.
	Copied bool
	Err    error // why it could not be copied
	// Total and Bytes are all that is to be copied, as far as sizes are known.
	Total int
	Bytes int64
}

// CacheCopied tells what was copied.
type CacheCopied struct {
	Copied, There int
	Bytes         int64 // of the archives that were copied
	// Failed are packages that could not be copied, each with its reason.
	Failed []CachePackage
	// Lacking are packages that are needed and that the source does not have.
	Lacking []string
	// Unsigned counts packages whose signature was left behind.
	Unsigned int
	// Indexed tells that the index of the destination is up to date.
	Indexed bool
}

// copying is what is to be copied from one cache to another.
type copying struct {
	to, from   *Buildcache
	contents   *contents
	packages   []*cached // those that have to be copied, dependencies first
	there      []*cached
	bytes      int64
	opts       CacheCopyOptions
	carry      bool
	unsigned   int
	lacking    []*spack.Spec
	mu         sync.Mutex
	out        CacheCopied
	reportLock sync.Mutex
}

// CopyTo copies packages to another cache, of any layout. One that cannot be
// copied does not keep the others from it; an error means that nothing can.
func (b *Buildcache) CopyTo(ctx context.Context, to *Buildcache, opts CacheCopyOptions) (*CacheCopied, error) {
	if b.sameAs(to) {
		return nil, fmt.Errorf("%s is both the source and the destination", b.Location())
	}
	c, err := b.find(ctx, opts.CacheQuery)
	if err != nil {
		return nil, err
	}
	j := &copying{to: to, from: b, contents: c, opts: opts, lacking: c.absent}
	if !opts.OnlyPackage && !opts.all() {
		lacking, err := b.closure(ctx, c)
		if err != nil {
			return nil, err
		}
		j.lacking = append(j.lacking, lacking...)
	}
	if err := j.prepare(ctx); err != nil {
		return nil, err
	}
	return j.run(ctx)
}

// prepare finds out what is there already.
func (j *copying) prepare(ctx context.Context) error {
	if err := j.chooseSignatures(ctx); err != nil {
		return err
	}
	specs := make([]*spack.Spec, 0, len(j.contents.packages))
	for _, p := range j.contents.packages {
		if p.spec != nil {
			specs = append(specs, p.spec)
		}
	}
	found, err := j.to.cache.Lookup(ctx, specs, buildcache.LookupOptions{Specs: j.contents.specs, Verify: true})
	if err != nil {
		return err
	}
	sound, err := j.to.sound(ctx, found)
	if err != nil {
		return err
	}
	for _, p := range j.contents.dependenciesFirst() {
		if sound[p.entry.Hash] && !j.opts.Force {
			j.there = append(j.there, p)
			continue
		}
		j.packages = append(j.packages, p)
		j.bytes += max(p.entry.Archive.Size, 0)
		if p.entry.Signed && !j.carry && j.to.settings.SigningKey == "" {
			j.unsigned++
		}
	}
	return nil
}

// sound tells which entries have their archives.
func (b *Buildcache) sound(ctx context.Context, found map[spack.Hash]buildcache.Entry) (map[spack.Hash]bool, error) {
	var mu sync.Mutex
	out := map[spack.Hash]bool{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for h, e := range found {
		if e.Problem != nil {
			continue
		}
		group.Go(func() error {
			ok, err := b.there(ctx, e)
			mu.Lock()
			defer mu.Unlock()
			out[h] = ok
			return err
		})
	}
	return out, group.Wait()
}

// chooseSignatures decides what becomes of signatures.
func (j *copying) chooseSignatures(ctx context.Context) error {
	from, err := j.from.cache.Layout(ctx)
	if err != nil {
		return err
	}
	to, err := j.to.cache.Layout(ctx)
	if err != nil {
		return err
	}
	can, signs := from == to && to != buildcache.OCI, j.to.settings.SigningKey != ""
	switch j.opts.Signatures {
	case SignaturesAuto, "":
		j.carry = can && !signs
	case SignaturesCarry:
		if !can {
			return fmt.Errorf("signatures cannot be carried from layout %s to layout %s: they are over texts that differ. Sign the copies anew with --signatures=sign, or leave them behind with --signatures=none", from, to)
		}
		j.carry = true
	case SignaturesSign:
		if !signs {
			return fmt.Errorf("there is no key to sign with: name it with --signing-key FILE, or by signing_key in the block of cache %q", j.to.Name)
		}
		if to == buildcache.OCI {
			return errors.New("packages in registries have no signatures: Spack has none there")
		}
	case SignaturesNone:
	}
	return nil
}

// copiers is how many packages are copied at once: archives may be large, and
// are read and written at the same time.
const copiers = 4

// run copies. What was copied before an error is told too.
func (j *copying) run(ctx context.Context) (*CacheCopied, error) {
	j.out = CacheCopied{There: len(j.there), Lacking: written(j.lacking), Unsigned: j.unsigned}
	j.tell(CacheCopyStep{Total: len(j.packages), Bytes: j.bytes})
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(copiers)
	for _, p := range j.packages {
		group.Go(func() error {
			if groupCtx.Err() != nil {
				return groupCtx.Err()
			}
			return j.one(groupCtx, p)
		})
	}
	if err := group.Wait(); err != nil {
		return &j.out, err
	}
	return &j.out, j.index(ctx)
}

// one copies one package. An error ends all copying.
func (j *copying) one(ctx context.Context, p *cached) error {
	step := CacheCopyStep{Package: j.contents.packageOf(p)}
	err := p.problem
	if err == nil {
		_, err = buildcache.Copy(ctx, j.to.cache, j.from.cache, []buildcache.Entry{p.entry}, buildcache.CopyOptions{
			Force: j.opts.Force, CarrySignatures: j.carry, Progress: func(_ buildcache.Entry, copied bool) { step.Copied = copied },
		})
	}
	if err != nil && !isOfEntry(err) {
		return err
	}
	j.mu.Lock()
	switch {
	case err != nil:
		step.Err = err
		step.Package.Problem = err.Error()
		j.out.Failed = append(j.out.Failed, step.Package)
	case step.Copied:
		j.out.Copied++
		j.out.Bytes += max(p.entry.Archive.Size, 0)
	default:
		j.out.There++
	}
	j.mu.Unlock()
	j.tell(step)
	return nil
}

func (j *copying) tell(s CacheCopyStep) {
	if j.opts.Progress == nil {
		return
	}
	j.reportLock.Lock()
	defer j.reportLock.Unlock()
	j.opts.Progress(s)
}

// index brings the index of the destination up to date. Where nothing was
// copied, a copy before may have ended before its index was written.
func (j *copying) index(ctx context.Context) error {
	if j.opts.NoIndex || !j.to.settings.Index {
		return nil
	}
	if j.out.Copied == 0 {
		if ok, err := j.to.indexed(ctx, j.contents); ok || err != nil {
			return err
		}
	}
	if _, err := j.to.cache.UpdateIndex(ctx); err != nil {
		return fmt.Errorf("the packages are copied, but the index of %s is not up to date: %w", j.to.Location(), err)
	}
	j.out.Indexed = true
	return nil
}
