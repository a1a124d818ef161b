package oci

import (
	"os"
	"path"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// sweep removes the content that dropped entries referred to and kept entries do not.
// Content that no entry ever referred to stays: another process may be about to name
// it. Where anything that is kept cannot be read, all content stays. The caller holds
// the lock.
func (l *layout) sweep(root *os.Root, dropped, kept []ocispec.Descriptor) {
	garbage := map[digest.Digest]bool{}
	for _, d := range dropped {
		// What of a dropped entry cannot be read cannot be found either; it stays.
		_ = l.walk(root, d, 0, garbage)
	}
	live := map[digest.Digest]bool{}
	for _, d := range kept {
		if err := l.walk(root, d, 0, live); err != nil {
			return
		}
	}
	for d := range garbage {
		if !live[d] {
			_ = root.Remove(blobPath(d))
		}
	}
}

// walk adds a descriptor and all it refers to, directly or not, to seen.
func (l *layout) walk(root *os.Root, desc ocispec.Descriptor, depth int, seen map[digest.Digest]bool) error {
	if err := checkDescriptor(l.Location(), desc); err != nil {
		return err
	}
	if seen[desc.Digest] {
		return nil
	}
	if !isManifest(desc.MediaType) {
		seen[desc.Digest] = true
		return nil
	}
	if depth > maxNesting {
		return ErrInvalidContent
	}
	if depth > 0 && !hasBlob(root, desc) {
		return nil // an index may list platforms that were not copied
	}
	seen[desc.Digest] = true
	content, err := l.readBlob(root, desc)
	if err != nil {
		return err
	}
	children, err := childrenOf(content, desc.MediaType)
	if err != nil {
		return err
	}
	for _, c := range children {
		if err := l.walk(root, c, depth+1, seen); err != nil {
			return err
		}
	}
	return nil
}

// childrenOf lists what a manifest or index refers to.
func childrenOf(content []byte, mediaType string) ([]ocispec.Descriptor, error) {
	if isIndex(mediaType) {
		idx, err := parseIndex(content)
		if err != nil {
			return nil, err
		}
		return idx.Manifests, nil
	}
	m, err := parseManifest(content)
	if err != nil {
		return nil, err
	}
	return append([]ocispec.Descriptor{m.Config}, m.Layers...), nil
}

// leftoverAge is when an unfinished file has no writer any more: writers touch theirs
// with every byte.
const leftoverAge = 24 * time.Hour

// sweepUnfinished removes what writers that were killed have left.
func sweepUnfinished(root *os.Root, now time.Time) {
	dir, err := root.Open(layoutIngest)
	if err != nil {
		return
	}
	defer dir.Close()
	entries, _ := dir.ReadDir(-1) // what cannot be read stays
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > leftoverAge {
			_ = root.Remove(path.Join(layoutIngest, e.Name()))
		}
	}
}
