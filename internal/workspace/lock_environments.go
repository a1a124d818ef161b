package workspace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"esd/internal/addr"
	"esd/internal/config/lockfile"
	"esd/internal/plan"
	"esd/internal/providers"
)

// EnvironmentLock is what `esd lock` does to the lock of one environment.
type EnvironmentLock struct {
	Address string
	// Path is the file that is written; empty where it stays as it is.
	Path string
	// Replaces tells that a lock is there already and gets other packages.
	Replaces bool
	// New tells that the environment was not locked before.
	New bool
	// Changes says in words what is different, a line each.
	Changes []string

	content []byte
}

// lockEnvironments concretizes what has to be, with the pins that were just
// found: one environment after the other, since Spack needs gigabytes for each.
func (w *Workspace) lockEnvironments(ctx context.Context, result *LockResult, opts LockFileOptions) error {
	current := w.lock
	defer func() { w.lock = current }()
	w.lock = result.next
	for _, address := range current.Environments() {
		e, _ := current.Environment(address)
		w.lock.SetEnvironment(address, e) // to compare with; what is not named any more goes below
	}
	resolved, diags := w.Resolve(ctx, nil)
	if diags.HasErrors() {
		return diags
	}
	if err := w.checkLockFiles(resolved.Objects); err != nil {
		return err
	}
	kept := map[string]bool{}
	for _, o := range resolved.Objects {
		locker, ok := w.Kinds.Kind(o.Kind).(providers.Locker)
		if !ok {
			continue
		}
		address := o.Address.String()
		kept[address] = true
		if !named(opts.Targets, o.Address) {
			continue
		}
		if opts.Telling != nil && !opts.Adopt && (o.Unlocked != "" || opts.Upgrade) {
			opts.Telling(fmt.Sprintf("Spack concretizes %s, which takes a minute or several.", address))
		}
		locked, err := locker.Lock(ctx, providers.LockRequest{
			Object: o, Lookup: resolved.Object, Upgrade: opts.Upgrade, Adopt: opts.Adopt, Log: opts.Log,
		})
		if err != nil {
			return err
		}
		w.enter(result, address, locked)
	}
	for _, address := range w.lock.Environments() {
		if !kept[address] {
			result.next.RemoveEnvironment(address)
			result.Environments = append(result.Environments, EnvironmentLock{Address: address, Changes: []string{"is no longer in the configuration"}})
		}
	}
	return nil
}

// checkLockFiles refuses environments with one file for the locks of both, before
// one is overwritten.
func (w *Workspace) checkLockFiles(objects []*providers.Object) error {
	owner := map[string]addr.Address{}
	for _, o := range objects {
		kind := w.Kinds.Kind(o.Kind)
		claimer, claims := kind.(providers.Claimer)
		if _, locks := kind.(providers.Locker); !locks || !claims {
			continue
		}
		for _, file := range claimer.Claims(o) {
			if first, taken := owner[file]; taken {
				return &plan.ConflictError{Place: file, First: first, Second: o.Address}
			}
			owner[file] = o.Address
		}
	}
	return nil
}

func named(targets []addr.Target, a addr.Address) bool {
	return len(targets) == 0 || slices.ContainsFunc(targets, func(t addr.Target) bool { return t.Matches(a) })
}

// enter enters what an environment was locked to.
func (w *Workspace) enter(result *LockResult, address string, locked providers.Locked) {
	if locked.Unchanged {
		result.Unchanged++
		return
	}
	_, had := result.next.Environment(address)
	result.next.SetEnvironment(address, lockfile.Environment(locked.Environment))
	change := EnvironmentLock{Address: address, New: !had, Changes: locked.Changes, content: locked.Content}
	if locked.Content != nil {
		change.Path = locked.Path
		_, err := os.Stat(locked.Path)
		change.Replaces = err == nil
	}
	if len(change.Changes) == 0 {
		change.Changes = []string{"the same packages"}
	}
	result.Environments = append(result.Environments, change)
}

// Write writes the locks of environments, then the lock file that names them:
// killed in between, the next `esd lock` finds them again.
func (r *LockResult) Write() error {
	for _, e := range r.Environments {
		if e.Path == "" {
			continue
		}
		if err := writeLock(e.Path, e.content); err != nil {
			return fmt.Errorf("the lock of %s cannot be written: %w", e.Address, err)
		}
	}
	return r.next.Write(r.path)
}

func writeLock(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(content)
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
