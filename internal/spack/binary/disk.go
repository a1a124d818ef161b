package binary

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// disk is a store in a directory. All access goes through os.Root, so the
// kernel's path resolution cannot leave it even if the checks of the unpacker
// had a hole.
type disk struct {
	root *os.Root
	dirs []openDir // down to the one that was written to last
	buf  []byte
	// chmod tells that modes have to be set after creation, because of the umask
	// or the file system; found out with the first file.
	chmod, knowsChmod bool
}

type openDir struct {
	name string // one path element
	root *os.Root
}

const copyBuffer = 256 << 10

func newDisk(dir string) (*disk, error) {
	root, err := os.OpenRoot(dir)
	return &disk{root: root, buf: make([]byte, copyBuffer)}, err
}

func (d *disk) close() {
	for _, o := range d.dirs {
		o.root.Close()
	}
	d.dirs = nil
	d.root.Close()
}

// at gives the directory of that name, keeping those on the way open: members
// of one directory come one after the other.
func (d *disk) at(name string) (*os.Root, error) {
	if name == "" {
		return d.root, nil
	}
	parts := strings.Split(name, "/")
	same := 0
	for same < len(d.dirs) && same < len(parts) && d.dirs[same].name == parts[same] {
		same++
	}
	for _, o := range d.dirs[same:] {
		o.root.Close()
	}
	d.dirs = d.dirs[:same]
	dir := d.root
	if same > 0 {
		dir = d.dirs[same-1].root
	}
	for _, part := range parts[same:] {
		next, err := dir.OpenRoot(part)
		if err != nil {
			return nil, err
		}
		d.dirs = append(d.dirs, openDir{part, next})
		dir = next
	}
	return dir, nil
}

func (d *disk) dir(name string) error {
	dir, err := d.at(parent(name))
	if err != nil {
		return err
	}
	if err := dir.Mkdir(path.Base(name), modeDir); err != nil {
		return err
	}
	if !d.chmod && d.knowsChmod {
		return nil
	}
	return dir.Chmod(path.Base(name), modeDir)
}

// epoch is the modification time of everything, as in the archive.
func epoch() time.Time { return time.Unix(0, 0) }

func (d *disk) file(name string, mode fs.FileMode, size int64, body io.Reader) error {
	dir, err := d.at(parent(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	f, err := dir.OpenFile(base, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	n, err := io.CopyBuffer(onlyWriter{f}, body, d.buf)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = d.setMode(f, mode)
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return dir.Chtimes(base, time.Time{}, epoch())
}

// setMode gives a new file its mode where the umask took something away.
func (d *disk) setMode(f *os.File, mode fs.FileMode) error {
	if !d.knowsChmod || mode == modeExecutable && !d.chmod {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		d.chmod = d.chmod || info.Mode().Perm() != mode
		d.knowsChmod = true
	}
	if !d.chmod {
		return nil
	}
	return f.Chmod(mode)
}

func (d *disk) symlink(name, target string) error {
	dir, err := d.at(parent(name))
	if err != nil {
		return err
	}
	return dir.Symlink(target, path.Base(name))
}

func (d *disk) hardLink(name, old string) error {
	info, err := d.root.Lstat(old)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return unsafeMember(name, "it is a hard link to something that is no file")
	}
	return d.root.Link(old, name)
}

// relink gives a link another target.
func (d *disk) relink(name string, change func(string) (string, bool)) (bool, error) {
	target, err := d.root.Readlink(name)
	if err != nil {
		return false, err
	}
	target, changed := change(target)
	if !changed {
		return false, nil
	}
	if err := d.root.Remove(name); err != nil {
		return false, err
	}
	return true, d.root.Symlink(target, name)
}

// edit relocates a file where it is: all its names stay names of it.
func (d *disk) edit(name string, l *relocator) (changed bool, err error) {
	f, err := d.root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	r, err := l.file(name, f, info.Size())
	if err != nil || !r.changed {
		return false, err
	}
	defer r.close()
	if r.content != nil {
		if _, err := io.Copy(io.NewOffsetWriter(f, 0), io.NewSectionReader(r.content, 0, r.size)); err != nil {
			return false, err
		}
		if err := f.Truncate(r.size); err != nil {
			return false, err
		}
	}
	if err := d.root.Chtimes(name, time.Time{}, epoch()); err != nil {
		return false, fmt.Errorf("setting the time of %s: %w", name, err)
	}
	return true, nil
}

// onlyWriter hides ReadFrom, so that io.CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }
