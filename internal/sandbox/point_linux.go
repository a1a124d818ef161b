package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// makePoint makes path, below the tree, a real directory (or file). Where a directory of the machine stands in
// the way because nothing can be made in it, a directory of ours takes its place and shows the same entries. A
// symbolic link on the way becomes a directory that shows what the link points to, so that the path is the real
// path on every machine.
func (t *tree) makePoint(path string, file bool) error {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	dir := "/"
	for i, name := range parts {
		next := filepath.Join(dir, name)
		info, err := os.Lstat(t.at + next)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if err := t.own(dir); err != nil {
				return err
			}
			if file && i == len(parts)-1 {
				return os.WriteFile(t.at+next, nil, 0o644)
			}
			if err := t.mkdir(next); err != nil {
				return err
			}
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			if err := t.replaceLink(dir, next); err != nil {
				return err
			}
		case file && i == len(parts)-1:
			if info.IsDir() {
				return unix.EISDIR
			}
		case !info.IsDir():
			return fmt.Errorf("%s: %w", next, unix.ENOTDIR)
		}
		dir = next
	}
	return nil
}

// mkdir makes a directory in one of ours.
func (t *tree) mkdir(path string) error {
	if err := os.Mkdir(t.at+path, 0o755); err != nil {
		return &SetupError{"make the directory " + path, err}
	}
	t.owned[path] = true
	return nil
}

// own covers dir with a tmpfs that shows the same entries, unless it is one of ours.
func (t *tree) own(dir string) error {
	if t.owned[dir] {
		return nil
	}
	entries, err := openEntries(t.at+dir, nil)
	if err != nil {
		return err
	}
	if err := mountTmpfs(t.at+dir, 0o755, 0); err != nil {
		return err
	}
	t.owned[dir] = true
	return t.bindEntries(dir, entries)
}

// replaceLink puts a directory in the place of the symbolic link next in dir.
func (t *tree) replaceLink(dir, next string) error {
	// The link is followed on the machine, whose root this process still has.
	fd, err := unix.Open(next, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		fd = -1 // points nowhere: an empty directory will do
	}
	if err := t.own(dir); err != nil {
		return err
	}
	if err := os.Remove(t.at + next); err != nil {
		return err
	}
	if fd < 0 {
		return t.mkdir(next)
	}
	return bindEntry(t.at+next, entry{name: filepath.Base(next), kind: fs.ModeDir, fd: fd})
}

// addAccounts covers the account files, so that the name of a user is the same on every machine.
func (t *tree) addAccounts(home string) error {
	if home == "" {
		home = "/"
	}
	files := map[string]string{
		"/etc/passwd": "root:x:0:0:root:/:/bin/sh\nesd:x:1000:1000:esd:" + home + ":/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
		"/etc/group":  "root:x:0:\nesd:x:1000:\nnogroup:x:65534:\n",
	}
	for path, content := range files {
		info, err := os.Lstat(t.at + path)
		if err != nil || !info.Mode().IsRegular() {
			continue // a machine that keeps its accounts differently keeps them
		}
		scratch := t.at + "/.account"
		if err := os.WriteFile(scratch, []byte(content), 0o644); err != nil {
			return &SetupError{"write " + path, err}
		}
		if err := unix.Mount(scratch, t.at+path, "", unix.MS_BIND, ""); err != nil {
			return &SetupError{"cover " + path, err}
		}
		if err := os.Remove(scratch); err != nil {
			return &SetupError{"write " + path, err}
		}
	}
	return nil
}
