package binary

import (
	"bytes"
	"errors"
	"io"

	"esd/internal/spack/relocate"
)

// treatment is what is done to a file.
type treatment uint8

const (
	asBinary treatment = 1 << iota
	asText
	asScript // its first line may have become too long
)

// relocator knows what has to be done to which file. It is immutable once made.
type relocator struct {
	m     *relocate.Map
	sbang string
	files map[string]treatment
	links map[string]bool
	dir   string // for temporary files
}

// newRelocator goes by the lists of the metadata, which must name what is in
// the tree, and by what was seen of the scripts.
func newRelocator(x *unpacker, m *Metadata, r *Request) (*relocator, error) {
	rm, err := relocation(m, r)
	if err != nil {
		return nil, err
	}
	l := &relocator{m: rm, sbang: relocate.SbangPath(r.Root), dir: r.TempDir, files: map[string]treatment{}, links: map[string]bool{}}
	if !rm.Empty() {
		if err := l.list(x, m); err != nil {
			return nil, err
		}
	}
	for name, k := range x.kinds {
		if k == kindLongScript || k == kindScript && l.files[name]&asText != 0 {
			l.files[name] |= asScript
		}
	}
	return l, nil
}

func (l *relocator) list(x *unpacker, m *Metadata) error {
	for _, list := range []struct {
		names []string
		how   treatment
	}{{m.Binaries, asBinary}, {m.Texts, asText}} {
		for _, name := range list.names {
			if err := x.checkListed(name, kindFile, kindScript, kindLongScript, kindHardLink); err != nil {
				return err
			}
			// Archives before Spack 0.13 list all names of a file; once is enough.
			if x.kinds[name] != kindHardLink {
				l.files[name] |= list.how
			}
		}
	}
	for _, name := range m.Links {
		if err := x.checkListed(name, kindSymlink); err != nil {
			return err
		}
		l.links[name] = true
	}
	return nil
}

// link gives the target of a link.
func (l *relocator) link(name, target string) (string, bool) {
	if !l.links[name] {
		return target, false
	}
	return l.m.Link(target)
}

// result is what became of a file.
type result struct {
	changed bool
	size    int64
	content io.ReaderAt // what replaces the content; nil when it was changed in place
	spools  []*spool
}

func (r *result) close() {
	for _, s := range r.spools {
		s.Close()
	}
}

// smallText is up to what size a text is relocated in one piece.
const smallText = 4 << 20

// file relocates a file of the given size.
func (l *relocator) file(name string, f relocate.File, size int64) (r result, err error) {
	r.size = size
	how := l.files[name]
	if how&asBinary != 0 {
		if r.size, r.changed, err = l.m.Binary(name, f, size); err != nil {
			return r, err
		}
	}
	if how&asText != 0 {
		if err = l.text(&r, f); err != nil {
			r.close()
			return r, err
		}
	}
	if how&asScript != 0 {
		if err = l.script(&r, f); err != nil {
			r.close()
			return r, err
		}
	}
	return r, nil
}

// current is the content as it is by now.
func (r *result) current(f io.ReaderAt) io.ReaderAt {
	if r.content != nil {
		return r.content
	}
	return f
}

func (l *relocator) text(r *result, f io.ReaderAt) error {
	src := io.NewSectionReader(f, 0, r.size)
	if r.size <= smallText {
		data := make([]byte, r.size)
		if _, err := io.ReadFull(src, data); err != nil {
			return err
		}
		if out, changed := l.m.Text(data); changed {
			r.set(bytes.NewReader(out), int64(len(out)))
		}
		return nil
	}
	s := r.spool(l.dir)
	changed, err := l.m.TextStream(s, src)
	if changed {
		r.set(s, s.size)
	}
	return err
}

func (r *result) set(content io.ReaderAt, size int64) {
	r.content, r.size, r.changed = content, size, true
}

func (r *result) spool(dir string) *spool {
	s := newSpool(dir, smallText)
	r.spools = append(r.spools, s)
	return s
}

// script gives a script with too long a first line another one.
func (l *relocator) script(r *result, f io.ReaderAt) error {
	src := r.current(f)
	head := make([]byte, min(r.size, relocate.ShebangHead))
	if n, err := src.ReadAt(head, 0); n < len(head) && err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	beginning, n, err := relocate.Sbang(head, l.sbang)
	if err != nil || beginning == nil {
		return err
	}
	s := r.spool(l.dir)
	if _, err := s.Write(beginning); err != nil {
		return err
	}
	if _, err := io.Copy(s, io.NewSectionReader(src, int64(n), r.size-int64(n))); err != nil {
		return err
	}
	r.set(s, s.size)
	return nil
}
