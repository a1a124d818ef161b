package archive

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// SkipFunc tells which files and directories of a tree do not belong to it. rel is the
// slash path below the root.
type SkipFunc func(rel string, d fs.DirEntry) bool

// SkipVersionControl leaves out what is about the tree rather than in it: .git (also
// the file that submodules and worktrees have in its place) and .esd, at any depth.
func SkipVersionControl(_ string, d fs.DirEntry) bool {
	return d.Name() == ".git" || d.Name() == ".esd"
}

// HashOptions say what of a tree is hashed.
type HashOptions struct {
	Skip SkipFunc // nil: [SkipVersionControl]
}

// Tree is what a directory of sources contains.
type Tree struct {
	Digest string // "sha256:…" over all of Files
	Files  []FileDigest
}

// FileDigest is one file or symbolic link of a [Tree].
type FileDigest struct {
	Path       string // slash path below the root
	Digest     string // "sha256:…" of the content; "" for a link
	Link       string // target of a symbolic link
	Executable bool   // by its owner
}

// treeFormat begins what is hashed, so that another way of hashing gives another digest.
const treeFormat = "esd-tree-v1\n"

// HashTree digests the files below dir: their names, contents, whether their owner may
// execute them, and the targets of links. Times, owners, umask and the place of dir
// make no difference, nor do empty directories, since version control keeps none of
// these. Links are not followed, but dir itself may be one.
//
// A file that cannot be read is an error that names it; sockets, pipes and devices
// give an [*UnsupportedFileError].
func HashTree(ctx context.Context, dir string, opts HashOptions) (Tree, error) {
	if opts.Skip == nil {
		opts.Skip = SkipVersionControl
	}
	h := treeHasher{ctx: ctx, skip: opts.Skip}
	if err := h.list(dir, ""); err != nil {
		return Tree{}, fmt.Errorf("hashing %s: %w", dir, err)
	}
	slices.SortFunc(h.files, func(a, b hashedFile) int { return strings.Compare(a.Path, b.Path) })
	if err := h.hash(); err != nil {
		return Tree{}, fmt.Errorf("hashing %s: %w", dir, err)
	}
	files := make([]FileDigest, len(h.files))
	for i, f := range h.files {
		files[i] = f.FileDigest
	}
	return Tree{Digest: sumTree(files), Files: files}, nil
}

// HashFile digests the content of one file as HashTree does; it follows links.
func HashFile(ctx context.Context, name string) (string, error) {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", err
	}
	f, _, err := openRegular(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.CopyBuffer(onlyWriter{sum}, contextReader{ctx, f}, make([]byte, copyBuffer)); err != nil {
		return "", err
	}
	return hexDigest(sum.Sum(nil)), nil
}

// treeHasher collects the files of one tree.
type treeHasher struct {
	ctx   context.Context
	skip  SkipFunc
	files []hashedFile
}

type hashedFile struct {
	FileDigest
	host string
}

// list collects what is in the directory host, which is at rel below the root.
func (h *treeHasher) list(host, rel string) error {
	if err := context.Cause(h.ctx); err != nil {
		return err
	}
	entries, err := readDir(host)
	if err != nil {
		return err
	}
	for _, d := range entries {
		name := path.Join(rel, d.Name())
		if h.skip(name, d) {
			continue
		}
		f := hashedFile{host: host + string(filepath.Separator) + d.Name(), FileDigest: FileDigest{Path: name}}
		switch d.Type() {
		case fs.ModeDir:
			if err := h.list(f.host, name); err != nil {
				return err
			}
			continue
		case fs.ModeSymlink:
			if f.Link, err = os.Readlink(f.host); err != nil {
				return err
			}
		case 0:
		default:
			return &UnsupportedFileError{Path: f.host, Mode: d.Type()}
		}
		h.files = append(h.files, f)
	}
	return nil
}

// readDir is os.ReadDir without sorting.
func readDir(name string) ([]fs.DirEntry, error) {
	d, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
}

// hash fills in the digests. The caller's goroutine is the first worker, and in a small
// tree the only one.
func (h *treeHasher) hash() error {
	ctx, cancel := context.WithCancelCause(h.ctx)
	defer cancel(nil)
	w := &hashWork{ctx: ctx, files: h.files}
	if len(h.files) >= manyFiles {
		w.getHelp()
	}
	err := w.run()
	if err != nil {
		cancel(err)
	}
	if helpErr := w.helpers.Wait(); err == nil {
		err = helpErr
	}
	return err
}

const (
	// From so many files, or one so large, on, all processors hash. Below, starting
	// them costs as much as it saves.
	manyFiles = 32
	largeFile = 1 << 20
)

// hashWork is the files of a tree, which workers take one after the other.
type hashWork struct {
	ctx     context.Context
	files   []hashedFile
	next    atomic.Int64
	helped  atomic.Bool
	helpers errgroup.Group
}

// getHelp starts more workers, once.
func (w *hashWork) getHelp() {
	if w.helped.Swap(true) {
		return
	}
	for range min(runtime.GOMAXPROCS(0), len(w.files)) - 1 {
		w.helpers.Go(w.run)
	}
}

// run is one worker.
func (w *hashWork) run() error {
	var buf []byte
	for {
		i := int(w.next.Add(1)) - 1
		if i >= len(w.files) {
			return nil
		}
		if err := context.Cause(w.ctx); err != nil {
			return err
		}
		f := &w.files[i]
		if f.Link != "" {
			continue
		}
		var err error
		if buf, err = w.file(f, buf); err != nil {
			return err
		}
	}
}

// file hashes one file with the help of buf, and gives buf back, perhaps larger.
func (w *hashWork) file(f *hashedFile, buf []byte) ([]byte, error) {
	r, info, err := openRegular(f.host)
	if err != nil {
		return buf, err
	}
	defer r.Close()
	f.Executable = info.Mode()&0o100 != 0
	if info.Size() >= largeFile {
		w.getHelp()
	}
	if want := int(min(info.Size()+1, copyBuffer)); len(buf) < want {
		buf = make([]byte, max(want, 4<<10))
	}
	if size := int(info.Size()); size < len(buf) {
		n, err := io.ReadFull(r, buf[:size]) // and not on to EOF, which is another call
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return buf, err
		}
		sum := sha256.Sum256(buf[:n])
		f.Digest = hexDigest(sum[:])
		return buf, nil
	}
	h := sha256.New()
	if _, err := io.CopyBuffer(onlyWriter{h}, contextReader{w.ctx, r}, buf); err != nil {
		return buf, err
	}
	f.Digest = hexDigest(h.Sum(nil))
	return buf, nil
}

func hexDigest(sum []byte) string { return "sha256:" + hex.EncodeToString(sum) }

// sumTree hashes the list of files. Every field has its length in front or a fixed
// one, so that no two lists give the same bytes.
func sumTree(files []FileDigest) string {
	b := []byte(treeFormat)
	field := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	for _, f := range files {
		switch {
		case f.Link != "":
			b = append(b, 'l')
		case f.Executable:
			b = append(b, 'x')
		default:
			b = append(b, 'f')
		}
		field(f.Path)
		field(f.Link + f.Digest)
	}
	sum := sha256.Sum256(b)
	return hexDigest(sum[:])
}

// HashPath digests whatever name is: the content and the executable bit of a file, or
// all of a directory, without leaving anything out. It follows links.
func HashPath(ctx context.Context, name string) (string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		tree, err := HashTree(ctx, name, HashOptions{Skip: func(string, fs.DirEntry) bool { return false }})
		return tree.Digest, err
	}
	content, err := HashFile(ctx, name)
	return sumTree([]FileDigest{{Digest: content, Executable: info.Mode()&0o100 != 0}}), err
}
