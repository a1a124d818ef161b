package binary

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"esd/internal/spack/relocate"
)

// Installed describes what came out of an archive.
type Installed struct {
	OldPrefix string // where the package was when the archive was made
	Metadata  *Metadata
	Replaced  []relocate.Replacement // what was replaced in it
	Files     int                    // and links
	Relocated int                    // of those, the ones that changed
	Bytes     int64                  // contents as archived
	TarSize   int64                  // of the archive, uncompressed
}

// Install unpacks an archive and relocates it to req.Prefix. The prefix is there
// as a whole or not at all: everything happens in a directory beside it that is
// renamed at the end, once all of archive was read. A reader that verifies what
// it delivers need only fail at its end. A prefix that exists is an error,
// [fs.ErrExist]; directories above it are made.
//
// Modes are 0755 and 0644 whatever the umask, times are the epoch, as Spack has
// them, owners are those of who installs. Left to the caller are the database,
// bin/sbang, and .spack/install_times.json, which Spack writes anew.
//
// [fs.ErrExist]: https://pkg.go.dev/io/fs#ErrExist
func Install(ctx context.Context, archive io.Reader, req Request) (Installed, error) {
	if err := req.check(); err != nil {
		return Installed{}, err
	}
	result, err := install(ctx, archive, &req)
	if err != nil {
		return Installed{}, fmt.Errorf("installing %s: %w", req.Spec.ID(), err)
	}
	return result, nil
}

func install(ctx context.Context, archive io.Reader, req *Request) (_ Installed, err error) {
	dest := filepath.Clean(req.dest())
	if _, err := os.Lstat(dest); !errors.Is(err, fs.ErrNotExist) {
		return Installed{}, errors.Join(err, exists(dest, err))
	}
	if err := os.MkdirAll(filepath.Dir(dest), modeDir); err != nil {
		return Installed{}, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dest), ".tmp-"+string(req.Spec.Hash)+"-*")
	if err != nil {
		return Installed{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	result, err := fillDir(ctx, archive, temp, req)
	if err != nil {
		return Installed{}, err
	}
	if err := context.Cause(ctx); err != nil {
		return Installed{}, err
	}
	if err := os.Rename(temp, dest); err != nil {
		if _, statErr := os.Lstat(dest); statErr == nil {
			return Installed{}, exists(dest, nil)
		}
		return Installed{}, err
	}
	if !req.NoSync {
		return result, syncDir(filepath.Dir(dest))
	}
	return result, nil
}

func exists(dest string, err error) error {
	if err != nil {
		return nil
	}
	return &fs.PathError{Op: "install", Path: dest, Err: fs.ErrExist}
}

// fillDir unpacks and relocates into an empty directory.
func fillDir(ctx context.Context, archive io.Reader, dir string, req *Request) (Installed, error) {
	d, err := newDisk(dir)
	if err != nil {
		return Installed{}, err
	}
	defer d.close()
	x := newUnpacker(ctx, req.Limits, d)
	m, err := x.run(archive)
	if err != nil {
		return Installed{}, err
	}
	l, err := x.relocator(m, req)
	if err != nil {
		return Installed{}, err
	}
	result := x.result(m, l)
	if result.Relocated, err = d.relocate(ctx, l); err != nil {
		return Installed{}, err
	}
	if err := os.Chmod(dir, modeDir); err != nil {
		return Installed{}, err
	}
	if !req.NoSync {
		return result, syncTree(d.top)
	}
	return result, nil
}

// relocator checks that the archive is the one that was asked for.
func (x *unpacker) relocator(m *Metadata, req *Request) (*relocator, error) {
	if err := req.verify(m, "/"+x.prefix); err != nil {
		return nil, err
	}
	return newRelocator(x, m, req)
}

func (x *unpacker) result(m *Metadata, l *relocator) Installed {
	return Installed{
		OldPrefix: "/" + x.prefix, Metadata: m, Replaced: l.m.Replacements(),
		Files: x.files, Bytes: x.budget.bytes, TarSize: x.budget.tar.Load(),
	}
}

// relocate changes what has to change, several files at a time.
func (d *disk) relocate(ctx context.Context, l *relocator) (int, error) {
	changed := 0
	for name := range l.links {
		did, err := d.relink(name, func(target string) (string, bool) { return l.link(name, target) })
		if err != nil {
			return 0, err
		}
		if did {
			changed++
		}
	}
	names := make([]string, 0, len(l.files))
	for name := range l.files {
		names = append(names, name)
	}
	slices.Sort(names) // errors name the same file each time
	var edited atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, name := range names {
		group.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			did, err := d.edit(name, l)
			if did {
				edited.Add(1)
			}
			return err
		})
	}
	err := group.Wait()
	return changed + int(edited.Load()), err
}
