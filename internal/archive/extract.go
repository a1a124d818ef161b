package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// kind is what a member of an archive is.
type kind int

const (
	kindNone kind = iota // carries no file
	kindFile
	kindDir
	kindSymlink
	kindHardLink
	kindDevice // or pipe, or socket
)

// member is one thing read from an archive, not yet believed.
type member struct {
	name  string
	kind  kind
	mode  fs.FileMode
	size  int64
	mtime time.Time
	link  string // target of a link; of a hard link, a name in the archive
	body  io.Reader
}

// extractor writes members below a directory. Every access goes through os.Root, so
// the kernel's path resolution cannot leave the directory even when the checks here
// have a hole.
type extractor struct {
	ctx      context.Context
	opts     UnpackOptions
	at       string
	root     *os.Root
	dirs     []openDir // the directories down to the one that was written to last
	budget   budget
	reloc    *relocatingReader
	buf      []byte
	layer    *layerState // nil but for image layers
	suspects []string    // links whose target is looked up when the tree is complete
	files    int
	skipped  int
}

type openDir struct {
	name string // one path element
	root *os.Root
}

func newExtractor(ctx context.Context, opts UnpackOptions) (*extractor, error) {
	x := &extractor{ctx: ctx, opts: opts, buf: make([]byte, copyBuffer), budget: budget{Limits: opts.Limits.withDefaults()}}
	var err error
	if x.at, err = cleanMember(strings.Trim(opts.At, "/")); err != nil {
		return nil, err
	}
	if opts.Relocate != nil {
		if err := opts.Relocate.Validate(); err != nil {
			return nil, err
		}
		x.reloc = newRelocatingReader(opts.Relocate)
	}
	if err := os.Mkdir(opts.Dest, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	x.root, err = os.OpenRoot(opts.Dest)
	return x, err
}

func (x *extractor) close() {
	x.forget()
	x.root.Close()
}

// forget closes the directories kept open; needed whenever one may have been replaced.
func (x *extractor) forget() {
	for _, d := range x.dirs {
		d.root.Close()
	}
	x.dirs = x.dirs[:0]
}

// finish completes the tree once the archive has been read.
func (x *extractor) finish() error {
	if x.opts.StripTop {
		if err := x.stripTop(); err != nil {
			return err
		}
	}
	for _, name := range x.suspects {
		if _, err := resolve(x.root, name, escapeIsError); err != nil {
			return fmt.Errorf("%w: link %q: %w", ErrUnsafe, name, err)
		}
	}
	return nil
}

// add checks m and writes it.
func (x *extractor) add(m member) error {
	if m.kind == kindNone {
		return nil
	}
	if err := x.budget.file(m.name, m.size); err != nil {
		return err
	}
	name, inside, err := x.place(m.name)
	if err == nil && !inside && m.kind != kindDir {
		err = unsafe(m.name, fmt.Sprintf("it must be a directory, for %q is in it", x.at))
	}
	if err != nil || !inside {
		return err
	}
	if name == "" {
		if m.kind != kindDir {
			return unsafe(m.name, "the root of the archive must be a directory")
		}
		return nil
	}
	if m.kind != kindDir && m.kind != kindDevice {
		x.files++
	}
	write := x.write
	if x.layer != nil {
		write = x.addToLayer
	}
	if err := write(name, m); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%q is there already, or comes twice: %w", m.name, err)
		}
		return fmt.Errorf("%q: %w", m.name, err)
	}
	return nil
}

// place gives the path below Dest for a name in the archive. With At, directories
// above it are not inside, and anything else that is not is an error.
func (x *extractor) place(name string) (rel string, inside bool, err error) {
	clean, err := cleanMember(name)
	if err != nil || x.at == "" || clean == x.at {
		return strings.TrimPrefix(clean, x.at), true, err
	}
	if rel, ok := strings.CutPrefix(clean, x.at+"/"); ok {
		return rel, true, nil
	}
	if clean == "" || strings.HasPrefix(x.at, clean+"/") {
		return "", false, nil
	}
	return "", false, unsafe(name, fmt.Sprintf("it is not below %q, where everything must be", x.at))
}

func (x *extractor) write(name string, m member) error {
	switch m.kind {
	case kindDir:
		_, err := x.dir(name)
		return err
	case kindFile:
		return x.file(name, m)
	case kindSymlink:
		return x.symlink(name, m.link)
	case kindHardLink:
		return x.hardLink(name, m.link)
	default:
		return unsafe(m.name, "it is a device, a pipe or a socket")
	}
}

// dir gives the directory of that name, creating it and those above it as needed. The
// directories of consecutive names stay open, so that a file costs one call to create.
func (x *extractor) dir(name string) (*os.Root, error) {
	if name == "" {
		return x.root, nil
	}
	parts := strings.Split(name, "/")
	same := 0
	for same < len(x.dirs) && same < len(parts) && x.dirs[same].name == parts[same] {
		same++
	}
	for _, d := range x.dirs[same:] {
		d.root.Close()
	}
	x.dirs = x.dirs[:same]
	parent := x.root
	if same > 0 {
		parent = x.dirs[same-1].root
	}
	for _, part := range parts[same:] {
		next, err := openOrMakeDir(parent, part)
		if err != nil {
			return nil, err
		}
		x.dirs = append(x.dirs, openDir{part, next})
		parent = next
	}
	return parent, nil
}

func openOrMakeDir(parent *os.Root, name string) (*os.Root, error) {
	err := parent.Mkdir(name, 0o755)
	switch {
	case err == nil:
		// The umask may have taken something away.
		if err := parent.Chmod(name, 0o755); err != nil {
			return nil, err
		}
	case errors.Is(err, fs.ErrExist):
		info, err := parent.Lstat(name)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			return nil, unsafe(name, "it is a "+kindName(info.Mode())+", and something else would go through it")
		}
	default:
		return nil, err
	}
	return parent.OpenRoot(name)
}

func (x *extractor) file(name string, m member) error {
	dir, err := x.dir(parentOf(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	f, err := dir.OpenFile(base, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = x.content(f, m)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	mtime := clampTime(m.mtime)
	return dir.Chtimes(base, mtime, mtime)
}

func (x *extractor) content(f *os.File, m member) error {
	body := io.Reader(contextReader{x.ctx, &growingReader{b: &x.budget, r: m.body}})
	if x.reloc != nil {
		x.reloc.reset(body)
		body = x.reloc
	}
	n, err := io.CopyBuffer(onlyWriter{f}, body, x.buf)
	if err != nil {
		return err
	}
	if n != m.size {
		return fmt.Errorf("%w: it has %d bytes, %d were announced", io.ErrUnexpectedEOF, n, m.size)
	}
	return f.Chmod(x.fileMode(m.mode))
}

func (x *extractor) fileMode(m fs.FileMode) fs.FileMode {
	switch {
	case x.layer != nil:
		return layerMode(m)
	case m&0o111 != 0:
		return modeExecutable
	}
	return modeFile
}

// clampTime keeps times in what every file system can store.
func clampTime(t time.Time) time.Time {
	const latest = 1<<32 - 1 // ext4 and XFS go further, NFSv3 does not
	return time.Unix(min(max(t.Unix(), 0), latest), 0)
}

func (x *extractor) symlink(name, target string) error {
	if x.reloc != nil {
		target = x.reloc.rel.String(target)
	}
	switch {
	case target == "" || len(target) > maxNameLength || strings.ContainsRune(target, 0):
		return unsafe(name, "the target of the link is not a path")
	case x.opts.Links == LinksAnywhere:
	case path.IsAbs(target):
		return unsafe(name, fmt.Sprintf("the link leads to %q, outside the tree", target))
	case !x.staysInside(name, target):
		x.suspects = append(x.suspects, name)
	}
	dir, err := x.dir(parentOf(name))
	if err != nil {
		return err
	}
	return dir.Symlink(target, path.Base(name))
}

// staysInside tells whether a relative link cannot leave the tree whatever else is in
// it: all its ".." come first, and there are no more of them than directories above
// the link. A link for which that does not hold is looked up when the tree is complete.
func (x *extractor) staysInside(name, target string) bool {
	up, down := 0, false
	for part := range strings.SplitSeq(target, "/") {
		switch {
		case part == ".." && down:
			return false
		case part == "..":
			up++
		case part != "." && part != "":
			down = true
		}
	}
	depth := strings.Count(name, "/")
	if x.opts.StripTop {
		depth--
	}
	return up <= depth || up == 0
}

// hardLink gives an earlier file a second name.
func (x *extractor) hardLink(name, target string) error {
	old, inside, err := x.place(target)
	if err != nil {
		return err
	}
	if !inside || old == "" {
		return unsafe(name, fmt.Sprintf("it is a hard link to %q, which is no file of the archive", target))
	}
	if _, err := x.dir(parentOf(name)); err != nil {
		return err
	}
	physical, err := resolve(x.root, parentOf(old), escapeIsError)
	if err != nil || physical != parentOf(old) {
		return unsafe(name, fmt.Sprintf("it is a hard link to %q, which is behind a symbolic link", target))
	}
	info, err := x.root.Lstat(old)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return unsafe(name, fmt.Sprintf("it is a hard link to %q, which is a %s", target, kindName(info.Mode())))
	}
	return x.root.Link(old, name)
}
