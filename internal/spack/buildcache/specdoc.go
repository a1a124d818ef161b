package buildcache

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"

	"esd/internal/spack"
	"esd/internal/spack/transport"
)

// specDocument is what a cache keeps beside an archive: the spec and all that it
// depends on, the spec itself first.
type specDocument struct {
	Spec struct {
		Meta struct {
			Version int `json:"version"`
		} `json:"_meta"`
		Nodes []json.RawMessage `json:"nodes"`
	} `json:"spec"`
	LayoutVersion int               `json:"buildcache_layout_version"`
	Checksum      *specChecksum     `json:"binary_cache_checksum,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"` // ours
}

type specChecksum struct {
	Algorithm string `json:"hash_algorithm"`
	Hash      string `json:"hash"`
}

// newSpecDocument writes a spec and all that it depends on. The layout version is that
// of all entries but those in registries.
func newSpecDocument(s *spack.Spec, all spack.Specs) (specDocument, error) {
	var doc specDocument
	text, err := spack.EncodeDocument(s, all, 2)
	if err == nil {
		err = json.Unmarshal(text, &doc)
	}
	return doc, err
}

// encode gives compact JSON, as in the blobs of version 3.
func (d specDocument) encode() ([]byte, error) {
	text, err := marshal(d)
	if err != nil {
		return nil, fmt.Errorf("%w: spec: %w", ErrInvalid, err)
	}
	return text, nil
}

// marshal is json.Marshal without escapes that JSON does not need.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// parseSpecDocument reads a spec, compressed or not, and checks that it is about the
// package that was asked for.
func parseSpecDocument(where string, text []byte, want spack.Hash) (specDocument, []byte, error) {
	var doc specDocument
	text, err := inflate(where, text)
	if err != nil {
		return doc, nil, err
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return doc, nil, invalid(where, text, "not a spec: %v", err)
	}
	if len(doc.Spec.Nodes) == 0 {
		return doc, nil, invalid(where, nil, "there is no spec in it")
	}
	var root struct {
		Hash spack.Hash `json:"hash"`
	}
	if err := json.Unmarshal(doc.Spec.Nodes[0], &root); err != nil {
		return doc, nil, invalid(where, nil, "its spec: %v", err)
	}
	if root.Hash != want {
		return doc, nil, invalid(where, nil, "it is about /%s, not /%s", abbreviate(string(root.Hash)), want)
	}
	return doc, text, nil
}

// inflate decompresses what begins like gzip, bounded.
func inflate(where string, text []byte) ([]byte, error) {
	if !bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
		return text, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, invalid(where, nil, "%v", err)
	}
	plain, err := transport.ReadLimited(z, where, maxSpecDoc)
	if err != nil && !errors.Is(err, ErrInvalid) {
		return nil, invalid(where, nil, "%v", err)
	}
	return plain, err
}

// deflate compresses like Spack: gzip level 6, no name, no time.
func deflate(text []byte) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, 6)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(z, bytes.NewReader(text)); err != nil {
		return nil, err
	}
	err = z.Close()
	return slices.Clip(b.Bytes()), err
}

// decode gives all specs of a document.
func (d specDocument) decode(where string) (*spack.Document, error) {
	text, err := marshal(d)
	if err != nil {
		return nil, invalid(where, nil, "%v", err)
	}
	doc, err := spack.DecodeDocument(text)
	if err != nil {
		return nil, invalid(where, nil, "%v", err)
	}
	return doc, nil
}

// specBlob is the spec of a request as version 3 keeps it.
func (r pushRequest) specBlob() ([]byte, error) {
	if r.rawSpec != nil {
		return r.rawSpec, nil
	}
	text, err := r.doc.encode()
	if err != nil {
		return nil, err
	}
	return deflate(text)
}
