package spack

import (
	"crypto/sha1" //nolint:gosec // it is what Spack's hashes are made of
	"encoding/base32"
	"errors"
	"fmt"
)

// HashError tells that the DAG hash of a spec is not that of its content.
type HashError struct {
	Spec *Spec
	// Content is the hash of what stands there.
	Content Hash
}

func (e *HashError) Error() string {
	return fmt.Sprintf("%s@%s says that its hash is %s, but the hash of its content is %s: it was changed after Spack wrote it; restore it, or concretize again",
		clip(e.Spec.Name), clip(e.Spec.Version), e.Spec.Hash, e.Content)
}

// ErrNotVerifiable marks specs whose hash cannot be computed from what stands
// in the file.
var ErrNotVerifiable = errors.New("the hash cannot be computed from the file")

// frankenhash is how many characters a spliced spec takes from the hash of
// the spec that it was built as (spec_hash in Spack's spec.py).
const frankenhash = 7

// VerifyHash computes the DAG hash of the content of Raw, which stands in a
// file of the given version, and compares. It is the SHA-1 over the node
// without its hash, as Spack writes it. The error wraps [ErrNotVerifiable] for
// a spec that a later Spack wrote anew, and for versions before 4, whose hash
// was over another text.
func (s *Spec) VerifyHash(fileVersion int) error {
	if s.SpecfileVersion != fileVersion || fileVersion < 4 {
		return ErrNotVerifiable
	}
	content := s.contentHash()
	if s.BuildSpec != nil {
		content = content[:HashLength-frankenhash] + s.BuildSpec.Hash[HashLength-frankenhash:]
	}
	if content != s.Hash {
		return &HashError{Spec: s, Content: content}
	}
	return nil
}

func (s *Spec) contentHash() Hash {
	h := sha1.New() //nolint:gosec // as above
	last := `,"hash":"` + string(s.Hash) + `"}`
	if n := len(s.Raw) - len(last); n > 0 && string(s.Raw[n:]) == last {
		h.Write(s.Raw[:n])
		h.Write([]byte{'}'})
	} else {
		h.Write(s.Raw) // not as Spack writes it: certainly another hash
	}
	return Hash(base32Lower.EncodeToString(h.Sum(nil)))
}

// base32Lower is RFC 4648's base32 in lower case, as b32_hash in Spack's
// util/hash.py makes it.
var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567")
