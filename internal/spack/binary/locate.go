package binary

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"esd/internal/archive"
	"esd/internal/spack"
)

// Prefix gives the install prefix that an archive was made of, from its first
// few kilobytes: r may end anywhere. [ErrNotEnough] says that more are needed;
// 8 KiB are nearly always enough, padded stores included.
func Prefix(r io.Reader) (string, error) {
	const most = 16 << 20 // of the tar: who has not said by then never will
	source := bufio.NewReader(r)
	plain, err := decompress(source)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, archive.ErrFormat) && source.Buffered() < len("\xfd7zXZ\x00") {
		return "", ErrNotEnough
	}
	if err != nil {
		return "", fmt.Errorf("looking for the prefix of an archive: %w", err)
	}
	defer plain.Close()
	tr := tar.NewReader(io.LimitReader(plain, most))
	var l locator
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return "", ErrNotEnough
		}
		if err != nil {
			return "", fmt.Errorf("looking for the prefix of an archive: %w: %w", archive.ErrFormat, err)
		}
		name, err := cleanName(h.Name)
		if err != nil {
			return "", err
		}
		found, err := l.see(name, h.Typeflag == tar.TypeDir)
		if err != nil || found {
			return "/" + l.prefix, err
		}
	}
}

// locator finds out what the prefix is. An archive begins with the directories
// on the way there, one below the other, and the prefix itself; then come the
// files directly in it, or the first directory in it, which is .spack.
// (Spack up to 0.21 begins with the prefix.)
type locator struct {
	chain  []string
	prefix string
}

// see looks at the next member.
func (l *locator) see(name string, isDir bool) (found bool, err error) {
	last := ""
	if len(l.chain) > 0 {
		last = l.chain[len(l.chain)-1]
	}
	dir := parent(name)
	switch {
	case isDir && name == "":
		return false, nil
	case isDir && path.Base(name) == ".spack" && dir != "" && dir == last:
		l.prefix = dir
	case isDir && (last == "" || dir == last):
		l.chain = append(l.chain, name)
		return false, nil
	case l.named() != "" && strings.HasPrefix(name, l.named()+"/"):
		l.prefix = l.named()
	case !isDir && dir != "" && dir == last:
		l.prefix = dir
	default:
		return false, fmt.Errorf("%w: %q is not where it should be; the first members must be the directories down to the install prefix",
			archive.ErrFormat, short(name))
	}
	return true, nil
}

// named gives the deepest directory whose name ends in a hash, as those of
// packages usually do.
func (l *locator) named() string {
	for _, dir := range slices.Backward(l.chain) {
		base := path.Base(dir)
		if at := len(base) - spack.HashLength; at > 1 && base[at-1] == '-' && spack.Hash(base[at:]).Valid() {
			return dir
		}
	}
	return ""
}

// parent gives the directory of a clean name; "" is the root.
func parent(name string) string {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)]
}

const (
	maxName  = 4095 // PATH_MAX of Linux, without the NUL
	maxDepth = 255
)

// cleanName checks the name of a member. Absolute names and ".." never occur.
func cleanName(name string) (string, error) {
	switch {
	case len(name) > maxName:
		return "", unsafeMember(name, fmt.Sprintf("its name has more than %d bytes", maxName))
	case strings.IndexByte(name, 0) >= 0:
		return "", unsafeMember(name, "its name has a NUL byte")
	case strings.HasPrefix(name, "/"):
		return "", unsafeMember(name, "its name is absolute")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", unsafeMember(name, `its name has ".."`)
		}
	}
	clean := path.Clean(name)
	if clean == "." {
		return "", nil
	}
	if strings.Count(clean, "/") >= maxDepth {
		return "", unsafeMember(name, fmt.Sprintf("it is nested more than %d directories deep", maxDepth))
	}
	return clean, nil
}

// isScript reports whether the head of a file says that it is a script.
func isScript(head []byte) bool { return bytes.HasPrefix(head, []byte("#!")) }
