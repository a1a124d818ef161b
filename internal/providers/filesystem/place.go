package filesystem

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// databaseDir is in the root of each install tree (Spack's database.py).
const databaseDir = ".spack-db"

// checkPlace refuses paths at which an install tree does harm, by any name that
// they have.
func (p *Provider) checkPlace(path string) error {
	home := p.opts.Home
	if home == "" {
		home, _ = os.UserHomeDir()
	}
	for _, path := range []string{path, real(path)} {
		switch {
		case path == "/":
			return errors.New("the root of the file system is no install tree; give a directory of its own, such as /opt/site")
		case home != "" && (path == filepath.Clean(home) || path == real(home)):
			return fmt.Errorf("%s is the home directory; give a directory of its own, such as %s", path, filepath.Join(path, "site"))
		case below(p.opts.WorkDir, path) || below(real(p.opts.WorkDir), path):
			return fmt.Errorf("%s is inside of %s, which has the working data of esd and can be removed at any time; give another directory", path, p.opts.WorkDir)
		}
	}
	return checkCharacters(path)
}

func below(dir, path string) bool { return path == dir || strings.HasPrefix(path, dir+"/") }

// real is a path without symbolic links, as far as it exists.
func real(path string) string {
	for dir, rest := path, ""; ; dir, rest = filepath.Dir(dir), filepath.Join(filepath.Base(dir), rest) {
		if resolved, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(resolved, rest)
		}
		if dir == filepath.Dir(dir) {
			return path
		}
	}
}

// inDir makes a path absolute, from a directory.
func inDir(dir, path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// standing is what is at the path of a tree.
type standing int

const (
	nothing standing = iota // or an empty directory
	tree
	other // no place for a tree
)

// look tells what is at a path, and of something else what it is.
func look(path string) (standing, string, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(path); err == nil {
			return other, "is a symbolic link that leads nowhere", nil
		}
		return nothing, "", nil
	case err != nil:
		return nothing, "", err
	case !info.IsDir():
		return other, "is no directory", nil
	}
	if info, err := os.Stat(filepath.Join(path, databaseDir)); err == nil && info.IsDir() {
		return tree, "", nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return nothing, "", err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(1)
	if len(names) > 0 {
		return other, fmt.Sprintf("has something in it (%s) and is no install tree: it has no %s", names[0], databaseDir), nil
	}
	if err != nil && len(names) == 0 && !errors.Is(err, io.EOF) {
		return nothing, "", err
	}
	return nothing, "", nil
}

// obstacle is the error that something else stands where a tree is to be.
func obstacle(path, what string) error {
	return fmt.Errorf("%s %s: empty it, or give another path", path, what)
}
