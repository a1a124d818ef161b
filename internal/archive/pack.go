package archive

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// PackOptions say what becomes an archive, and how.
type PackOptions struct {
	Root        string      // directory on this machine whose contents are packed
	At          string      // slash path of that directory inside the archive, such as "opt/esd/zlib-1.3"; "" for the root
	Compression Compression // default: zstd
	MTime       time.Time   // modification time of every entry, in whole seconds; use SOURCE_DATE_EPOCH
	Relocate    *Relocation // applied to contents and link targets; nil for none
}

// Pack writes the tree below opts.Root to w as one OCI layer. It streams: memory does
// not grow with the tree, but for files that have several names.
//
// The bytes depend on names, contents, link targets, which files are executable by
// their owner and which are hard links of each other; not on owner, umask, times,
// extended attributes, the order of the file system, the number of processors or the
// place of Root. To that end
//   - entries are sorted, a directory before its contents, and the directories above
//     At are included;
//   - the mode is 0755 for directories and executables, 0644 for the rest; set-user-ID,
//     set-group-ID and sticky bits are dropped, since owner 0:0 would turn them into
//     something else than the builder had;
//   - of a file with several names the first in order is the file, the others are hard
//     links to it; names outside Root do not count;
//   - symbolic links are kept as they are, wherever they point.
//
// Sockets, pipes and devices give an [*UnsupportedFileError].
func Pack(ctx context.Context, w io.Writer, opts PackOptions) (Summary, error) {
	at, err := cleanMember(strings.Trim(opts.At, "/"))
	if err != nil {
		return Summary{}, err
	}
	info, err := os.Stat(opts.Root)
	if err != nil {
		return Summary{}, fmt.Errorf("packing: %w", err)
	}
	if !info.IsDir() {
		return Summary{}, fmt.Errorf("packing: %s is not a directory", opts.Root)
	}
	root, err := filepath.EvalSymlinks(opts.Root)
	if err != nil {
		return Summary{}, fmt.Errorf("packing: %w", err)
	}
	wo := writerOptions{Compression: opts.Compression, MTime: opts.MTime, Relocate: opts.Relocate}
	return writeLayer(ctx, w, wo, walkTree(root, at))
}

func writeLayer(ctx context.Context, w io.Writer, opts writerOptions, entries iter.Seq2[entry, error]) (Summary, error) {
	lw, err := newLayerWriter(ctx, w, opts)
	if err != nil {
		return Summary{}, err
	}
	for e, err := range entries {
		if err == nil {
			err = lw.add(e)
		}
		if err != nil {
			lw.abandon()
			return Summary{}, err
		}
	}
	return lw.finish()
}

// File is one thing to put into a layer. Host, Content and Link exclude each other; a
// File without any is an empty file, or an empty directory if Mode says so.
type File struct {
	Target  string      // absolute path in the image, such as "/etc/motd"
	Host    string      // a file or directory on this machine; a directory with all its contents; a link is followed
	Content []byte      // the content itself
	Link    string      // target of a symbolic link
	Mode    fs.FileMode // permissions; 0: 0755 for directories and when Host is executable, else 0644
}

// PackFilesOptions say how files become an archive.
type PackFilesOptions struct {
	Files       []File
	Compression Compression
	MTime       time.Time // see [PackOptions]
}

// PackFiles writes single files and trees to w as one OCI layer, by the rules of
// [Pack]. The order of Files does not matter. Two of them with the same target, or
// one below another that is no directory, are an error.
func PackFiles(ctx context.Context, w io.Writer, opts PackFilesOptions) (Summary, error) {
	var entries []entry
	for _, f := range opts.Files {
		es, err := f.entries()
		if err != nil {
			return Summary{}, err
		}
		entries = append(entries, es...)
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return comparePaths(a.name, b.name) })
	entries, err := mergeEntries(entries)
	if err != nil {
		return Summary{}, err
	}
	return writeLayer(ctx, w, writerOptions{Compression: opts.Compression, MTime: opts.MTime}, func(yield func(entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	})
}

// entries gives what f puts into the archive.
func (f File) entries() ([]entry, error) {
	name, err := cleanMember(strings.TrimLeft(f.Target, "/"))
	if err != nil {
		return nil, err
	}
	if name == "" && !f.Mode.IsDir() && f.Host == "" {
		return nil, fmt.Errorf("file for %q: the target must name a file, such as /etc/motd", f.Target)
	}
	e := entry{name: name, content: f.Content, link: f.Link, mode: modeFile}
	switch {
	case f.Link != "":
		e.mode = modeSymlink
	case f.Host != "":
		return f.hostEntries(name)
	case f.Mode.IsDir():
		e.mode = modeDir
		if f.Mode.Perm() != 0 {
			e.mode = f.Mode & (fs.ModeDir | fs.ModePerm | fs.ModeSticky)
		}
	case f.Mode.Perm() != 0:
		e.mode = f.Mode.Perm()
	}
	return []entry{e}, nil
}

func (f File) hostEntries(name string) ([]entry, error) {
	host, err := filepath.EvalSymlinks(f.Host)
	if err != nil {
		return nil, fmt.Errorf("file for %s: %w", f.Target, err)
	}
	info, err := os.Stat(host)
	if err != nil {
		return nil, fmt.Errorf("file for %s: %w", f.Target, err)
	}
	if !info.IsDir() {
		if name == "" {
			return nil, fmt.Errorf("file for %q: the target must name a file, such as /etc/motd", f.Target)
		}
		e, err := hostEntry(host, name, fs.FileInfoToDirEntry(info))
		if f.Mode.Perm() != 0 {
			e.mode = f.Mode.Perm()
		}
		e.inode = inode{} // files that are named one by one are files of their own
		return []entry{e}, err
	}
	var entries []entry
	for e, err := range walkTree(host, name) {
		if err != nil {
			return nil, fmt.Errorf("file for %s: %w", f.Target, err)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// mergeEntries drops directories that are named more than once from sorted entries,
// and refuses entries that cannot stand side by side.
func mergeEntries(sorted []entry) ([]entry, error) {
	kinds := make(map[string]fs.FileMode, len(sorted))
	merged := sorted[:0]
	for _, e := range sorted {
		if kind, ok := kinds[e.name]; ok {
			if kind.IsDir() && e.mode.IsDir() {
				continue
			}
			return nil, fmt.Errorf("/%s is given twice, as a %s and as a %s", e.name, kindName(kind), kindName(e.mode))
		}
		for dir := path.Dir(e.name); dir != "."; dir = path.Dir(dir) {
			if kind, ok := kinds[dir]; ok && !kind.IsDir() {
				return nil, fmt.Errorf("/%s cannot be below /%s, which is a %s", e.name, dir, kindName(kind))
			}
		}
		kinds[e.name] = e.mode
		merged = append(merged, e)
	}
	return merged, nil
}
