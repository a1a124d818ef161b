package binary

import (
	"archive/tar"
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Layer writes the package in an archive, relocated to req.Prefix, to w as an
// uncompressed layer of an OCI image. The bytes are those that archive.Pack
// makes of what [Install] puts at the prefix: sorted, owner 0:0, times zero,
// the directories above the prefix included; so a package has the same layer
// whether it was built here or comes from a cache.
//
// No install tree is needed: contents are kept in memory up to 64 MiB, larger
// archives in a temporary file without a name. Nothing is written to w before
// the whole archive was read and found to be right.
func Layer(ctx context.Context, archive io.Reader, w io.Writer, req Request) (Installed, error) {
	if err := req.check(); err != nil {
		return Installed{}, err
	}
	result, err := writeLayer(ctx, archive, w, &req)
	if err != nil {
		return Installed{}, fmt.Errorf("making a layer of %s: %w", req.Spec.ID(), err)
	}
	return result, nil
}

func writeLayer(ctx context.Context, archive io.Reader, w io.Writer, req *Request) (Installed, error) {
	s := &layerStore{spool: newSpool(req.TempDir, spoolMemory), names: map[string]*layerFile{}, buf: make([]byte, copyBuffer)}
	defer s.spool.Close()
	x := newUnpacker(ctx, req.Limits, s)
	m, err := x.run(archive)
	if err != nil {
		return Installed{}, err
	}
	l, err := x.relocator(m, req)
	if err != nil {
		return Installed{}, err
	}
	result := x.result(m, l)
	out := &layerWriter{ctx: ctx, layerStore: s, relocator: l, at: strings.TrimPrefix(req.Prefix, "/")}
	result.Relocated, err = out.write(w)
	return result, err
}

// layerStore keeps members until the metadata, which comes last, says what has
// to become of them.
type layerStore struct {
	spool   *spool
	entries []layerEntry
	names   map[string]*layerFile // files with more than one name, and all others
	buf     []byte
}

type layerEntry struct {
	name string
	link string     // target of a symbolic link
	file *layerFile // nil for directories and links
}

// layerFile is a file, which several entries may name.
type layerFile struct {
	mode      fs.FileMode
	off, size int64
	first     string // the name under which it was written
	origin    string // the name that the archive has it under
}

func (s *layerStore) dir(name string) error {
	s.entries = append(s.entries, layerEntry{name: name})
	return nil
}

func (s *layerStore) file(name string, mode fs.FileMode, size int64, body io.Reader) error {
	f := &layerFile{mode: mode, off: s.spool.size, size: size, origin: name}
	n, err := io.CopyBuffer(onlyWriter{s.spool}, body, s.buf)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	s.names[name] = f
	s.entries = append(s.entries, layerEntry{name: name, file: f})
	return err
}

func (s *layerStore) symlink(name, target string) error {
	s.entries = append(s.entries, layerEntry{name: name, link: target})
	return nil
}

func (s *layerStore) hardLink(name, old string) error {
	f := s.names[old]
	if f == nil {
		return unsafeMember(name, "it is a hard link to something that is no file")
	}
	s.names[name] = f
	s.entries = append(s.entries, layerEntry{name: name, file: f})
	return nil
}

// layerWriter writes what a layerStore has kept.
type layerWriter struct {
	*layerStore
	*relocator
	ctx     context.Context
	at      string // the prefix, without the leading slash
	tar     *tar.Writer
	changed int
}

func (w *layerWriter) write(to io.Writer) (changed int, err error) {
	buffered := bufio.NewWriterSize(to, copyBuffer)
	w.tar = tar.NewWriter(buffered)
	for i, c := range []byte(w.at + "/") {
		if c == '/' {
			if err := w.header(&tar.Header{Typeflag: tar.TypeDir, Name: w.at[:i] + "/", Mode: int64(modeDir)}); err != nil {
				return 0, err
			}
		}
	}
	slices.SortFunc(w.entries, func(a, b layerEntry) int { return comparePaths(a.name, b.name) })
	for _, e := range w.entries {
		if err := errors.Join(context.Cause(w.ctx)); err != nil {
			return 0, err
		}
		if err := w.entry(e); err != nil {
			return 0, fmt.Errorf("%q: %w", short(e.name), err)
		}
	}
	return w.changed, errors.Join(w.tar.Close(), buffered.Flush())
}

func (w *layerWriter) entry(e layerEntry) error {
	name := path.Join(w.at, e.name)
	switch {
	case e.link != "":
		target, changed := w.link(e.name, e.link)
		if changed {
			w.changed++
		}
		return w.header(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777})
	case e.file == nil:
		return w.header(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: int64(modeDir)})
	case e.file.first != "":
		return w.header(&tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: e.file.first, Mode: int64(e.file.mode)})
	}
	e.file.first = name
	f := &region{s: w.spool, off: e.file.off, size: e.file.size}
	r, err := w.relocator.file(e.file.origin, f, e.file.size)
	if err != nil {
		return err
	}
	defer r.close()
	if r.changed {
		w.changed++
	}
	if err := w.header(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(e.file.mode), Size: r.size}); err != nil {
		return err
	}
	content := contextReader{w.ctx, io.NewSectionReader(r.current(f), 0, r.size)}
	n, err := io.CopyBuffer(onlyWriter{w.tar}, content, w.buf)
	if err == nil && n != r.size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (w *layerWriter) header(h *tar.Header) error {
	h.ModTime = epoch()
	return w.tar.WriteHeader(h)
}

// comparePaths orders names so that a directory comes right before what is in
// it: by bytes, the slash before all others. It is the order of archive.Pack.
func comparePaths(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}
