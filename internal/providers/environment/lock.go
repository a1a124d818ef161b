package environment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"esd/internal/providers"
	"esd/internal/spack/command"
	"esd/internal/spack/lockfile"
)

// Lock lets Spack concretize an environment, unless its lock fits its inputs
// already. Nothing that happens to be installed or in a cache is preferred, so
// the same inputs give the same packages.
func (p *Provider) Lock(ctx context.Context, req providers.LockRequest) (providers.Locked, error) {
	e := req.Object.Spec.(*env)
	if e.lock != nil && !req.Upgrade {
		return providers.Locked{Unchanged: true}, nil
	}
	data, err := p.content(ctx, e, req)
	if err != nil {
		return providers.Locked{}, fmt.Errorf("locking %s: %w", e.address, err)
	}
	after, err := lockfile.Parse(data)
	if err != nil {
		return providers.Locked{}, fmt.Errorf("locking %s: what Spack wrote cannot be used: %w", e.address, err)
	}
	locked := providers.Locked{Path: e.lockFile, Environment: e.inputs}
	locked.Environment.SHA256 = digest(data)
	before, err := p.before(e)
	if err != nil {
		return locked, fmt.Errorf("locking %s: %w", e.address, err)
	}
	if before == nil || before.sha256 != locked.Environment.SHA256 {
		locked.Content = data
	}
	if req.Adopt {
		locked.Changes = adopted(e, after, locked.Environment.SHA256)
		locked.Unchanged = e.lock != nil // what stands there is compared with itself
		return locked, nil
	}
	locked.Changes = changes(before, after)
	if before != nil && len(locked.Changes) == 0 && before.lock != nil {
		// Spack orders what it writes differently from run to run: the same
		// packages are the same lock.
		locked.Content, locked.Environment.SHA256 = nil, before.sha256
		locked.Unchanged = e.lock != nil // the inputs are what they were, too
	}
	return locked, nil
}

// content is what the lock is to be: as it stands there if that is wanted, or
// what Spack makes of the inputs.
func (p *Provider) content(ctx context.Context, e *env, req providers.LockRequest) ([]byte, error) {
	if req.Adopt {
		data, err := readFile(e.lockPath)
		switch {
		case errors.Is(err, fs.ErrNotExist) && e.from != "":
			data, err = readFile(filepath.Join(filepath.Dir(e.from), "spack.lock"))
			if err != nil {
				return nil, fmt.Errorf("there is no lock to adopt, neither %s nor a spack.lock beside %s", e.lockPath, e.from)
			}
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("there is no lock to adopt at %s: put the spack.lock there first", e.lockPath)
		case err != nil:
			return nil, err
		}
		return data, fitting(e, data)
	}
	return p.concretize(ctx, e, req.Log)
}

func (p *Provider) before(e *env) (*readLock, error) {
	data, err := readFile(e.lockPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	lock, err := lockfile.Parse(data)
	return &readLock{digest(data), lock, err}, nil
}

// changes tells in the words of packages what is different.
func changes(before *readLock, after *lockfile.Lock) []string {
	if before == nil {
		return []string{fmt.Sprintf("%s for %s", count(len(after.Order), "package"), count(len(after.AllRoots()), "spec"))}
	}
	if before.lock == nil {
		return []string{fmt.Sprintf("%s, in place of a lock that could not be read", count(len(after.Order), "package"))}
	}
	lines := inWords(lockfile.Diff(before.lock, after))
	if was, is := before.lock.Spack.Version, after.Spack.Version; len(lines) > 0 && was != is {
		lines = append([]string{fmt.Sprintf("by Spack %s, before by %s", spackVersion(is), spackVersion(was))}, lines...)
	}
	return lines
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// concretize lets Spack solve.
func (p *Provider) concretize(ctx context.Context, e *env, log io.Writer) ([]byte, error) {
	dir := p.spackDir(e.instance)
	in, err := p.open(ctx, e.instance, e.config, command.Settings{
		// Nothing is installed, and where it would be depends on the lock.
		Dir: instanceDir(dir), Store: command.Store{Root: filepath.Join(dir, "no-store")},
	})
	if err != nil {
		return nil, err
	}
	req := command.ConcretizeRequest{Output: log}
	if e.from == "" {
		req.Manifest, err = manifestOf(e)
	} else {
		req.Manifest, req.Files = e.existing.manifest, e.existing.files
		if e.existing.repos != "" && len(e.instance.Packages) > 0 {
			return nil, fmt.Errorf("%s names a package repository, and so does the spack block of the environment, which would hide it: "+
				"leave it to the spack block, which pins what it names", e.existing.repos)
		}
	}
	if err != nil {
		return nil, err
	}
	return in.Concretize(ctx, req)
}

// manifestOf is the spack.yaml of an environment. JSON is YAML.
func manifestOf(e *env) ([]byte, error) {
	return json.Marshal(map[string]any{"spack": map[string]any{
		"specs": e.specs, "view": false, "concretizer": map[string]any{"unify": unify(e.config), "reuse": false},
	}})
}

// unify is how far packages are the same throughout an environment: as the
// configuration says, and otherwise all of them.
func unify(config json.RawMessage) any {
	var c struct {
		Concretizer struct {
			Unify any `json:"unify"`
		} `json:"concretizer"`
	}
	if len(config) == 0 || json.Unmarshal(config, &c) != nil || c.Concretizer.Unify == nil {
		return true
	}
	return c.Concretizer.Unify
}
