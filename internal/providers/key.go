package providers

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"slices"
	"strconv"
)

// KeyBuilder computes content keys and the inputs by which a plan explains a
// difference: key = sha256 over kind, format version and the inputs in order.
// Each part is written with its length before it, so that no two lists of
// inputs run into the same bytes.
type KeyBuilder struct {
	hash   hash.Hash
	buf    []byte
	inputs []Input
	room   [16]Input // most objects have no more
}

// NewKey begins the key of an object of kind. The version is raised whenever
// the same inputs begin to give another product.
func NewKey(kind string, version int) *KeyBuilder {
	b := &KeyBuilder{hash: sha256.New()}
	b.inputs = b.room[:0]
	b.part(kind)
	b.part(strconv.Itoa(version))
	return b
}

func (b *KeyBuilder) part(s string) {
	b.buf = strconv.AppendInt(b.buf[:0], int64(len(s)), 10)
	b.buf = append(b.buf, ':')
	b.buf = append(b.buf, s...)
	b.hash.Write(b.buf)
}

// Add enters an input by its content.
func (b *KeyBuilder) Add(name, content string) {
	b.Quiet(name, content)
	b.Explain(Input{Name: name, Text: ShortDigest(content)})
}

// AddExplained enters an input by its content, but lets a difference be told by
// another text: one without what other inputs explain already.
func (b *KeyBuilder) AddExplained(name, content, explained string) {
	b.Quiet(name, content)
	b.Explain(Input{Name: name, Text: ShortDigest(explained)})
}

// AddValue enters an input whose content may be shown.
func (b *KeyBuilder) AddValue(name, value string) {
	b.Quiet(name, value)
	b.ExplainValue(name, value)
}

// AddDigest enters an input by a digest of its content.
func (b *KeyBuilder) AddDigest(name, digest string) {
	b.Quiet(name, digest)
	b.Explain(Input{Name: name, Text: digest[:min(len(digest), shortDigest)]})
}

// AddObject enters the key of another object. The name says as what: it enters
// the key in place of the object's address, which is told but makes no other
// product (a module more or less does not).
func (b *KeyBuilder) AddObject(name string, o *Object) {
	b.Quiet(name, o.Key)
	b.Explain(Input{Name: o.Address.String(), Text: o.Key[:min(len(o.Key), shortDigest)], Object: true})
}

// Quiet enters an input that is explained by others.
func (b *KeyBuilder) Quiet(name, content string) {
	b.part(name)
	b.part(content)
}

// Explain adds an explanation of an input that was entered already: it does
// not enter the key.
func (b *KeyBuilder) Explain(in Input) { b.inputs = append(b.inputs, in) }

// ExplainValue is Explain for a content that may be shown; a long one is not.
func (b *KeyBuilder) ExplainValue(name, value string) {
	if len(value) > maxShown {
		b.Explain(Input{Name: name, Text: ShortDigest(value)})
		return
	}
	b.Explain(Input{Name: name, Text: value, Shown: true})
}

const (
	// maxShown is the length in bytes of the longest content that is recorded as
	// it is; longer ones are recorded by digest, to keep records small.
	maxShown = 24
	// shortDigest is how many digits of a digest are kept to see differences.
	shortDigest = 16
)

// Sum gives the key, as 64 hexadecimal digits, and its inputs.
func (b *KeyBuilder) Sum() (key string, inputs []Input) {
	return hex.EncodeToString(b.hash.Sum(nil)), slices.Clip(slices.Clone(b.inputs))
}

// ShortKey is the part of a content key that stands in paths: as long as
// Spack's short hashes.
func ShortKey(key string) string { return key[:min(len(key), 7)] }

// ShortDigest is a digest of s that is long enough to see that s changed: 16
// hexadecimal digits.
func ShortDigest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}
