package archive

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
)

// LinkPolicy says which symbolic links are unpacked. Nothing is ever written through
// a link, whatever the policy.
type LinkPolicy int

const (
	// LinksInside refuses links that are absolute or lead out of the tree.
	LinksInside LinkPolicy = iota
	// LinksAnywhere keeps all links: a package may refer to the one it needs.
	LinksAnywhere
)

// UnpackOptions say where an archive goes and what is accepted from it.
type UnpackOptions struct {
	Dest     string        // directory; created when missing, but not its parent
	At       string        // slash path inside the archive that becomes Dest; nothing else may be in the archive but the directories above
	StripTop bool          // when the archive has a single directory at its top, its contents become Dest
	Limits   Limits        // zero: [DefaultLimits]
	Links    LinkPolicy    // default: inside
	Relocate *Relocation   // applied to contents and link targets; nil for none
	Expect   digest.Digest // of the archive as stored; "" to accept any
}

// DigestError says that an archive is not the one that was expected.
type DigestError struct {
	Expected, Actual digest.Digest
}

// Error implements error.
func (e *DigestError) Error() string {
	return fmt.Sprintf("archive has digest %s, expected %s: it was damaged, or replaced by another one", e.Actual, e.Expected)
}

// Unpack reads a tar (plain, or compressed with gzip, bzip2, xz or zstd) or a zip from
// r to its end and writes what is in it below opts.Dest. What r delivers is taken for
// hostile: [ErrUnsafe], [ErrLimit], [ErrFormat] and [*DigestError] tell what was wrong.
// When there is an error, the part that was unpacked stays; [UnpackAtomic] leaves
// nothing.
//
// Owners are not restored, modes become 0755 or 0644 whatever the umask, modification
// times of files are kept. A file that is there already, from before or from the
// archive itself, is an error.
//
// The Summary has Digest only where Expect was given, and no DiffID.
func Unpack(ctx context.Context, r io.Reader, opts UnpackOptions) (Summary, error) {
	s, err := unpack(ctx, r, opts)
	if err != nil {
		return Summary{}, fmt.Errorf("unpacking to %s: %w", opts.Dest, err)
	}
	return s, nil
}

func unpack(ctx context.Context, r io.Reader, opts UnpackOptions) (Summary, error) {
	x, err := newExtractor(ctx, opts)
	if err != nil {
		return Summary{}, err
	}
	defer x.close()
	return x.run(r, opts.Expect)
}

// run reads all of r, extracts it, and verifies what can only be verified at the end.
func (x *extractor) run(r io.Reader, expect digest.Digest) (Summary, error) {
	source := newSource(contextReader{x.ctx, r}, expect)
	x.budget.source = &source.countingReader
	s, err := x.archive(source)
	if endErr := source.finish(err, x.budget.MaxBytes); endErr != nil {
		return Summary{}, endErr
	}
	if err == nil {
		err = x.finish()
	}
	if err != nil {
		return Summary{}, err
	}
	s.Size, s.Files, s.Skipped = source.n.Load(), x.files, x.skipped
	if source.hash != nil {
		s.Digest = source.hash.digest()
	}
	return s, nil
}

// source is what an archive is read from: counted, and hashed where that is wanted.
type source struct {
	countingReader
	hash   *countingHash
	expect digest.Digest
}

func newSource(r io.Reader, expect digest.Digest) *source {
	s := &source{expect: expect}
	if expect != "" {
		s.hash = newCountingHash()
		r = io.TeeReader(r, s.hash)
	}
	s.r = r
	return s
}

// finish reads what is left, so that whoever checks the content at its end gets to it,
// and compares digests. When reading the archive failed because its bytes are wrong,
// the digest is the better explanation. most bounds what is read for that.
func (s *source) finish(failed error, most int64) error {
	if failed != nil && (s.hash == nil || errors.Is(failed, context.Canceled) || errors.Is(failed, context.DeadlineExceeded)) {
		return nil
	}
	rest := io.Reader(s)
	if most >= 0 {
		rest = io.LimitReader(s, most+1)
	}
	n, err := io.Copy(io.Discard, rest)
	switch {
	case failed != nil && (err != nil || most >= 0 && n > most):
		return nil
	case err != nil:
		return err
	case most >= 0 && n > most:
		return fmt.Errorf("%w: more than %d bytes follow it", ErrLimit, most)
	case s.hash == nil || s.hash.digest() == s.expect:
		return nil
	}
	return &DigestError{Expected: s.expect, Actual: s.hash.digest()}
}

// archive detects what source has and extracts all of it.
func (x *extractor) archive(source *source) (Summary, error) {
	br := bufio.NewReaderSize(source, copyBuffer)
	head, err := br.Peek(blockSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return Summary{}, err
	}
	f := detect(head)
	if f == formatZip {
		return Summary{}, x.zip(br)
	}
	plain, err := decompress(br, f)
	if err != nil {
		return Summary{}, err
	}
	defer plain.Close()
	media := map[format]string{formatTar: MediaTypeNone, formatGzip: MediaTypeGzip, formatZstd: MediaTypeZstd}[f]
	n, err := x.tar(x.budget.reader(plain))
	return Summary{Uncompressed: n, MediaType: media}, err
}

// tar extracts a whole tar stream and reads it to its end, padding included, so that
// the checksums of the compression are verified. It gives the size of the stream.
func (x *extractor) tar(r *budgetReader) (int64, error) {
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, r)
			return r.n, err
		}
		if err != nil {
			return r.n, err
		}
		m, err := tarMember(h, tr)
		if err != nil {
			return r.n, err
		}
		if err := x.add(m); err != nil {
			return r.n, err
		}
	}
}

// tarMember translates a header. GNU's sparse files read as files with holes filled.
func tarMember(h *tar.Header, body io.Reader) (member, error) {
	m := member{name: h.Name, size: h.Size, mtime: h.ModTime, mode: h.FileInfo().Mode(), body: body}
	switch h.Typeflag {
	case tar.TypeReg, '\x00', tar.TypeCont, tar.TypeGNUSparse:
		m.kind = kindFile
	case tar.TypeDir:
		m.kind = kindDir
	case tar.TypeSymlink:
		m.kind, m.link = kindSymlink, h.Linkname
	case tar.TypeLink:
		m.kind, m.link = kindHardLink, h.Linkname
	case tar.TypeXGlobalHeader:
		m.kind = kindNone
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		m.kind = kindDevice
	default:
		return m, unsafe(h.Name, fmt.Sprintf("its type %q is not known", h.Typeflag))
	}
	return m, nil
}

// UnpackAtomic is [Unpack] with all or nothing: into a new directory beside opts.Dest,
// which takes its name when everything was read and verified. opts.Dest must not exist;
// when it does, also when another process was faster, the error is [fs.ErrExist].
//
// [fs.ErrExist]: https://pkg.go.dev/io/fs#ErrExist
func UnpackAtomic(ctx context.Context, r io.Reader, opts UnpackOptions) (s Summary, err error) {
	dest := filepath.Clean(opts.Dest)
	if _, err := os.Lstat(dest); err == nil {
		return Summary{}, fmt.Errorf("unpacking to %s: %w", dest, os.ErrExist)
	}
	opts.Dest, err = os.MkdirTemp(filepath.Dir(dest), "."+filepath.Base(dest)+".tmp-*")
	if err != nil {
		return Summary{}, fmt.Errorf("unpacking to %s: %w", dest, err)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(opts.Dest)
		}
	}()
	if s, err = unpack(ctx, r, opts); err != nil {
		return Summary{}, fmt.Errorf("unpacking to %s: %w", dest, err)
	}
	if err = os.Chmod(opts.Dest, 0o755); err != nil {
		return Summary{}, err
	}
	if err = os.Rename(opts.Dest, dest); err != nil {
		if _, statErr := os.Lstat(dest); statErr == nil {
			err = os.ErrExist
		}
		return Summary{}, fmt.Errorf("unpacking to %s: %w", dest, err)
	}
	return s, nil
}

// stripTop moves the contents of a single directory at the top one level up.
func (x *extractor) stripTop() error {
	top, err := x.singleTop()
	if err != nil || top == "" {
		return err
	}
	x.forget()
	const aside = ".esd-strip-top" // the directory may have something of its own name in it
	if err := x.root.Rename(top, aside); err != nil {
		return err
	}
	dir, err := x.root.Open(aside)
	if err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	dir.Close()
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := x.root.Rename(path.Join(aside, name), name); err != nil {
			return err
		}
	}
	if err := x.root.Remove(aside); err != nil {
		return err
	}
	for i, link := range x.suspects {
		x.suspects[i] = strings.TrimPrefix(link, top+"/")
	}
	return nil
}

// singleTop names the only thing at the top if it is a directory.
func (x *extractor) singleTop() (string, error) {
	dir, err := x.root.Open(".")
	if err != nil {
		return "", err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if len(entries) != 1 || !entries[0].IsDir() {
		return "", nil
	}
	return entries[0].Name(), nil
}
