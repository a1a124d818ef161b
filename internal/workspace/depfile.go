package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"esd/internal/addr"
	"esd/internal/plan"
	"esd/internal/providers"
	"esd/internal/providers/environment"
	"esd/internal/spack"
	"esd/internal/spack/depfile"
	"esd/internal/spack/lockfile"
)

// DepfileUsageError tells that a depfile was asked for in a way that is not
// understood.
type DepfileUsageError struct{ Err error }

func (e *DepfileUsageError) Error() string { return e.Err.Error() }
func (e *DepfileUsageError) Unwrap() error { return e.Err }

// maxSpackLock bounds what is read as a spack.lock; real ones have about 1.5 kB
// a package.
const maxSpackLock = 256 << 20

// SpackLock is a spack.lock and the Spack environment that it is of.
type SpackLock struct {
	// Path is the file, for messages.
	Path string
	// Dir is the directory of the environment, absolute, for `spack -e`.
	Dir  string
	Data []byte
}

// ReadSpackLock reads a spack.lock: a file, or that of a directory.
func ReadSpackLock(path string) (SpackLock, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "spack.lock")
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return SpackLock{}, err
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return SpackLock{}, fmt.Errorf("there is no %s; a Spack environment has one after spack concretize", path)
	}
	if err != nil {
		return SpackLock{}, err
	}
	defer f.Close()
	var b bytes.Buffer
	if info, err := f.Stat(); err == nil && info.Size() < maxSpackLock {
		b.Grow(int(info.Size()) + bytes.MinRead)
	}
	_, err = b.ReadFrom(io.LimitReader(f, maxSpackLock+1))
	switch {
	case err != nil:
		return SpackLock{}, err
	case b.Len() > maxSpackLock:
		return SpackLock{}, fmt.Errorf("%s is larger than %d MiB, which no lock is", path, maxSpackLock>>20)
	}
	return SpackLock{Path: path, Dir: dir, Data: b.Bytes()}, nil
}

// EnvironmentLock reads the spack.lock of an environment of the configuration.
func (w *Workspace) EnvironmentLock(ctx context.Context, a addr.Address) (SpackLock, error) {
	resolved, diags := w.Resolve(ctx, nil)
	if diags.HasErrors() {
		return SpackLock{}, diags
	}
	o := resolved.Object(a)
	if o == nil {
		return SpackLock{}, fmt.Errorf("there is no %s in the configuration; `esd graph` shows the addresses", a)
	}
	if o.Unlocked != "" {
		return SpackLock{}, &plan.UnlockedError{Address: a, Why: o.Unlocked}
	}
	e, ok := environment.Of(o)
	if !ok {
		return SpackLock{}, fmt.Errorf("%s is no environment", a)
	}
	return w.spackEnvironment(o, e)
}

// spackEnvironment makes of an environment one that Spack knows: a directory with
// a spack.yaml and a spack.lock, below the working data, for `spack -e`.
func (w *Workspace) spackEnvironment(o *providers.Object, e environment.Environment) (SpackLock, error) {
	lock, err := ReadSpackLock(e.LockPath)
	if err != nil {
		return lock, err
	}
	manifest, err := environment.Manifest(o)
	if err != nil {
		return lock, err
	}
	name := strings.TrimSuffix(filepath.Base(e.LockPath), ".spack.lock")
	lock.Dir = filepath.Join(w.WorkDir, "environments", name)
	for file, content := range map[string][]byte{"spack.yaml": manifest, "spack.lock": lock.Data} {
		if err := writeLock(filepath.Join(lock.Dir, file), content); err != nil {
			return lock, err
		}
	}
	return lock, nil
}

// DepfileOptions are those of `spack env depfile`.
type DepfileOptions struct {
	UseBuildcache string  // "only", "package:never,dependencies:only"
	Prefix        *string // before all targets; nil for the default
	NoJobserver   bool
	JSON          bool     // the graph, instead of a Makefile
	Specs         []string // queries; none for the roots
}

// Depfile makes a Makefile, or a graph in JSON, of a lock. Packages is how many
// it installs: with none of them it is an empty one, as Spack's.
func Depfile(lock SpackLock, opts DepfileOptions) (text []byte, packages int, err error) {
	use, err := depfile.ParseUseBuildcache(opts.UseBuildcache)
	if err != nil {
		return nil, 0, &DepfileUsageError{fmt.Errorf("--use-buildcache: %w", err)}
	}
	l, err := lockfile.Parse(lock.Data)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", lock.Path, err)
	}
	roots := lockfile.Hashes(l.AllRoots())
	if len(opts.Specs) > 0 {
		if roots, err = depfile.Select(l.Specs, roots, l.Syntax(), opts.Specs...); err != nil {
			return nil, 0, &DepfileUsageError{err}
		}
	}
	g := depfile.New(l.Specs, roots, use)
	if opts.JSON {
		text, err = g.JSON(lock.Path)
	} else {
		text, err = g.Makefile(makeOptions(lock, l.Syntax(), opts))
	}
	return text, len(g.Nodes), err
}

func makeOptions(lock SpackLock, syntax spack.Syntax, opts DepfileOptions) depfile.MakeOptions {
	return depfile.MakeOptions{Environment: lock.Dir, Prefix: opts.Prefix, NoJobserver: opts.NoJobserver, Syntax: syntax}
}

// WriteDepfile writes a file, whole or not at all. What is no regular file, such
// as /dev/stdout, is written as it is.
func WriteDepfile(path string, text []byte) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return os.WriteFile(path, text, 0o644)
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	if err := writeLock(path, text); err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	return nil
}
