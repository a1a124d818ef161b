package binary

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"esd/internal/archive"
	"esd/internal/archive/gunzip"
	"esd/internal/spack/relocate"
)

// store is where the members of an archive go: a directory, or what becomes a
// layer. Names are relative to the prefix and clean, directories come before
// what is in them, and nothing comes twice: the unpacker sees to that.
type store interface {
	dir(name string) error
	file(name string, mode fs.FileMode, size int64, body io.Reader) error
	symlink(name, target string) error
	hardLink(name, old string) error
}

const (
	modeFile       = fs.FileMode(0o644)
	modeExecutable = fs.FileMode(0o755)
	modeDir        = fs.FileMode(0o755)
)

// kind is what a name in the tree is.
type kind uint8

const (
	kindNone kind = iota
	kindDir
	kindFile
	kindScript // a file that begins with #! and may be executed
	kindLongScript
	kindSymlink
	kindHardLink
)

func (k kind) isFile() bool { return k == kindFile || k == kindScript || k == kindLongScript }

// unpacker checks the members of an archive and hands them to a store.
type unpacker struct {
	ctx    context.Context
	budget *budget
	store  store
	prefix string // of the archive, without the leading slash; "" until it is known
	locate locator
	kinds  map[string]kind
	meta   []byte
	files  int
	head   []byte // of the executable at hand
}

func newUnpacker(ctx context.Context, limits archive.Limits, s store) *unpacker {
	return &unpacker{ctx: ctx, budget: newBudget(limits), store: s, kinds: map[string]kind{"": kindDir}, head: make([]byte, relocate.ShebangHead)}
}

// run reads all of r: the archive, and what follows it, so that a reader that
// verifies what it delivers gets to its end.
func (x *unpacker) run(r io.Reader) (*Metadata, error) {
	source := bufio.NewReaderSize(x.budget.storedReader(contextReader{x.ctx, r}), sourceBuffer)
	plain, err := decompress(source)
	if err != nil {
		return nil, x.explain(err)
	}
	ahead := newReadAhead(x.ctx, x.budget.tarReader(plain))
	err = x.members(ahead)
	ahead.Close()
	plain.Close()
	if err == nil {
		err = drain(source)
	}
	if err = x.explain(err); err != nil {
		if errors.Is(err, archive.ErrFormat) {
			// Whoever verifies the bytes says better what is wrong with them.
			_, bad := io.Copy(io.Discard, source)
			err = errors.Join(bad, err)
		}
		return nil, err
	}
	if x.meta == nil {
		return nil, badMetadata("it is missing: this is not an install archive of Spack, or only a part of one")
	}
	return ParseMetadata(x.meta)
}

// drain reads what follows the archive; nothing should.
func drain(r io.Reader) error {
	const most = 1 << 20
	n, err := io.Copy(io.Discard, io.LimitReader(r, most+1))
	if err == nil && n > most {
		err = fmt.Errorf("%w: more than %d bytes follow it", archive.ErrLimit, most)
	}
	return err
}

// explain says of errors of the formats below what they mean here.
func (x *unpacker) explain(err error) error {
	cause := context.Cause(x.ctx)
	switch {
	case err == nil:
		return nil
	case cause != nil:
		return cause
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("%w: it ends too early: %w", archive.ErrFormat, io.ErrUnexpectedEOF)
	case errors.Is(err, tar.ErrHeader), errors.Is(err, gunzip.ErrHeader), errors.Is(err, gunzip.ErrChecksum), errors.Is(err, gunzip.ErrCorrupt):
		return fmt.Errorf("%w: it is damaged: %w", archive.ErrFormat, err)
	}
	return err
}

// members reads the tar, padding and checksums of the compression included.
func (x *unpacker) members(r io.Reader) error {
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, r)
			return err
		}
		if err == nil {
			err = x.member(h, tr)
		}
		if err != nil {
			return err
		}
	}
}

// member places one member.
func (x *unpacker) member(h *tar.Header, body io.Reader) error {
	if err := x.budget.member(h.Name, h.Size); err != nil {
		return err
	}
	name, err := cleanName(h.Name)
	if err != nil {
		return err
	}
	isDir := h.Typeflag == tar.TypeDir
	if x.prefix == "" {
		found, err := x.locate.see(name, isDir)
		if err != nil || !found {
			return err
		}
		x.prefix = x.locate.prefix
	}
	rel, inside := strings.CutPrefix(name, x.prefix+"/")
	switch {
	case isDir && (name == x.prefix || strings.HasPrefix(x.prefix, name+"/")):
		return nil
	case !inside:
		return unsafeMember(h.Name, fmt.Sprintf("it is outside of the package's prefix %q", x.prefix))
	}
	if err := x.place(rel, h, body); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return unsafeMember(h.Name, "its name comes twice")
		}
		return fmt.Errorf("%q: %w", short(h.Name), err)
	}
	return nil
}

// place hands one member to the store.
func (x *unpacker) place(name string, h *tar.Header, body io.Reader) error {
	if err := x.makeDirs(parent(name)); err != nil {
		return err
	}
	old, exists := x.kinds[name]
	if exists && !(old == kindDir && h.Typeflag == tar.TypeDir) {
		return fs.ErrExist
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return unsafeMember(name, "sparse files do not occur in install archives")
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return x.makeDirs(name)
	case tar.TypeReg:
		return x.file(name, h, body)
	case tar.TypeSymlink:
		if h.Linkname == "" || len(h.Linkname) > maxName || strings.IndexByte(h.Linkname, 0) >= 0 {
			return unsafeMember(name, "the target of the link is not a path")
		}
		x.kinds[name] = kindSymlink
		x.files++
		return x.store.symlink(name, h.Linkname)
	case tar.TypeLink:
		return x.hardLink(name, h.Linkname)
	}
	return unsafeMember(name, fmt.Sprintf("its type %q is none of file, directory and link", h.Typeflag))
}

// makeDirs makes a directory and those above it, as far as they are not there.
func (x *unpacker) makeDirs(name string) error {
	switch k := x.kinds[name]; k {
	case kindDir:
		return nil
	case kindNone:
	default:
		return unsafeMember(name, "it is no directory, and something else would go through it")
	}
	if err := x.makeDirs(parent(name)); err != nil {
		return err
	}
	if err := x.budget.member(name, 0); err != nil {
		return err
	}
	x.kinds[name] = kindDir
	return x.store.dir(name)
}

func (x *unpacker) file(name string, h *tar.Header, body io.Reader) error {
	mode := modeFile
	if h.Mode&0o100 != 0 {
		mode = modeExecutable
	}
	body = contextReader{x.ctx, body}
	x.kinds[name] = kindFile
	x.files++
	if name == MetadataName {
		if h.Size > maxMetadata {
			return badMetadata("it has %d bytes", h.Size)
		}
		data, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		x.meta, body = data, bytes.NewReader(data)
	}
	if mode == modeExecutable {
		head := x.head[:min(h.Size, relocate.ShebangHead)]
		if _, err := io.ReadFull(body, head); err != nil {
			return err
		}
		x.kinds[name] = scriptKind(head)
		body = &headReader{head, body}
	}
	return x.store.file(name, mode, h.Size, body)
}

// headReader gives back what was read ahead. (io.MultiReader would bring a
// buffer of its own.)
type headReader struct {
	head []byte
	r    io.Reader
}

func (h *headReader) Read(p []byte) (int, error) {
	if len(h.head) == 0 {
		return h.r.Read(p)
	}
	n := copy(p, h.head)
	h.head = h.head[n:]
	return n, nil
}

// scriptKind tells from its head what an executable is.
func scriptKind(head []byte) kind {
	if !isScript(head) {
		return kindFile
	}
	if line, _, _ := bytes.Cut(head, []byte{'\n'}); len(line) >= relocate.ShebangLimit {
		return kindLongScript
	}
	return kindScript
}

// hardLink gives an earlier file a second name.
func (x *unpacker) hardLink(name, target string) error {
	clean, err := cleanName(target)
	if err != nil {
		return err
	}
	old, inside := strings.CutPrefix(clean, x.prefix+"/")
	if !inside || !(x.kinds[old].isFile() || x.kinds[old] == kindHardLink) {
		return unsafeMember(name, fmt.Sprintf("it is a hard link to %q, which is no earlier file of the package", short(target)))
	}
	x.kinds[name] = kindHardLink
	x.files++
	return x.store.hardLink(name, old)
}

// contextReader ends with the context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// checkListed makes sure that a path of the metadata names a file of the tree.
func (x *unpacker) checkListed(name string, wanted ...kind) error {
	k := x.kinds[name]
	for _, w := range wanted {
		if k == w && path.Clean(name) == name {
			return nil
		}
	}
	return badMetadata("it lists %q, which is no such member of the archive", short(name))
}
