package mirror

import (
	"crypto/md5"  //nolint:gosec // recipes state such digests
	"crypto/sha1" //nolint:gosec // recipes state such digests
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"path"
	"strings"

	"esd/internal/spack"
	"esd/internal/spack/transport"
)

// Kind says how a source comes.
type Kind string

const (
	// Archive is one file with a URL, and in most cases a digest.
	Archive Kind = "archive"
	// Checkout is a checkout of a version control system, which Spack packs itself.
	// It has no digest.
	Checkout Kind = "checkout"
)

// Source is one thing that building a package downloads: its source, a
// resource, or a patch.
type Source struct {
	// Package and Hash are the package that needs it.
	Package string     `json:"package"`
	Hash    spack.Hash `json:"hash"`
	// Number is the place of the source among those of its package.
	Number int  `json:"number"`
	Kind   Kind `json:"kind"`
	// URLs are where it can be had, the best first; of a checkout, the repository.
	URLs []string `json:"urls"`
	// Digest is hexadecimal; its length tells the algorithm, in most cases SHA-256.
	Digest string `json:"digest,omitempty"`
	// Revision is what a checkout has: "commit=…".
	Revision string `json:"revision,omitempty"`
	// Path is where it lies in a mirror: relative, with slashes.
	Path string `json:"path"`
}

// ErrInvalid: a source is described in a way that cannot be right.
var ErrInvalid = errors.New("not a valid description of a source")

// Check refuses sources that would lead outside a mirror or could not be verified.
func (s *Source) Check() error {
	what := fmt.Sprintf("source %d of %s", s.Number, s.Package)
	// What begins with a dot is ours, while it is incomplete.
	if path.Clean(s.Path) != s.Path || strings.HasPrefix(s.Path, ".") || transport.CheckName(s.Path) != nil {
		return fmt.Errorf("%s: %w: %q is not a path in a mirror", what, ErrInvalid, s.Path)
	}
	if s.Digest == "" {
		return nil
	}
	if strings.Trim(s.Digest, "0123456789abcdef") != "" || newHash(s.Digest) == nil {
		return fmt.Errorf("%s: %w: %q is not a digest", what, ErrInvalid, s.Digest)
	}
	return nil
}

// newHash is the algorithm of a digest, told by its length as Spack does
// (spack/util/crypto.py); nil for one that is unknown.
func newHash(digest string) hash.Hash {
	switch len(digest) {
	case 2 * md5.Size:
		return md5.New() //nolint:gosec // see above
	case 2 * sha1.Size:
		return sha1.New() //nolint:gosec // see above
	case 2 * sha256.Size224:
		return sha256.New224()
	case 2 * sha256.Size:
		return sha256.New()
	case 2 * sha512.Size384:
		return sha512.New384()
	case 2 * sha512.Size:
		return sha512.New()
	}
	return nil
}
