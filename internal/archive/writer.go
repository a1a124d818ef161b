package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// Summary describes an archive that was written or read.
type Summary struct {
	Digest       digest.Digest // of the archive as it is stored, compressed
	Size         int64         // bytes as it is stored
	DiffID       digest.Digest // of the tar inside, as OCI image configurations name it; "" for zip
	Uncompressed int64         // bytes of the tar inside; for zip, of the contents
	Files        int           // entries other than directories
	Skipped      int           // entries that were left out: devices and pipes of an image layer
	MediaType    string        // OCI media type; "" where OCI has none
}

// countingHash counts and hashes what passes.
type countingHash struct {
	hash.Hash
	n int64
}

func newCountingHash() *countingHash { return &countingHash{Hash: sha256.New()} }

func (c *countingHash) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return c.Hash.Write(p)
}

func (c *countingHash) digest() digest.Digest { return digest.NewDigest(digest.SHA256, c.Hash) }

// copyBuffer is the unit in which contents are moved; large enough that checking for
// cancellation between two of them costs nothing.
const copyBuffer = 256 << 10

// layerWriter writes entries as a deterministic, compressed tar and hashes both sides
// of the compression on the way.
type layerWriter struct {
	ctx     context.Context
	tar     *tar.Writer
	buf     *bufio.Writer  // in front of the hash and the compressor, which like large writes
	comp    io.WriteCloser // writes to out
	plain   *countingHash
	stored  *countingHash
	media   string
	mtime   time.Time
	reloc   *relocatingReader // nil without relocation
	first   map[inode]string  // the name under which a file with several names was written
	parents string            // the directory up to which parents are written
	files   int
	copyBuf []byte
}

func newLayerWriter(ctx context.Context, w io.Writer, o writerOptions) (*layerWriter, error) {
	if o.Relocate != nil {
		if err := o.Relocate.Validate(); err != nil {
			return nil, err
		}
	}
	lw := &layerWriter{
		ctx: ctx, plain: newCountingHash(), stored: newCountingHash(), media: o.Compression.MediaType(),
		mtime: o.MTime.UTC().Truncate(time.Second), first: map[inode]string{}, copyBuf: make([]byte, copyBuffer),
	}
	if lw.mtime.Unix() < 0 {
		lw.mtime = time.Unix(0, 0).UTC()
	}
	comp, err := newCompressor(io.MultiWriter(w, lw.stored), o.Compression)
	if err != nil {
		return nil, err
	}
	lw.comp = comp
	lw.buf = bufio.NewWriterSize(io.MultiWriter(lw.plain, comp), copyBuffer)
	lw.tar = tar.NewWriter(lw.buf)
	if o.Relocate != nil {
		lw.reloc = newRelocatingReader(o.Relocate)
	}
	return lw, nil
}

// writerOptions are what Pack and PackFiles have in common.
type writerOptions struct {
	Compression Compression
	MTime       time.Time
	Relocate    *Relocation
}

// add writes e, and the directories above it that were not written yet.
func (w *layerWriter) add(e entry) error {
	if err := context.Cause(w.ctx); err != nil {
		return err
	}
	if err := w.addParents(path.Dir(e.name)); err != nil {
		return err
	}
	switch {
	case e.mode.IsDir():
		w.parents = e.name
		return w.header(&tar.Header{Typeflag: tar.TypeDir, Name: e.name + "/", Mode: tarMode(e.mode)})
	case e.link != "":
		w.files++
		return w.header(&tar.Header{Typeflag: tar.TypeSymlink, Name: e.name, Linkname: w.relocate(e.link), Mode: 0o777})
	}
	w.files++
	if e.inode != (inode{}) {
		if first, ok := w.first[e.inode]; ok {
			return w.header(&tar.Header{Typeflag: tar.TypeLink, Name: e.name, Linkname: first, Mode: tarMode(e.mode)})
		}
		w.first[e.inode] = e.name
	}
	if e.content != nil || e.host == "" {
		return w.content(e, bytes.NewReader(e.content), int64(len(e.content)))
	}
	return w.hostFile(e)
}

// tarMode gives the mode field. The sticky bit is only ever there when asked for.
func tarMode(m fs.FileMode) int64 {
	if m&fs.ModeSticky != 0 {
		return int64(m.Perm()) | 0o1000
	}
	return int64(m.Perm())
}

// addParents writes the directories on the way to dir. Entries arrive in order, so
// what the last entry shared with this one has been written.
func (w *layerWriter) addParents(dir string) error {
	if dir == "." || dir == w.parents || strings.HasPrefix(w.parents, dir+"/") {
		return nil
	}
	if err := w.addParents(path.Dir(dir)); err != nil {
		return err
	}
	w.parents = dir
	return w.header(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755})
}

func (w *layerWriter) relocate(link string) string {
	if w.reloc == nil {
		return link
	}
	return w.reloc.rel.String(link)
}

// header writes h with the fields all entries have in common. Go's writer chooses
// USTAR where everything fits and PAX records where it does not, by content alone.
func (w *layerWriter) header(h *tar.Header) error {
	h.ModTime = w.mtime
	if err := w.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("writing %s to the archive: %w", h.Name, err)
	}
	return nil
}

func (w *layerWriter) hostFile(e entry) error {
	f, info, err := openRegular(e.host)
	if err != nil {
		return fmt.Errorf("packing %s: %w", e.name, err)
	}
	defer f.Close()
	return w.content(e, f, info.Size())
}

// content writes a regular file of the given size.
func (w *layerWriter) content(e entry, src io.Reader, size int64) error {
	err := w.header(&tar.Header{Typeflag: tar.TypeReg, Name: e.name, Mode: tarMode(e.mode), Size: size})
	if err != nil {
		return err
	}
	if w.reloc != nil {
		w.reloc.reset(src)
		src = w.reloc
	}
	n, err := io.CopyBuffer(onlyWriter{w.tar}, contextReader{w.ctx, src}, w.copyBuf)
	switch {
	case errors.Is(err, tar.ErrWriteTooLong), err == nil && n != size:
		return fmt.Errorf("packing %s: %s changed its size while it was read; is something still writing it?", e.name, e.host)
	case err != nil:
		return fmt.Errorf("packing %s: %w", e.name, err)
	}
	return nil
}

// finish ends the archive and describes it.
func (w *layerWriter) finish() (Summary, error) {
	for _, end := range []func() error{w.tar.Close, w.buf.Flush, w.comp.Close} {
		if err := end(); err != nil {
			return Summary{}, fmt.Errorf("ending the archive: %w", err)
		}
	}
	return Summary{
		Digest: w.stored.digest(), Size: w.stored.n,
		DiffID: w.plain.digest(), Uncompressed: w.plain.n,
		Files: w.files, MediaType: w.media,
	}, nil
}

// abandon releases the compressor's workers when writing failed; what it still writes
// no longer matters.
func (w *layerWriter) abandon() { _ = w.comp.Close() }

// onlyWriter and contextReader hide ReadFrom and WriteTo, so that io.CopyBuffer uses
// its buffer and cancellation is noticed inside large files.
type onlyWriter struct{ io.Writer }

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
