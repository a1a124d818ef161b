package archive

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
)

// entry is one thing to be written to an archive.
type entry struct {
	name    string      // slash path inside the archive, without slashes at the ends
	mode    fs.FileMode // type bits and normalised permissions
	host    string      // a regular file: where its content is, unless content is set
	content []byte      // a regular file: its content
	link    string      // a symbolic link: its target
	inode   inode       // a regular file with several names; else zero
}

// inode identifies a file that may have several names.
type inode struct{ dev, ino uint64 }

const (
	modeDir        = fs.ModeDir | 0o755
	modeFile       = fs.FileMode(0o644)
	modeExecutable = fs.FileMode(0o755)
	modeSymlink    = fs.ModeSymlink | 0o777
)

// normalMode keeps of a file's mode whether its owner may execute it. Everything else
// (umask, group bits, set-user-ID, sticky) says more about who built the file, and
// with which settings, than about what it is.
func normalMode(m fs.FileMode) fs.FileMode {
	if m&0o100 != 0 {
		return modeExecutable
	}
	return modeFile
}

// UnsupportedFileError says that a tree has something an archive of files cannot hold.
type UnsupportedFileError struct {
	Path string      // where it is
	Mode fs.FileMode // what it is
}

// Error implements error.
func (e *UnsupportedFileError) Error() string {
	return fmt.Sprintf("%s is a %s; only files, directories and links can be kept: remove it, or build elsewhere", e.Path, kindName(e.Mode))
}

func kindName(m fs.FileMode) string {
	switch {
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeDevice != 0:
		return "device"
	case m.IsDir():
		return "directory"
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m.IsRegular():
		return "file"
	default:
		return "file of unknown kind"
	}
}

// walkTree yields what is below the directory root, named as if root were at, in the
// order of comparePaths. The directory itself comes first, unless at is empty.
func walkTree(root, at string) iter.Seq2[entry, error] {
	return func(yield func(entry, error) bool) {
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, p)
			if err != nil {
				return err
			}
			name := path.Join(at, filepath.ToSlash(rel))
			if name == "." {
				return nil
			}
			e, err := hostEntry(p, name, d)
			if err != nil {
				return err
			}
			if !yield(e, nil) {
				return filepath.SkipAll
			}
			return nil
		})
		if err != nil {
			yield(entry{}, err)
		}
	}
}

// hostEntry describes the thing at host, which is not followed when it is a link.
func hostEntry(host, name string, d fs.DirEntry) (entry, error) {
	e := entry{name: name, host: host}
	switch d.Type() {
	case fs.ModeDir:
		e.mode = modeDir
	case fs.ModeSymlink:
		target, err := os.Readlink(host)
		if err != nil {
			return entry{}, err
		}
		e.mode, e.link = modeSymlink, target
	case 0:
		info, err := d.Info()
		if err != nil {
			return entry{}, err
		}
		e.mode = normalMode(info.Mode())
		if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
			e.inode = inode{dev: uint64(st.Dev), ino: st.Ino}
		}
	default:
		return entry{}, &UnsupportedFileError{Path: host, Mode: d.Type()}
	}
	return e, nil
}

// openRegular opens a file for reading, and nothing but a file: it neither follows a
// link nor waits for the other end of a pipe.
func openRegular(name string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, nil, fmt.Errorf("%s changed into a symbolic link while it was read", name)
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &UnsupportedFileError{Path: name, Mode: info.Mode()}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// comparePaths orders slash paths so that a directory comes before what is in it and
// nothing comes between: by bytes, with the slash before every other byte. It is the
// order in which a walk that sorts each directory meets them.
func comparePaths(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		}
		return cmp.Compare(a[i], b[i])
	}
	return cmp.Compare(len(a), len(b))
}

// cleanMember checks the name of something inside an archive and gives it without
// slashes at the ends; "" is the root. Absolute names and ".." are never accepted.
func cleanMember(name string) (string, error) {
	switch {
	case strings.ContainsRune(name, 0):
		return "", unsafe(name, "its name has a NUL byte")
	case strings.HasPrefix(name, "/"):
		return "", unsafe(name, "its name is absolute")
	case len(name) > maxNameLength:
		return "", unsafe(name[:64]+"…", fmt.Sprintf("its name has more than %d bytes", maxNameLength))
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", unsafe(name, `its name has ".."`)
		}
	}
	clean := path.Clean(name)
	if clean == "." {
		return "", nil
	}
	if strings.Count(clean, "/") >= maxDepth {
		return "", unsafe(clean[:min(len(clean), 64)]+"…", fmt.Sprintf("it is nested more than %d directories deep", maxDepth))
	}
	return clean, nil
}

const (
	maxNameLength = 4095 // PATH_MAX of Linux, without the NUL
	maxDepth      = 255
)
