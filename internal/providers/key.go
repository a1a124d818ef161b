package providers

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
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
}

// NewKey begins the key of an object of kind. The version is raised whenever
// the same inputs begin to give another product.
func NewKey(kind string, version int) *KeyBuilder {
	b := &KeyBuilder{hash: sha256.New()}
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
	b.part(name)
	b.part(content)
	sum := sha256.Sum256([]byte(content))
	b.Explain(Input{Name: name, Digest: hex.EncodeToString(sum[:8])})
}

// AddValue enters an input whose content is short enough to be shown.
func (b *KeyBuilder) AddValue(name, value string) {
	b.part(name)
	b.part(value)
	b.Explain(Input{Name: name, Value: value})
}

// AddDigest enters an input by a digest of its content.
func (b *KeyBuilder) AddDigest(name, digest string) {
	b.Quiet(name, digest)
	b.Explain(Input{Name: name, Digest: digest})
}

// AddObject enters the key of another object.
func (b *KeyBuilder) AddObject(o *Object) {
	name := o.Address.String()
	b.part(name)
	b.part(o.Key)
	b.Explain(Input{Name: name, Digest: o.Key, Address: o.Address})
}

// Quiet enters an input that is explained by others.
func (b *KeyBuilder) Quiet(name, digest string) {
	b.part(name)
	b.part(digest)
}

// Explain adds an explanation of an input that was entered as part of another
// one: it does not enter the key.
func (b *KeyBuilder) Explain(in Input) {
	in.Digest = in.Digest[:min(len(in.Digest), 16)]
	b.inputs = append(b.inputs, in)
}

// Sum gives the key, as 64 hexadecimal digits, and its inputs.
func (b *KeyBuilder) Sum() (key string, inputs []Input) {
	return hex.EncodeToString(b.hash.Sum(nil)), b.inputs
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
