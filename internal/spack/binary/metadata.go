package binary

import (
	"bytes"

	"esd/internal/spack"
)

// MetadataName is where an archive's metadata is below the prefix.
const MetadataName = ".spack/binary_distribution"

// Metadata is what an archive says of the install it was made of. Spack calls it
// build info; paths of files are relative to the prefix.
type Metadata struct {
	SbangPath        string // absolute path of the sbang that scripts call
	StoreRoot        string // root of the install tree, with its padding ("buildpath")
	SpackRoot        string // where Spack itself was ("spackprefix")
	RelativePrefix   string // of the package below StoreRoot
	HardlinksDeduped bool
	RelativeRpaths   bool // made by Spack before 0.20 with --rel
	// Prefixes are those of the package itself, its transitive link dependencies
	// and its direct run dependencies, where they were when the archive was made.
	Prefixes []HashPrefix
	// What has to be relocated: all ELF and Mach-O files, absolute links to a
	// prefix, text that holds a prefix.
	Binaries, Links, Texts []string
}

// HashPrefix is where a package was.
type HashPrefix struct {
	Hash   spack.Hash
	Prefix string
}

// Prefix gives the old prefix of a package, "" when it is not mentioned.
func (m *Metadata) Prefix(h spack.Hash) string {
	for _, p := range m.Prefixes {
		if p.Hash == h {
			return p.Prefix
		}
	}
	return ""
}

// maxMetadata is more than the names of a million files.
const maxMetadata = 128 << 20

// ParseMetadata reads .spack/binary_distribution of Spack 0.19 and later.
// Unknown keys are left out.
func ParseMetadata(data []byte) (*Metadata, error) {
	if len(data) > maxMetadata {
		return nil, badMetadata("it has %d bytes", len(data))
	}
	root, err := parseFlow(data)
	if err != nil {
		return nil, badMetadata("%w", err)
	}
	if root.kind != flowMap {
		return nil, badMetadata("it is not a mapping")
	}
	m := &Metadata{}
	r := metadataReader{root: root}
	m.SbangPath = r.text("sbang_install_path")
	m.StoreRoot = r.text("buildpath")
	m.SpackRoot = r.text("spackprefix")
	m.RelativePrefix = r.text("relative_prefix")
	m.HardlinksDeduped = r.text("hardlinks_deduped") == "true"
	m.RelativeRpaths = r.text("relative_rpaths") == "true"
	m.Binaries = r.list("relocate_binaries")
	m.Links = r.list("relocate_links")
	m.Texts = r.list("relocate_textfiles")
	m.Prefixes = r.prefixes()
	switch {
	case r.err != nil:
		return nil, r.err
	case m.StoreRoot == "":
		return nil, badMetadata("it has no buildpath")
	}
	return m, nil
}

type metadataReader struct {
	root *flowNode
	err  error
}

// get gives the value of a key if it is of the kind.
func (r *metadataReader) get(key string, kind flowKind) *flowNode {
	v := r.root.value(key)
	if v == nil || v.isNull() {
		return nil
	}
	if v.kind != kind {
		if r.err == nil {
			r.err = badMetadata("%s is a %v, not a %v", key, v.kind, kind)
		}
		return nil
	}
	return v
}

func (r *metadataReader) text(key string) string {
	if v := r.get(key, flowText); v != nil {
		return v.text
	}
	return ""
}

func (r *metadataReader) list(key string) []string {
	v := r.get(key, flowList)
	if v == nil {
		return nil
	}
	var list []string
	for _, item := range v.items {
		if item.kind != flowText {
			r.err = badMetadata("%s has something else than names", key)
			return nil
		}
		list = append(list, item.text)
	}
	return list
}

// prefixes reads hash_to_prefix, or prefix_to_hash of archives before Spack 0.20.
func (r *metadataReader) prefixes() []HashPrefix {
	v, swapped := r.get("hash_to_prefix", flowMap), false
	if v == nil {
		v, swapped = r.get("prefix_to_hash", flowMap), true
	}
	if v == nil {
		if r.err == nil {
			r.err = badMetadata("it has no hash_to_prefix: it was made by a Spack that is too old")
		}
		return nil
	}
	var all []HashPrefix
	for i, key := range v.keys {
		value := v.items[i]
		if value.kind != flowText {
			r.err = badMetadata("hash_to_prefix is not a mapping of hashes to prefixes")
			return nil
		}
		p := HashPrefix{spack.Hash(key), value.text}
		if swapped {
			p = HashPrefix{spack.Hash(value.text), key}
		}
		if !p.Hash.Valid() {
			r.err = badMetadata("%q is no hash of a package", short(string(p.Hash)))
			return nil
		}
		all = append(all, p)
	}
	return all
}

// Marshal writes the metadata as Spack 1.x does: one mapping in flow style, the
// keys in this order (get_buildinfo_dict, _do_create_tarball), one line.
func (m *Metadata) Marshal() ([]byte, error) {
	var b bytes.Buffer
	w := flowWriter{b: &b}
	b.WriteString("{sbang_install_path: ")
	w.scalar(m.SbangPath)
	b.WriteString(", buildpath: ")
	w.scalar(m.StoreRoot)
	b.WriteString(", spackprefix: ")
	w.scalar(m.SpackRoot)
	b.WriteString(", relative_prefix: ")
	w.scalar(m.RelativePrefix)
	b.WriteString(", hardlinks_deduped: true, hash_to_prefix: {")
	for i, p := range m.Prefixes {
		if i > 0 {
			b.WriteString(", ")
		}
		w.scalar(string(p.Hash))
		b.WriteString(": ")
		w.scalar(p.Prefix)
	}
	b.WriteString("}, relocate_binaries: ")
	w.list(m.Binaries)
	b.WriteString(", relocate_links: ")
	w.list(m.Links)
	b.WriteString(", relocate_textfiles: ")
	w.list(m.Texts)
	b.WriteString("}\n")
	return b.Bytes(), w.err
}
