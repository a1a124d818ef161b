package buildcache

import (
	"fmt"

	"esd/internal/spack"
)

// Layout is how a build cache is arranged.
type Layout int

// The layouts of build caches.
const (
	// Auto finds out: OCI by the URL, else version 3 unless only version 2 is there.
	Auto Layout = iota
	V2          // build_cache/, written by Spack up to 0.23, read by all
	V3          // manifests and blobs, Spack 1.0 and later
	OCI         // tags of an OCI repository, Spack 0.21 and later
)

// String gives the name users write: auto, v2, v3 or oci.
func (l Layout) String() string { return [...]string{"auto", "v2", "v3", "oci"}[l] }

// ParseLayout reads what String writes.
func ParseLayout(s string) (Layout, error) {
	for _, l := range []Layout{Auto, V2, V3, OCI} {
		if s == l.String() {
			return l, nil
		}
	}
	return 0, fmt.Errorf("build cache layout %q is not known; use auto, v2, v3 or oci", s)
}

// Blob is stored content.
type Blob struct {
	SHA256    string // hexadecimal; "" when not known (yet)
	Size      int64  // bytes as stored; negative when not known
	MediaType string
}

// known tells whether the blob can be fetched and verified.
func (b Blob) known() bool { return b.SHA256 != "" }

// Entry is a package in a build cache.
type Entry struct {
	Hash          spack.Hash
	Name, Version string
	Layout        Layout
	// Archive and SpecBlob are known once the entry itself was read, see
	// [Cache.Resolve]; an index does not have them. In version 2 the spec is no blob.
	Archive, SpecBlob Blob
	Signed            bool   // the entry has a signature, checked or not
	Signer            string // fingerprint of the trusted key that signed, once checked
	// Prefix is where the package was installed when its archive was made, if the
	// entry tells; only entries that this package wrote do. See [Cache.ArchiveHead]
	// for those that do not. It is a hint: what counts is in the archive.
	Prefix  string
	DiffID  string // sha256 of the uncompressed archive, if the entry tells
	TarSize int64  // bytes of the uncompressed archive, 0 when not known
	// Problem says why the entry cannot be used, nil when it can: see [Cache.Lookup].
	Problem error

	key key
	ref string // the name or tag under which it was found; "" when that follows from key
}

// ID is name, version and hash, as Spack names things.
func (e Entry) ID() string { return e.Name + "-" + e.Version + "-" + string(e.Hash) }

// Resolved tells whether the entry itself was read, and not only seen in an index or
// a listing.
func (e Entry) Resolved() bool { return e.Archive.known() }

// The annotations that this package adds to what it writes: in version 2 and 3 as an
// additional object "annotations", in OCI as annotations of the manifest. Spack passes
// over them.
const (
	annotationPrefix  = "spack.install.prefix"
	annotationDiffID  = "spack.install.tar.sha256"
	annotationTarSize = "spack.install.tar.size"
)
