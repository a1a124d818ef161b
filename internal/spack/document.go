package spack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// ErrDocument marks files that are no spec document.
var ErrDocument = errors.New("not a document with a concrete spec")

// Document is a concrete spec with all that it depends on, as it is kept in an
// install prefix (.spack/spec.json) and beside the archives of build caches:
//
//	{"spec":{"_meta":{"version":5},"nodes":[…]}}
//
// The format is what to_dict and from_dict in Spack's spec.py write and read.
type Document struct {
	Version int
	Root    *Spec
	Specs   Specs
	// Order are the hashes in the order of the file; the root is first.
	Order []Hash
	// LayoutVersion is buildcache_layout_version, 0 where there is none.
	LayoutVersion int
}

// DecodeDocument reads a spec document. All that is named is in it; whether
// the hashes are those of the content, [Spec.VerifyHash] tells.
func DecodeDocument(data []byte) (*Document, error) {
	var file struct {
		Spec   json.RawMessage `json:"spec"`
		Layout int             `json:"buildcache_layout_version"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	if bytes.HasPrefix(bytes.TrimSpace(file.Spec), []byte("[")) { // the list of version 1
		return nil, fmt.Errorf("%w: %w", ErrDocument, CheckSpecfileVersion(1))
	}
	var body struct {
		Meta struct {
			Version int `json:"version"`
		} `json:"_meta"`
		Nodes []json.RawMessage `json:"nodes"`
	}
	if err := json.Unmarshal(file.Spec, &body); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDocument, err)
	}
	if len(body.Nodes) == 0 {
		return nil, fmt.Errorf("%w: it has no nodes", ErrDocument)
	}
	doc := &Document{Version: body.Meta.Version, Specs: make(Specs, len(body.Nodes)), LayoutVersion: file.Layout}
	return doc, doc.add(body.Nodes)
}

func (d *Document) add(nodes []json.RawMessage) error {
	decoder := new(Decoder)
	for _, raw := range nodes {
		s, err := decoder.Decode(raw, d.Version)
		if err != nil {
			return err
		}
		if d.Specs[s.Hash] != nil {
			return fmt.Errorf("%w: the hash %s is there twice", ErrDocument, s.Hash)
		}
		d.Specs[s.Hash] = s
		d.Order = append(d.Order, s.Hash)
	}
	d.Root = d.Specs[d.Order[0]]
	if err := d.Specs.Check(d.Order); err != nil {
		return fmt.Errorf("%w: %w", ErrDocument, err)
	}
	return nil
}

// EncodeDocument writes the document of root in the bytes in which Spack does:
// root first, then depth first over all dependencies, each once, and what
// spliced specs were built as behind them. All of them must be there, and of
// files of one version. A layoutVersion other than 0 is that of a build cache.
func EncodeDocument(root *Spec, all Specs, layoutVersion int) ([]byte, error) {
	w := documentWriter{all: all, version: root.FileVersion, seen: map[Hash]bool{}, expanded: map[Hash]bool{}}
	w.buf.WriteString(`{"spec":{"_meta":{"version":` + strconv.Itoa(root.FileVersion) + `},"nodes":[`)
	if err := w.add(root); err != nil {
		return nil, fmt.Errorf("the document of %s: %w", root.ID(), err)
	}
	w.buf.WriteString("]}")
	if layoutVersion != 0 {
		w.buf.WriteString(`,"buildcache_layout_version":` + strconv.Itoa(layoutVersion))
	}
	w.buf.WriteByte('}')
	return w.buf.Bytes(), nil
}

type documentWriter struct {
	buf     bytes.Buffer
	all     Specs
	version int
	seen    map[Hash]bool // was written
	// expanded are build specs whose documents were gone through: without it a
	// circle of them would not end.
	expanded map[Hash]bool
}

func (w *documentWriter) add(root *Spec) error {
	if w.all[root.Hash] == nil {
		return &MissingError{By: "it", Name: root.Name, Hash: root.Hash}
	}
	for _, s := range w.all.Preorder(Build|LinkRun|Test, root.Hash) {
		if err := w.node(s); err != nil {
			return err
		}
		if s.BuildSpec == nil || w.expanded[s.BuildSpec.Hash] {
			continue
		}
		w.expanded[s.BuildSpec.Hash] = true
		if err := w.add(w.all[s.BuildSpec.Hash]); err != nil {
			return err
		}
	}
	return nil
}

func (w *documentWriter) node(s *Spec) error {
	if w.seen[s.Hash] {
		return nil
	}
	switch {
	case len(s.Raw) == 0:
		return fmt.Errorf("the spec of %s has no text", s.ID())
	case s.FileVersion != w.version:
		return fmt.Errorf("%s is from a file of version %d, and the others are of version %d", s.ID(), s.FileVersion, w.version)
	}
	if err := w.all.checkNames(s); err != nil {
		return err
	}
	if len(w.seen) > 0 {
		w.buf.WriteByte(',')
	}
	w.seen[s.Hash] = true
	w.buf.Write(s.Raw)
	return nil
}
