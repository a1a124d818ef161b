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

	"golang.org/x/sys/unix"
)

// disk is a store in a directory. Each directory on the way is opened by itself
// and never through a link, so nothing gets outside even if the checks of the
// unpacker had a hole.
//
// Files are made by system calls: package os would register each with the
// poller and take two calls more, a third of what a small file costs.
type disk struct {
	root *os.Root
	top  *os.File  // root again
	dirs []openDir // down to the one that was written to last
	buf  []byte
	// chmod tells that modes have to be set after creation, because of the umask
	// or the file system; found out with the first of each mode.
	chmod   bool
	checked map[fs.FileMode]bool
}

type openDir struct {
	name string // one path element
	fd   int
}

const copyBuffer = 256 << 10

func newDisk(dir string) (*disk, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	top, err := root.Open(".")
	if err != nil {
		root.Close()
		return nil, err
	}
	return &disk{root: root, top: top, buf: make([]byte, copyBuffer), checked: map[fs.FileMode]bool{}}, nil
}

func (d *disk) close() {
	d.closeFrom(0)
	d.top.Close()
	d.root.Close()
}

func (d *disk) closeFrom(depth int) {
	for _, o := range d.dirs[depth:] {
		unix.Close(o.fd)
	}
	d.dirs = d.dirs[:depth]
}

// at gives the directory of that name, keeping those on the way open: members
// of one directory come one after the other.
func (d *disk) at(name string) (fd int, err error) {
	fd = int(d.top.Fd())
	if name == "" {
		return fd, nil
	}
	depth := 0
	for part := range strings.SplitSeq(name, "/") {
		if depth == len(d.dirs) || d.dirs[depth].name != part {
			d.closeFrom(depth)
			fd, err = openat(fd, part, unix.O_RDONLY|unix.O_DIRECTORY, 0)
			if err != nil {
				return -1, err
			}
			d.dirs = append(d.dirs, openDir{part, fd})
		}
		fd = d.dirs[depth].fd
		depth++
	}
	return fd, nil
}

// openat opens something in a directory, which is not a link.
func openat(dir int, name string, flags int, mode fs.FileMode) (fd int, err error) {
	for {
		fd, err = unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, uint32(mode))
		if !errors.Is(err, unix.EINTR) {
			return fd, os.NewSyscallError("openat", err)
		}
	}
}

func (d *disk) dir(name string) error {
	dir, err := d.at(parent(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	if err := unix.Mkdirat(dir, base, uint32(modeDir)); err != nil {
		return os.NewSyscallError("mkdirat", err)
	}
	// The umask says the same to directories and executables.
	if d.checked[modeExecutable] && !d.chmod {
		return nil
	}
	fd, err := openat(dir, base, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return d.setMode(fd, modeDir)
}

// epoch is the modification time of everything, as in the archive.
func epoch() time.Time { return time.Unix(0, 0) }

func (d *disk) file(name string, mode fs.FileMode, size int64, body io.Reader) error {
	dir, err := d.at(parent(name))
	if err != nil {
		return err
	}
	base := path.Base(name)
	fd, err := openat(dir, base, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, mode)
	if err != nil {
		return err
	}
	n, err := io.CopyBuffer(fdWriter(fd), body, d.buf)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = d.setMode(fd, mode)
	}
	if closeErr := unix.Close(fd); err == nil && !errors.Is(closeErr, unix.EINTR) {
		err = os.NewSyscallError("close", closeErr)
	}
	if err != nil {
		return err
	}
	// The access time stays, for places where files are removed that nobody has
	// read for long.
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {}}
	return os.NewSyscallError("utimensat", unix.UtimesNanoAt(dir, base, times, unix.AT_SYMLINK_NOFOLLOW))
}

// fdWriter writes to an open file.
type fdWriter int

// Write implements io.Writer.
func (fd fdWriter) Write(p []byte) (n int, err error) {
	for n < len(p) {
		m, err := unix.Write(int(fd), p[n:])
		n += max(m, 0)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return n, os.NewSyscallError("write", err)
		}
	}
	return n, nil
}

// setMode gives something new its mode where the umask took something away.
func (d *disk) setMode(fd int, mode fs.FileMode) error {
	if !d.checked[mode] {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return os.NewSyscallError("fstat", err)
		}
		d.chmod = d.chmod || fs.FileMode(st.Mode)&fs.ModePerm != mode
		d.checked[mode] = true
	}
	if !d.chmod {
		return nil
	}
	return os.NewSyscallError("fchmod", unix.Fchmod(fd, uint32(mode)))
}

func (d *disk) symlink(name, target string) error {
	dir, err := d.at(parent(name))
	if err != nil {
		return err
	}
	return os.NewSyscallError("symlinkat", unix.Symlinkat(target, dir, path.Base(name)))
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
