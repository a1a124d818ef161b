package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"esd/internal/spack/binary"
)

// work brings one package to its prefix, locked; nothing is recorded yet.
func (in *installer) work(ctx context.Context, t *task) outcome {
	o := outcome{task: t}
	if o.err = in.lockOutside(ctx, t); o.err != nil {
		return o
	}
	if o.reused, o.err = in.acquire(ctx, t); o.err != nil || o.reused {
		return o
	}
	start := in.s.opts.Clock()
	o.err = in.unpack(ctx, t, start)
	o.took = in.s.opts.Clock().Sub(start)
	if o.err != nil {
		o.err = errors.Join(o.err, in.s.removePrefix(t.prefix))
	}
	return o
}

// lockOutside keeps others from removing what the package needs.
func (in *installer) lockOutside(ctx context.Context, t *task) error {
	for _, rec := range t.outside {
		if rec.Spec.External != nil {
			continue
		}
		r, err := prefixRange(rec.Spec.Hash)
		if err != nil {
			return err
		}
		if err := in.s.prefixes.lock(ctx, r, shared, label(rec.Spec), in.s.opts.PrefixTimeout); err != nil {
			return err
		}
		in.hold(r)
		now, err := in.s.Records(ctx)
		if err != nil {
			return err
		}
		if now := now.Get(rec.Spec.Hash); now == nil || !in.s.Present(now) {
			return fmt.Errorf("it needs %s, which %w any more", label(rec.Spec), ErrNotInstalled)
		}
	}
	return nil
}

// acquire takes the exclusive lock of a prefix that is to be made, or a shared
// one of a package that is there, or that somebody else finishes meanwhile.
func (in *installer) acquire(ctx context.Context, t *task) (reused bool, err error) {
	locks := in.s.prefixes
	err = locks.poll(ctx, t.lock, label(t.spec), in.s.opts.PrefixTimeout, func() (bool, error) {
		if ok, err := in.present(ctx, t); ok || err != nil {
			reused = ok
			if err == nil {
				ok, err = locks.try(t.lock, shared)
			}
			if !ok || err != nil {
				return false, err
			}
		} else if ok, err := locks.try(t.lock, exclusive); !ok || err != nil {
			return false, err
		}
		// Nobody changes it now; look again.
		there, err := in.present(ctx, t)
		if err != nil || there != reused {
			return false, errors.Join(err, locks.release(t.lock))
		}
		in.hold(t.lock)
		return true, nil
	})
	return reused, err
}

// present tells whether the package is there and recorded at this moment.
func (in *installer) present(ctx context.Context, t *task) (bool, error) {
	records, err := in.s.Records(ctx)
	if err != nil {
		return false, err
	}
	rec := records.Get(t.spec.Hash)
	return rec != nil && in.s.Present(rec), nil
}

func (in *installer) hold(r lockRange) {
	in.mutex.Lock()
	defer in.mutex.Unlock()
	in.held = append(in.held, r)
}

// unlock gives back all locks, after everything is recorded.
func (in *installer) unlock() {
	for _, r := range in.held {
		_ = in.s.prefixes.release(r) // the kernel does it at the latest when the store is closed
	}
}

// unpack makes the prefix. What is in its place is not recorded, so it is what
// somebody left who was stopped.
func (in *installer) unpack(ctx context.Context, t *task, start time.Time) (err error) {
	if err := in.s.makeParents(t.prefix); err != nil {
		return err
	}
	if err := in.removeLeftovers(t); err != nil {
		return err
	}
	archive, err := in.opts.Fetch(ctx, t.spec)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	fetched := in.s.opts.Clock()
	_, err = in.opts.Unpack(ctx, archive, binary.Request{
		Spec: t.spec, Specs: in.specs, Prefix: t.prefix, Root: in.s.unpadded, StoreRoot: in.s.root, Locate: in.locate,
		Limits: in.opts.Limits, NoSync: true, // it comes before recording
	})
	if err != nil {
		return err
	}
	if err := writeTimes(t, fetched.Sub(start), in.s.opts.Clock().Sub(fetched)); err != nil {
		return err
	}
	if err := setPermissions(t.prefix); err != nil {
		return err
	}
	return in.s.clearFailure(t)
}

// makeParents makes the directories above a prefix with the permissions of the
// root, as create_install_directory in Spack's directory_layout.py does.
func (s *Store) makeParents(prefix string) error {
	relative, err := s.inside(prefix)
	if err != nil {
		return err
	}
	info, err := os.Stat(s.root)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(s.root)
	if err != nil {
		return err
	}
	defer root.Close()
	return root.MkdirAll(filepath.Dir(relative), info.Mode().Perm())
}

// removeLeftovers removes what is left of installs that were stopped: a prefix,
// and the directories beside it in which [binary.Install] was at work.
func (in *installer) removeLeftovers(t *task) error {
	if err := in.s.removePrefix(t.prefix); err != nil {
		return err
	}
	dir := filepath.Dir(t.prefix)
	names, err := in.unfinished(dir)
	for _, name := range names {
		if strings.HasPrefix(name, ".tmp-"+string(t.spec.Hash)+"-") {
			err = errors.Join(err, in.s.removePrefix(filepath.Join(dir, name)))
		}
	}
	return err
}

// unfinished lists the temporary directories in dir, which is read once: most
// trees have all their prefixes in one. Those of other packages may be in use.
func (in *installer) unfinished(dir string) ([]string, error) {
	in.mutex.Lock()
	defer in.mutex.Unlock()
	if names, known := in.temporary[dir]; known {
		return names, nil
	}
	entries, err := os.ReadDir(dir)
	names := []string{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".tmp-") {
			names = append(names, e.Name())
		}
	}
	in.temporary[dir] = names
	return names, err
}

// removePrefix removes a prefix, but never anything outside of the tree. None
// is no error.
func (s *Store) removePrefix(prefix string) error {
	relative, err := s.inside(prefix)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(s.root)
	if err != nil {
		return err
	}
	defer root.Close()
	err = root.RemoveAll(relative)
	if errors.Is(err, fs.ErrPermission) { // read-only directories inside
		makeWritable(root, relative)
		err = root.RemoveAll(relative)
	}
	return err
}

// makeWritable lets the owner change the directories of a tree.
func makeWritable(root *os.Root, relative string) {
	_ = fs.WalkDir(root.FS(), relative, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = root.Chmod(path, 0o700)
		}
		if err != nil {
			return fs.SkipDir
		}
		return nil
	})
}

// clearFailure removes the mark with which Spack remembers that a package could
// not be installed (FailureTracker in database.py): dependents are refused
// while it is there.
func (s *Store) clearFailure(t *task) error {
	err := os.Remove(filepath.Join(s.dbPath("failures"), t.spec.Name+"-"+string(t.spec.Hash)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

type installTimes struct {
	Total  float64        `json:"total"`
	Phases []installPhase `json:"phases"`
	Name   string         `json:"name"`
	Cache  bool           `json:"cache"`
	Hash   string         `json:"hash"`
}

type installPhase struct {
	Name    string  `json:"name"`
	Path    string  `json:"path"`
	Seconds float64 `json:"seconds"`
	Count   int     `json:"count"`
}

// writeTimes writes install_times.json, as _write_timer_json in Spack's
// installer.py does for what comes from a cache.
func writeTimes(t *task, fetch, install time.Duration) error {
	data, err := json.Marshal(installTimes{
		Total: (fetch + install).Seconds(), Name: t.spec.Name, Cache: true, Hash: string(t.spec.Hash),
		Phases: []installPhase{{"fetch", "fetch", fetch.Seconds(), 1}, {"install", "install", install.Seconds(), 1}},
	})
	if err != nil {
		return err
	}
	path := timesPath(t.prefix)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}
