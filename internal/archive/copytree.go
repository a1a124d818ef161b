package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// CopyOptions say what of a tree is copied.
type CopyOptions struct {
	Skip  SkipFunc  // nil: [SkipVersionControl], so that the copy is what [HashTree] hashed
	MTime time.Time // given to every file; zero: each keeps its own
}

// CopyTree copies the contents of the directory src to dst, which is created when
// missing, but not its parent. The copy belongs to the user and is writable, whatever
// the source was: directories and executables get mode 0755, files 0644. Where the
// file system can share blocks between files, no data is copied. Links are kept as
// they are, names that share a file become files of their own.
//
// A dst inside src is refused. After an error, what was copied stays.
func CopyTree(ctx context.Context, src, dst string, opts CopyOptions) error {
	if opts.Skip == nil {
		opts.Skip = SkipVersionControl
	}
	src, err := filepath.EvalSymlinks(src)
	if err != nil {
		return fmt.Errorf("copying: %w", err)
	}
	if err := makeDir(dst); err != nil {
		return fmt.Errorf("copying %s: %w", src, err)
	}
	c := treeCopier{ctx: ctx, opts: opts}
	if c.dst, err = os.Stat(dst); err != nil {
		return fmt.Errorf("copying %s: %w", src, err)
	}
	if err := c.dir(src, dst, ""); err != nil {
		return fmt.Errorf("copying %s to %s: %w", src, dst, err)
	}
	return nil
}

type treeCopier struct {
	ctx     context.Context
	opts    CopyOptions
	dst     fs.FileInfo
	noClone bool // the file systems cannot share blocks
}

// makeDir creates a directory with the usual mode whatever the umask.
func makeDir(name string) error {
	if err := os.Mkdir(name, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	}
	return os.Chmod(name, 0o755)
}

// dir copies what is in the directory src, at rel below the root, to dst.
func (c *treeCopier) dir(src, dst, rel string) error {
	if info, err := os.Stat(src); err != nil || os.SameFile(info, c.dst) {
		return errors.Join(err, errIf(err == nil, "the copy would be inside of what is copied"))
	}
	entries, err := readDir(src)
	if err != nil {
		return err
	}
	for _, d := range entries {
		if err := context.Cause(c.ctx); err != nil {
			return err
		}
		name := filepath.ToSlash(filepath.Join(rel, d.Name()))
		if c.opts.Skip(name, d) {
			continue
		}
		if err := c.entry(filepath.Join(src, d.Name()), filepath.Join(dst, d.Name()), name, d); err != nil {
			return err
		}
	}
	return nil
}

func errIf(failed bool, text string) error {
	if failed {
		return errors.New(text)
	}
	return nil
}

func (c *treeCopier) entry(src, dst, rel string, d fs.DirEntry) error {
	switch d.Type() {
	case fs.ModeDir:
		if err := makeDir(dst); err != nil {
			return err
		}
		return c.dir(src, dst, rel)
	case fs.ModeSymlink:
		target, err := os.Readlink(src)
		if err != nil {
			return err
		}
		return os.Symlink(target, dst)
	case 0:
		return c.file(src, dst)
	default:
		return &UnsupportedFileError{Path: src, Mode: d.Type()}
	}
}

func (c *treeCopier) file(src, dst string) error {
	in, info, err := openRegular(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = c.content(out, in)
	if err == nil {
		err = out.Chmod(normalMode(info.Mode()))
	}
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	mtime := c.opts.MTime
	if mtime.IsZero() {
		mtime = info.ModTime()
	}
	return os.Chtimes(dst, mtime, mtime)
}

// content shares in's blocks where possible; else the kernel copies, which also is
// what io.Copy does between two files.
func (c *treeCopier) content(out, in *os.File) error {
	if !c.noClone {
		if err := unix.IoctlFileClone(int(out.Fd()), int(in.Fd())); err == nil {
			return nil
		}
		c.noClone = true
	}
	_, err := io.Copy(out, in)
	return err
}
