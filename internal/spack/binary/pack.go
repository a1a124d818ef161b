package binary

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/opencontainers/go-digest"

	"esd/internal/spack"
	"esd/internal/spack/relocate"
)

// PackRequest says which install becomes an archive.
type PackRequest struct {
	// Prefix is the absolute install prefix, the directory on this machine.
	Prefix string
	// Dir is where the files of Prefix are if not there: a tree that has been
	// installed elsewhere but refers to Prefix. "" for Prefix.
	Dir   string
	Spec  *spack.Spec
	Specs spack.Specs // with the link and run dependencies of Spec
	// Locate gives the prefixes of these, where the files of Prefix refer to.
	Locate func(spack.Hash) (prefix string, ok bool)
	// StoreRoot is the root of the install tree, with padding if it has any;
	// UnpaddedRoot is without, "" for StoreRoot.
	StoreRoot, UnpaddedRoot string
	SpackRoot               string // where Spack is; only written down
	// Level of gzip, 1 to 9; 0 for 6, which is Spack's.
	Level int
}

// Packed describes an archive that was written.
type Packed struct {
	SHA256  digest.Digest // of the archive as it is stored
	Size    int64
	DiffID  digest.Digest // of the tar inside
	TarSize int64
	Files   int // and links
}

// Pack writes an install as an archive, gzip-compressed, to w. The tar inside is
// the one that Spack 1.x makes of the same prefix. Files may not change while
// they are read. Devices, pipes and sockets are left out, as by Spack.
func Pack(ctx context.Context, w io.Writer, req PackRequest) (Packed, error) {
	p, err := newPacker(ctx, &req)
	if err != nil {
		return Packed{}, err
	}
	packed, err := p.run(w, req.Level)
	if err != nil {
		return Packed{}, fmt.Errorf("packing %s: %w", req.Prefix, err)
	}
	return packed, nil
}

type packer struct {
	ctx    context.Context
	dir    string // on this machine
	name   string // of the prefix in the archive
	meta   Metadata
	finder *relocate.Finder
	tar    *tarWriter
	first  map[inode]string // the name of files that have several
	files  int
	buf    []byte
	small  bytes.Buffer // the last small file
}

type inode struct{ dev, ino uint64 }

func newPacker(ctx context.Context, req *PackRequest) (*packer, error) {
	if req.Spec == nil || !req.Spec.Hash.Valid() || req.Spec.IsExternal() {
		return nil, fmt.Errorf("binary: no concrete package to pack")
	}
	relative, err := filepath.Rel(req.StoreRoot, req.Prefix)
	if err != nil || !path.IsAbs(req.Prefix) || path.Clean(req.Prefix) != req.Prefix {
		return nil, &relocate.PrefixError{Prefix: req.Prefix, Why: "it is not a clean absolute path"}
	}
	p := &packer{
		ctx: ctx, dir: cmp.Or(req.Dir, req.Prefix), name: strings.TrimPrefix(req.Prefix, "/"),
		first: map[inode]string{}, buf: make([]byte, copyBuffer),
		meta: Metadata{
			SbangPath: relocate.SbangPath(cmp.Or(req.UnpaddedRoot, req.StoreRoot)),
			StoreRoot: req.StoreRoot, SpackRoot: req.SpackRoot, RelativePrefix: relative, HardlinksDeduped: true,
		},
	}
	var prefixes []string
	for _, s := range RelocationSpecs(req.Spec, req.Specs) {
		prefix, ok := req.Prefix, true
		if s.Hash != req.Spec.Hash {
			if prefix, ok = "", false; req.Locate != nil {
				prefix, ok = req.Locate(s.Hash)
			}
		}
		if !ok {
			return nil, fmt.Errorf("packing %s: %w", req.Spec.ID(), &MissingPrefixError{Name: s.Name, Hash: s.Hash})
		}
		p.meta.Prefixes = append(p.meta.Prefixes, HashPrefix{s.Hash, prefix})
		prefixes = append(prefixes, prefix)
	}
	p.finder, err = relocate.NewFinder(append(prefixes, p.meta.SbangPath, p.meta.StoreRoot))
	return p, err
}

func (p *packer) run(w io.Writer, level int) (packed Packed, err error) {
	stored := &hashWriter{w: w, hash: sha256.New()}
	zip, err := newGzipWriter(stored, cmp.Or(level, 6))
	if err != nil {
		return Packed{}, err
	}
	defer func() { err = errors.Join(err, zip.abandon()) }()
	plain := &hashWriter{w: zip, hash: sha256.New()}
	buffered := bufio.NewWriterSize(plain, copyBuffer)
	p.tar = &tarWriter{w: buffered}
	for _, step := range []func() error{p.parents, p.walk, p.metadata, p.tar.close, buffered.Flush, zip.Close} {
		if err := step(); err != nil {
			return Packed{}, err
		}
	}
	return Packed{
		SHA256: digest.NewDigest(digest.SHA256, stored.hash), Size: stored.n,
		DiffID: digest.NewDigest(digest.SHA256, plain.hash), TarSize: plain.n, Files: p.files,
	}, nil
}

type hashWriter struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

func (h *hashWriter) Write(b []byte) (int, error) {
	n, err := h.w.Write(b)
	h.hash.Write(b[:n])
	h.n += int64(n)
	return n, err
}

// parents writes the directories above the prefix.
func (p *packer) parents() error {
	for i, c := range []byte(p.name) {
		if c == '/' {
			if err := p.tar.header(tarHeader{name: p.name[:i], kind: typeDir, mode: 0o755}); err != nil {
				return err
			}
		}
	}
	return nil
}

// walk writes the tree: of each directory first what is no directory, then the
// directories, sorted by name.
func (p *packer) walk() error {
	info, err := os.Stat(p.dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", p.dir)
	}
	stack := []string{""}
	for len(stack) > 0 {
		rel := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if err := context.Cause(p.ctx); err != nil {
			return err
		}
		if err := p.tar.header(tarHeader{name: path.Join(p.name, rel), kind: typeDir, mode: 0o755}); err != nil {
			return err
		}
		entries, err := os.ReadDir(filepath.Join(p.dir, rel))
		if err != nil {
			return err
		}
		var dirs []string
		for _, e := range entries {
			name := path.Join(rel, e.Name())
			if e.IsDir() {
				dirs = append(dirs, name)
			} else if err := p.entry(name, e); err != nil {
				return err
			}
		}
		slices.Reverse(dirs)
		stack = append(stack, dirs...)
	}
	return nil
}

func (p *packer) entry(rel string, e fs.DirEntry) error {
	switch {
	case rel == MetadataName: // of an earlier archive
		return nil
	case e.Type() == fs.ModeSymlink:
		p.files++
		target, err := os.Readlink(filepath.Join(p.dir, rel))
		if err != nil {
			return err
		}
		if path.IsAbs(target) && p.finder.Starts(target) {
			p.meta.Links = append(p.meta.Links, rel)
		}
		return p.tar.header(tarHeader{name: path.Join(p.name, rel), link: target, kind: typeSym, mode: 0o755})
	case e.Type().IsRegular():
		p.files++
		return p.file(rel)
	}
	return nil
}

func (p *packer) file(rel string) error {
	f, err := os.OpenFile(filepath.Join(p.dir, rel), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s changed while it was read", rel)
	}
	h := tarHeader{name: path.Join(p.name, rel), kind: typeFile, mode: 0o644, size: info.Size()}
	if info.Mode()&0o100 != 0 {
		h.mode = 0o755
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
		id := inode{uint64(st.Dev), st.Ino}
		if first, ok := p.first[id]; ok {
			h.kind, h.link, h.size = typeHard, first, 0
			return p.tar.header(h)
		}
		p.first[id] = h.name
	}
	return p.regular(rel, h, f)
}

// regular writes a file, and writes down what it needs when it is relocated.
// Small files are read once.
func (p *packer) regular(rel string, h tarHeader, f io.ReaderAt) error {
	content := io.NewSectionReader(f, 0, h.size+1)
	if strings.HasPrefix(rel, ".spack/") {
		return p.content(h, content)
	}
	if h.size <= smallText {
		p.small.Reset()
		if _, err := p.small.ReadFrom(content); err != nil {
			return err
		}
		data := p.small.Bytes()
		kind := classify(data)
		p.list(rel, kind, kind == typeText && p.finder.InText(data))
		return p.content(h, bytes.NewReader(data))
	}
	kind, err := classifyStream(f, h.size)
	found := false
	if err == nil && kind == typeText {
		found, err = p.finder.InTextStream(io.NewSectionReader(f, 0, h.size))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", rel, err)
	}
	p.list(rel, kind, found)
	return p.content(h, content)
}

func (p *packer) list(rel string, kind fileType, found bool) {
	switch {
	case kind == typeBinary:
		p.meta.Binaries = append(p.meta.Binaries, rel)
	case kind == typeText && found:
		p.meta.Texts = append(p.meta.Texts, rel)
	}
}

func (p *packer) content(h tarHeader, r io.Reader) error {
	if err := p.tar.header(h); err != nil {
		return err
	}
	n, err := io.CopyBuffer(onlyWriter{p.tar.w}, contextReader{p.ctx, r}, p.buf)
	p.tar.size += n
	if err == nil && n != h.size {
		err = fmt.Errorf("%s changed its size while it was read; is something still writing it?", h.name)
	}
	if err != nil {
		return err
	}
	return p.tar.pad(tarBlock)
}

// metadata writes the last member.
func (p *packer) metadata() error {
	data, err := p.meta.Marshal()
	if err != nil {
		return err
	}
	h := tarHeader{name: path.Join(p.name, MetadataName), kind: typeFile, mode: 0o644, size: int64(len(data))}
	return p.content(h, strings.NewReader(string(data)))
}
