package oci

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

const (
	layoutLock   = ".esd-lock"   // locked while index.json changes
	layoutIngest = ".esd-ingest" // unfinished files, on the same file system as the finished ones
	lockPoll     = 20 * time.Millisecond
)

// create opens the layout's directory for writing and makes it a layout if it is not
// one yet.
func (l *layout) create(ctx context.Context) (*os.Root, error) {
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return nil, l.wrap(err)
	}
	root, err := l.open()
	if err != nil {
		return nil, err
	}
	if _, err := root.Stat(ocispec.ImageIndexFile); err == nil {
		return root, nil
	}
	if err := l.initialize(ctx, root); err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

func (l *layout) initialize(ctx context.Context, root *os.Root) error {
	unlock, err := l.lock(ctx, root)
	if err != nil {
		return err
	}
	defer unlock()
	if err := root.MkdirAll(path.Join(ocispec.ImageBlobsDir, digest.Canonical.String()), 0o755); err != nil {
		return l.wrap(err)
	}
	marker := `{"imageLayoutVersion":"` + ocispec.ImageLayoutVersion + `"}`
	if err := l.writeFile(root, ocispec.ImageLayoutFile, strings.NewReader(marker)); err != nil {
		return err
	}
	if _, err := root.Stat(ocispec.ImageIndexFile); err == nil {
		return nil // another process was faster
	}
	return l.writeIndex(root, nil)
}

// Tag implements Store. It refuses with [ErrMissingBlob] when something the manifest
// needs is not in the layout, since it would otherwise name a broken image. What only
// the image that had the tag before refers to is removed.
func (l *layout) Tag(ctx context.Context, desc ocispec.Descriptor, tag string) error {
	if !isTag(tag) {
		return fmt.Errorf("%s: %w: %v", l.Location(), ErrInvalidReference, tagError(tag))
	}
	return l.name(ctx, desc, tag)
}

// pushTagged implements taggedPusher.
func (l *layout) pushTagged(ctx context.Context, desc ocispec.Descriptor, content []byte, tag string) error {
	if err := l.PushBytes(ctx, desc, content); err != nil {
		return err
	}
	if tag == "" {
		return l.name(ctx, desc, "")
	}
	return l.Tag(ctx, desc, tag)
}

// name lists a manifest in the index, in place of what has the name now. Only one
// manifest has no name.
func (l *layout) name(ctx context.Context, desc ocispec.Descriptor, tag string) error {
	if err := checkDescriptor(l.Location(), desc); err != nil {
		return err
	}
	root, err := l.create(ctx)
	if err != nil {
		return err
	}
	defer root.Close()
	entry := desc
	entry.Annotations = maps.Clone(desc.Annotations)
	if tag != "" {
		if entry.Annotations == nil {
			entry.Annotations = map[string]string{}
		}
		entry.Annotations[ocispec.AnnotationRefName] = tag
	}
	return l.replace(ctx, root, func(entries []ocispec.Descriptor) (kept, dropped []ocispec.Descriptor, err error) {
		if err := l.complete(root, desc); err != nil {
			return nil, nil, err
		}
		kept, dropped = split(entries, func(d ocispec.Descriptor) bool {
			name := d.Annotations[ocispec.AnnotationRefName]
			return name == tag || name == "" && d.Digest == desc.Digest
		})
		return append(kept, entry), dropped, nil
	})
}

// complete checks that a manifest and what it directly refers to are stored. An index
// may be sparse, so only its own presence counts.
func (l *layout) complete(root *os.Root, desc ocispec.Descriptor) error {
	if !hasBlob(root, desc) {
		return fmt.Errorf("%s: manifest %s: %w", l.Location(), desc.Digest, ErrMissingBlob)
	}
	if !isManifest(desc.MediaType) || isIndex(desc.MediaType) {
		return nil
	}
	content, err := l.readBlob(root, desc)
	if err != nil {
		return err
	}
	m, err := parseManifest(content)
	if err != nil {
		return fmt.Errorf("%s: manifest %s: %w", l.Location(), desc.Digest, err)
	}
	for _, d := range append([]ocispec.Descriptor{m.Config}, m.Layers...) {
		if !isForeign(d) && !hasBlob(root, d) {
			return fmt.Errorf("%s: %s of manifest %s: %w", l.Location(), d.Digest, desc.Digest, ErrMissingBlob)
		}
	}
	return nil
}

// Untag implements Store.
func (l *layout) Untag(ctx context.Context, tag string) error {
	return l.remove(ctx, fmt.Sprintf("tag %q", tag), func(d ocispec.Descriptor) bool {
		return tag != "" && d.Annotations[ocispec.AnnotationRefName] == tag
	})
}

// Delete implements Store. A manifest goes with all its tags and with what only it
// refers to; a blob goes alone.
func (l *layout) Delete(ctx context.Context, desc ocispec.Descriptor) error {
	if err := checkDescriptor(l.Location(), desc); err != nil {
		return err
	}
	err := ErrNotFound
	if isManifest(desc.MediaType) {
		err = l.remove(ctx, desc.Digest.String(), func(d ocispec.Descriptor) bool { return d.Digest == desc.Digest })
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	root, err := l.open()
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(blobPath(desc.Digest)); errors.Is(err, fs.ErrNotExist) {
		return l.notFound("%s", desc.Digest)
	} else if err != nil {
		return l.wrap(err)
	}
	return nil
}

// remove drops index entries and the content that only they referred to.
func (l *layout) remove(ctx context.Context, what string, match func(ocispec.Descriptor) bool) error {
	root, err := l.open()
	if err != nil {
		return err
	}
	defer root.Close()
	return l.replace(ctx, root, func(entries []ocispec.Descriptor) (kept, dropped []ocispec.Descriptor, err error) {
		kept, dropped = split(entries, match)
		if len(dropped) == 0 {
			return nil, nil, l.notFound("%s", what)
		}
		return kept, dropped, nil
	})
}

// split parts the entries that match from the others.
func split(entries []ocispec.Descriptor, match func(ocispec.Descriptor) bool) (others, matching []ocispec.Descriptor) {
	for _, d := range entries {
		if match(d) {
			matching = append(matching, d)
		} else {
			others = append(others, d)
		}
	}
	return others, matching
}

// replace changes index.json and then removes what only dropped entries referred to,
// both under the lock.
func (l *layout) replace(ctx context.Context, root *os.Root, change func([]ocispec.Descriptor) (kept, dropped []ocispec.Descriptor, err error)) error {
	unlock, err := l.lock(ctx, root)
	if err != nil {
		return err
	}
	defer unlock()
	idx, err := l.index(root)
	if err != nil {
		return err
	}
	kept, dropped, err := change(slices.Clone(idx.index.Manifests))
	if err != nil {
		return err
	}
	if err := l.writeIndex(root, kept); err != nil {
		return err
	}
	// An entry that is written again drops nothing; walking all others is not free.
	dropped, _ = split(dropped, func(d ocispec.Descriptor) bool {
		return slices.ContainsFunc(kept, func(k ocispec.Descriptor) bool { return k.Digest == d.Digest })
	})
	if len(dropped) > 0 {
		l.sweep(root, dropped, kept)
	}
	sweepUnfinished(root, time.Now())
	return nil
}

func (l *layout) writeIndex(root *os.Root, entries []ocispec.Descriptor) error {
	if entries == nil {
		entries = []ocispec.Descriptor{}
	}
	sortEntries(entries)
	content, err := canonicalJSON(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageIndex,
		Manifests: entries,
	})
	if err != nil {
		return l.wrap(err)
	}
	if len(content) > maxLayoutIndex {
		return fmt.Errorf("%s: %w: the index would exceed %d bytes; remove entries first", l.Location(), ErrInvalidContent, maxLayoutIndex)
	}
	err = l.writeFile(root, ocispec.ImageIndexFile, strings.NewReader(string(content)))
	// Two changes within the granularity of the file system's clock must not look alike.
	l.mu.Lock()
	l.cached = cachedIndex{}
	l.mu.Unlock()
	return err
}

// lock waits for the layout's lock, which holds between processes and goroutines.
func (l *layout) lock(ctx context.Context, root *os.Root) (unlock func(), err error) {
	f, err := root.OpenFile(layoutLock, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, l.wrap(err)
	}
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			f.Close()
			return nil, fmt.Errorf("%s: locking: %w", l.Location(), err)
		}
		if err := (SystemClock{}).Sleep(ctx, lockPoll); err != nil {
			f.Close()
			return nil, fmt.Errorf("%s: waiting for another process that changes the layout: %w", l.Location(), err)
		}
	}
}

// writeFile replaces a file as a whole: after a crash there is the old or the new one.
func (l *layout) writeFile(root *os.Root, name string, content io.Reader) error {
	if err := root.MkdirAll(layoutIngest, 0o755); err != nil {
		return l.wrap(err)
	}
	tmp := path.Join(layoutIngest, rand.Text())
	f, err := root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return l.wrap(err)
	}
	_, err = io.Copy(f, content)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = root.Rename(tmp, name)
	}
	if err == nil {
		err = syncDir(root, path.Dir(name))
	}
	if err != nil {
		_ = root.Remove(tmp)
		var mismatch *DigestMismatchError
		if errors.As(err, &mismatch) {
			return err
		}
		return fmt.Errorf("%s: writing %s: %w", l.Location(), name, err)
	}
	return nil
}

func syncDir(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
