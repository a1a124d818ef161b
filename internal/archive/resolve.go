package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// escape says what happens to a path that leads out of the tree.
type escape int

const (
	escapeIsError escape = iota
	// escapeStopsAtRoot reads paths as a process would whose root directory is the
	// tree: absolute links begin there, and ".." of it is itself.
	escapeStopsAtRoot
)

// maxLinks is how many links one path may lead over, as in Linux.
const maxLinks = 40

var (
	errEscapes   = errors.New("leads out of the tree")
	errLinkChain = errors.New("leads over too many symbolic links")
)

// resolve follows all symbolic links in name, a slash path below root, and gives the
// path without links; "" for the root. What does not exist is taken as it is written.
func resolve(root *os.Root, name string, esc escape) (string, error) {
	todo := reversed(name)
	done, links := "", 0
	for len(todo) > 0 {
		part := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		switch part {
		case "", ".":
			continue
		case "..":
			if done == "" && esc == escapeIsError {
				return "", errEscapes
			}
			done = parentOf(done)
			continue
		}
		next := path.Join(done, part)
		info, err := root.Lstat(next)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", errLinkChain
		}
		target, err := root.Readlink(next)
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			if esc == escapeIsError {
				return "", fmt.Errorf("%w, to %s", errEscapes, target)
			}
			done = ""
		}
		todo = append(todo, reversed(target)...)
	}
	return done, nil
}

// parentOf is path.Dir with "" for the root.
func parentOf(name string) string {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i]
	}
	return ""
}

// reversed splits a path so that its first element is the last.
func reversed(name string) []string {
	parts := strings.Split(name, "/")
	slices.Reverse(parts)
	return parts
}
