package oci

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"sync"
	"syscall"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Limits for what a layout directory may contain.
const (
	maxLayoutIndex = 64 << 20 // index.json; a cache of 100,000 entries has about 25 MiB
	maxNesting     = 4        // indexes inside indexes
)

// layout is an OCI image layout directory (image specification 1.1, "Image Layout").
//
// All access goes through os.Root, so a symbolic link that leads out of the directory
// is an error, never followed. Changes of index.json happen under a file lock, so
// that several processes may write to one layout.
type layout struct {
	dir string

	mu     sync.Mutex // guards cached
	cached cachedIndex
}

// cachedIndex is a parsed index.json and what the file looked like when it was read.
type cachedIndex struct {
	info  fs.FileInfo
	index *ocispec.Index
	tags  map[string][]ocispec.Descriptor
}

func openLayout(dir string) *layout { return &layout{dir: dir} }

// Location implements Store.
func (l *layout) Location() string { return "oci:" + l.dir }

// Resolve implements Store. An empty reference names the manifest without a name, or
// the only one of a layout that has just one.
func (l *layout) Resolve(_ context.Context, reference string) (ocispec.Descriptor, error) {
	root, err := l.open()
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	defer root.Close()
	idx, err := l.index(root)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	if dgst := digest.Digest(reference); dgst.Validate() == nil {
		return l.resolveDigest(root, idx.index, dgst)
	}
	found := idx.tags[reference]
	if reference == "" && len(found) == 0 {
		found = idx.index.Manifests
	}
	switch distinct := distinctDigests(found); {
	case distinct == 0:
		return ocispec.Descriptor{}, l.notFound("tag %q", reference)
	case distinct > 1 && reference == "":
		return ocispec.Descriptor{}, l.notFound("the layout holds several images, name one, as in %s:TAG", l.Location())
	case distinct > 1:
		return ocispec.Descriptor{}, fmt.Errorf("%s: %w: tag %q names %d images", l.Location(), ErrInvalidContent, reference, distinct)
	}
	return plainDescriptor(found[0]), nil
}

// resolveDigest finds a manifest or blob that may not be listed in the index itself.
func (l *layout) resolveDigest(root *os.Root, index *ocispec.Index, dgst digest.Digest) (ocispec.Descriptor, error) {
	for _, d := range index.Manifests {
		if d.Digest == dgst {
			return plainDescriptor(d), nil
		}
	}
	info, err := root.Lstat(blobPath(dgst))
	if err != nil || !info.Mode().IsRegular() {
		return ocispec.Descriptor{}, l.notFound("%s", dgst)
	}
	desc := ocispec.Descriptor{MediaType: "application/octet-stream", Digest: dgst, Size: info.Size()}
	if info.Size() <= MaxManifest {
		if content, err := l.readBlob(root, desc); err == nil {
			if mt := sniffMediaType(content); mt != "" {
				desc.MediaType = mt
			}
		}
	}
	return desc, nil
}

// Exists implements Store. A blob of the wrong size counts as missing, so that Push
// replaces it.
func (l *layout) Exists(_ context.Context, desc ocispec.Descriptor) (bool, error) {
	if err := checkDescriptor(l.Location(), desc); err != nil {
		return false, err
	}
	root, err := l.open()
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer root.Close()
	return hasBlob(root, desc), nil
}

func hasBlob(root *os.Root, desc ocispec.Descriptor) bool {
	info, err := root.Stat(blobPath(desc.Digest))
	return err == nil && info.Mode().IsRegular() && info.Size() == desc.Size
}

// Fetch implements Store.
func (l *layout) Fetch(_ context.Context, desc ocispec.Descriptor) (io.ReadCloser, error) {
	if err := checkDescriptor(l.Location(), desc); err != nil {
		return nil, err
	}
	root, err := l.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := l.openFile(root, blobPath(desc.Digest))
	if err != nil {
		return nil, err
	}
	return readCloser{newVerifier(f, desc, l.Location()), f}, nil
}

// Push implements Store.
func (l *layout) Push(ctx context.Context, desc ocispec.Descriptor, open func() (io.ReadCloser, error)) error {
	if err := checkDescriptor(l.Location(), desc); err != nil {
		return err
	}
	root, err := l.create(ctx)
	if err != nil {
		return err
	}
	defer root.Close()
	if hasBlob(root, desc) {
		return nil
	}
	src, err := open()
	if err != nil {
		return fmt.Errorf("%s: reading %s: %w", l.Location(), desc.Digest, err)
	}
	defer src.Close()
	if err := root.MkdirAll(path.Dir(blobPath(desc.Digest)), 0o755); err != nil {
		return l.wrap(err)
	}
	return l.writeFile(root, blobPath(desc.Digest), newVerifier(contextReader{ctx, src}, desc, l.Location()))
}

// PushBytes implements Store.
func (l *layout) PushBytes(ctx context.Context, desc ocispec.Descriptor, content []byte) error {
	return l.Push(ctx, desc, bytesOpener(content))
}

// Mount implements Store; layouts share nothing.
func (l *layout) Mount(context.Context, ocispec.Descriptor, string) (bool, error) { return false, nil }

// Tags implements Store.
func (l *layout) Tags(context.Context) ([]string, error) {
	root, err := l.open()
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	idx, err := l.index(root)
	if err != nil {
		return nil, err
	}
	tags := make([]string, 0, len(idx.tags))
	for tag := range idx.tags {
		if tag != "" {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	return tags, nil
}

// open gives the layout's directory for reading; ErrNotFound when there is none.
func (l *layout) open() (*os.Root, error) {
	root, err := os.OpenRoot(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, l.notFound("the directory")
	}
	if err != nil {
		return nil, l.wrap(err)
	}
	return root, nil
}

// index reads index.json, from memory when the file did not change since.
func (l *layout) index(root *os.Root) (cachedIndex, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	info, err := root.Stat(ocispec.ImageIndexFile)
	if errors.Is(err, fs.ErrNotExist) {
		return cachedIndex{}, fmt.Errorf("%s: %w: no %s in it, so it is not an OCI layout", l.Location(), ErrNotFound, ocispec.ImageIndexFile)
	}
	if err != nil {
		return cachedIndex{}, l.wrap(err)
	}
	if c := l.cached; c.index != nil && os.SameFile(c.info, info) && c.info.Size() == info.Size() && c.info.ModTime().Equal(info.ModTime()) {
		return c, nil
	}
	content, err := l.readFile(root, ocispec.ImageIndexFile, maxLayoutIndex)
	if err != nil {
		return cachedIndex{}, err
	}
	index, err := parseIndex(content)
	if err != nil {
		return cachedIndex{}, fmt.Errorf("%s: %s: %w", l.Location(), ocispec.ImageIndexFile, err)
	}
	l.cached = cachedIndex{info: info, index: index, tags: map[string][]ocispec.Descriptor{}}
	for _, d := range index.Manifests {
		tag := d.Annotations[ocispec.AnnotationRefName]
		l.cached.tags[tag] = append(l.cached.tags[tag], d)
	}
	return l.cached, nil
}

// openFile opens a regular file; it does not wait on a pipe that poses as one.
func (l *layout) openFile(root *os.Root, name string) (*os.File, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, l.notFound("%s", name)
	}
	if err != nil {
		return nil, l.wrap(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %s is not a regular file", ErrInvalidContent, name)
	}
	if err != nil {
		f.Close()
		return nil, l.wrap(err)
	}
	return f, nil
}

func (l *layout) readFile(root *os.Root, name string, limit int64) ([]byte, error) {
	f, err := l.openFile(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, l.wrap(err)
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s: %w: %s is larger than %d bytes", l.Location(), ErrInvalidContent, name, limit)
	}
	return content, nil
}

// readBlob reads and verifies a manifest-sized blob.
func (l *layout) readBlob(root *os.Root, desc ocispec.Descriptor) ([]byte, error) {
	if err := checkDescriptor(l.Location(), desc); err != nil {
		return nil, err
	}
	if desc.Size > MaxManifest {
		return nil, fmt.Errorf("%s: %w: manifest %s has %d bytes", l.Location(), ErrInvalidContent, desc.Digest, desc.Size)
	}
	f, err := l.openFile(root, blobPath(desc.Digest))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(newVerifier(f, desc, l.Location()))
}

func (l *layout) notFound(format string, args ...any) error {
	return fmt.Errorf("%s: %s: %w", l.Location(), fmt.Sprintf(format, args...), ErrNotFound)
}

func (l *layout) wrap(err error) error { return fmt.Errorf("%s: %w", l.Location(), err) }

// blobPath needs a digest that was validated.
func blobPath(d digest.Digest) string {
	return path.Join(ocispec.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

// plainDescriptor drops the annotations by which the layout names things: they are
// about the entry, not about the content.
func plainDescriptor(d ocispec.Descriptor) ocispec.Descriptor {
	d.Annotations = nil
	return d
}

func distinctDigests(descs []ocispec.Descriptor) int {
	seen := map[digest.Digest]bool{}
	for _, d := range descs {
		seen[d.Digest] = true
	}
	return len(seen)
}

// sniffMediaType tells which kind of manifest content is; "" for anything else.
func sniffMediaType(content []byte) string {
	var head struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		Config        *json.RawMessage  `json:"config"`
		Manifests     []json.RawMessage `json:"manifests"`
	}
	if json.Unmarshal(content, &head) != nil || head.SchemaVersion != 2 {
		return ""
	}
	switch {
	case isManifest(head.MediaType):
		return head.MediaType
	case head.MediaType == "" && head.Manifests != nil:
		return ocispec.MediaTypeImageIndex
	case head.MediaType == "" && head.Config != nil:
		return ocispec.MediaTypeImageManifest
	}
	return ""
}

// sortEntries orders index entries by name, then digest, then platform, so that the
// file does not depend on who wrote first.
func sortEntries(entries []ocispec.Descriptor) {
	slices.SortStableFunc(entries, func(a, b ocispec.Descriptor) int {
		return cmp.Or(
			cmp.Compare(a.Annotations[ocispec.AnnotationRefName], b.Annotations[ocispec.AnnotationRefName]),
			cmp.Compare(a.Digest, b.Digest),
			cmp.Compare(PlatformString(a.Platform), PlatformString(b.Platform)),
		)
	})
}

// contextReader stops reading when ctx ends.
type contextReader struct {
	ctx context.Context
	src io.Reader
}

// Read implements io.Reader.
func (r contextReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.src.Read(p)
}
