package buildcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"esd/internal/spack"
	"esd/internal/spack/signature"
)

// CopyOptions say how entries are copied.
type CopyOptions struct {
	// Force replaces entries that are there already.
	Force bool
	// CarrySignatures copies signed entries with the signature that they have, which
	// needs the same layout on both sides, 2 or 3; otherwise the copy is signed with
	// the Signer of the destination, or not at all.
	CarrySignatures bool
	// Progress is told of each entry that was copied, or was there; may be nil. It is
	// not called concurrently.
	Progress func(e Entry, copied bool)
}

// Copy brings entries from one cache to another, of any layout: archives byte for
// byte, verified. What is there already is skipped. The entries that were copied are
// given, sorted; with an error, those that were until then.
func Copy(ctx context.Context, dst, src *Cache, entries []Entry, opts CopyOptions) ([]Entry, error) {
	to, err := dst.writable(ctx)
	if err != nil {
		return nil, err
	}
	from, err := src.get(ctx)
	if err != nil {
		return nil, err
	}
	if opts.CarrySignatures && (to.layout() != from.layout() || to.layout() == OCI) {
		return nil, fmt.Errorf("signatures of %s cannot be carried to %s: they are over the texts of the layout; sign anew instead", src.where, dst.where)
	}
	j := &copyJob{dst: dst, src: src, to: to, from: from, opts: opts}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(min(4, dst.opts.Concurrency)) // archives may be large, and are read and written at once
	for _, e := range entries {
		group.Go(func() error {
			if err := j.one(groupCtx, e); err != nil {
				return fmt.Errorf("copying %s: %w", e.ID(), err)
			}
			return nil
		})
	}
	err = group.Wait()
	sortEntries(j.copied)
	return j.copied, err
}

type copyJob struct {
	dst, src *Cache
	to, from backend
	opts     CopyOptions

	mu     sync.Mutex
	copied []Entry
}

func (j *copyJob) one(ctx context.Context, e Entry) error {
	e, err := j.src.Resolve(ctx, e)
	if err != nil {
		return err
	}
	if e.Problem != nil {
		return e.Problem
	}
	text, err := j.from.spec(ctx, e)
	if err != nil {
		return err
	}
	where := j.src.where + ": " + e.ID()
	doc, _, err := parseSpecDocument(where, text, e.Hash)
	if err != nil {
		return err
	}
	d, err := doc.decode(where)
	if err != nil {
		return err
	}
	k, err := newKey(d.Root, d.Specs)
	if err != nil {
		return err
	}
	if !j.opts.Force {
		if have, ok, err := j.dst.sound(ctx, j.to, k); err != nil || ok {
			j.done(have, false)
			return err
		}
	}
	if err := checkGeneration(j.to, k, doc.Spec.Meta.Version); err != nil {
		return err
	}
	return j.transfer(ctx, e, k, d, doc)
}

func (j *copyJob) done(e Entry, copied bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if copied {
		j.copied = append(j.copied, e)
	}
	if j.opts.Progress != nil && e.Hash != "" {
		j.opts.Progress(e, copied)
	}
}

func (j *copyJob) transfer(ctx context.Context, e Entry, k key, d *spack.Document, doc specDocument) error {
	archive := Archive{
		SHA256: e.Archive.SHA256, Size: e.Archive.Size, DiffID: e.DiffID, TarSize: e.TarSize,
		Open: func() (io.ReadCloser, error) { return j.src.Archive(ctx, e) },
	}
	if archive.Size < 0 || j.to.layout() == OCI && archive.DiffID == "" {
		spooled, err := spool(ctx, j.src, e)
		if err != nil {
			return err
		}
		defer os.Remove(spooled.name)
		archive.Size = spooled.size
		archive.Open = func() (io.ReadCloser, error) { return os.Open(spooled.name) }
	}
	_, req, err := checkPush(PushRequest{Spec: d.Root, Specs: d.Specs, Archive: archive, Prefix: e.Prefix, Force: j.opts.Force})
	if err != nil {
		return err
	}
	// The document is kept as it is, whatever its order.
	doc.Checksum, doc.Annotations, doc.LayoutVersion = nil, nil, 2
	req.doc = doc
	if j.opts.CarrySignatures && e.Signed {
		if req.raw, req.rawSpec, err = j.carried(ctx, e); err != nil {
			return err
		}
	}
	copied, err := j.to.push(ctx, k, req)
	if err != nil {
		return err
	}
	j.done(copied, true)
	return nil
}

// carried is what the signature of an entry is over, as it is: the text, and in
// version 3 the spec blob that it names.
func (j *copyJob) carried(ctx context.Context, e Entry) (raw, spec []byte, err error) {
	if raw, err = j.from.raw(ctx, e); err != nil {
		return nil, nil, err
	}
	if !signature.IsSigned(raw) {
		return nil, nil, errors.New("the signature is gone since the entry was found")
	}
	if b, ok := j.from.(*v3); ok {
		spec, err = b.readBlob(ctx, e.SpecBlob, maxSpecDoc)
	}
	return raw, spec, err
}

// spooled is an archive in a local file.
type spooled struct {
	name string
	size int64
}

// spool brings an archive here, when its content must be looked at before it is stored.
func spool(ctx context.Context, c *Cache, e Entry) (spooled, error) {
	r, err := c.Archive(ctx, e)
	if err != nil {
		return spooled{}, err
	}
	defer r.Close()
	f, err := os.CreateTemp("", "buildcache-archive-")
	if err != nil {
		return spooled{}, err
	}
	size, err := io.Copy(f, r)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		os.Remove(f.Name())
		return spooled{}, err
	}
	return spooled{f.Name(), size}, nil
}

// Closure extends entries by what they need to link and to run, as far as the cache
// has it: what has to be copied for them to install from the copy.
func (c *Cache) Closure(ctx context.Context, entries []Entry) ([]Entry, error) {
	all := map[spack.Hash]Entry{}
	for _, e := range entries {
		text, err := c.Spec(ctx, e)
		if err != nil {
			return nil, err
		}
		d, err := spack.DecodeDocument(text)
		if err != nil {
			return nil, invalid(c.where+": "+e.ID(), nil, "%v", err)
		}
		found, err := c.Lookup(ctx, d.Specs.Closure(spack.LinkRun, e.Hash), LookupOptions{Specs: d.Specs})
		if err != nil {
			return nil, err
		}
		for h, f := range found {
			if f.Problem == nil {
				all[h] = f
			}
		}
	}
	list := make([]Entry, 0, len(all))
	for _, e := range all {
		list = append(list, e)
	}
	sortEntries(list)
	return slices.Clip(list), nil
}
