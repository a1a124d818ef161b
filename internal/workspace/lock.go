package workspace

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/sync/errgroup"

	"esd/internal/config/lockfile"
	"esd/internal/oci"
	"esd/internal/providers"
	"esd/internal/providers/recipe"
)

// PinChange is what `esd lock` does to one pin. Before or After is empty for
// one that is new or goes.
type PinChange struct {
	Pin           providers.Pin
	Before, After string
}

// LockResult is what `esd lock` found.
type LockResult struct {
	// Changes are the pins that change; Unchanged counts the others.
	Changes   []PinChange
	Unchanged int
	Warnings  hcl.Diagnostics

	next *lockfile.Lock
	path string
}

// Lock resolves everything mutable that the configuration names. Pins that
// exist are kept unless upgrade is set. Nothing is written before
// [LockResult.Write].
func (w *Workspace) Lock(ctx context.Context, upgrade bool) (*LockResult, error) {
	resolved, diags := w.Resolve(ctx, nil)
	if diags.HasErrors() {
		return nil, diags
	}
	wanted := pinsOf(resolved)
	values := make([]string, len(wanted))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, pin := range wanted {
		if before := w.pinned(pin); before != "" && !upgrade {
			values[i] = before
			continue
		}
		group.Go(func() (err error) {
			values[i], err = w.resolvePin(ctx, pin)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	result := &LockResult{Warnings: diags, next: lockfile.New(), path: w.LockPath()}
	for i, pin := range wanted {
		setPin(result.next, pin, values[i])
		if before := w.pinned(pin); before != values[i] {
			result.Changes = append(result.Changes, PinChange{pin, before, values[i]})
			continue
		}
		result.Unchanged++
	}
	for _, pin := range w.lockedPins() {
		if !slices.Contains(wanted, pin) {
			result.Changes = append(result.Changes, PinChange{Pin: pin, Before: w.pinned(pin)})
		}
	}
	return result, nil
}

// pinsOf lists what the configuration names, each once, in a fixed order.
func pinsOf(r *Resolved) []providers.Pin {
	var list []providers.Pin
	for _, o := range r.Objects {
		for _, pin := range o.Pins {
			if !slices.Contains(list, pin) {
				list = append(list, pin)
			}
		}
	}
	return list
}

func (w *Workspace) pinned(pin providers.Pin) string {
	if pin.Image != "" {
		digest, _ := w.lock.Image(lockfile.Image{Reference: pin.Image, Platform: pin.Platform})
		return digest
	}
	commit, _ := w.lock.Git(lockfile.Git{URL: pin.Repository, Ref: pin.Ref})
	return commit
}

func (w *Workspace) lockedPins() []providers.Pin {
	var list []providers.Pin
	for _, p := range w.lock.Images() {
		list = append(list, providers.Pin{Image: p.Reference, Platform: p.Platform})
	}
	for _, p := range w.lock.Gits() {
		list = append(list, providers.Pin{Repository: p.URL, Ref: p.Ref})
	}
	return list
}

func setPin(l *lockfile.Lock, pin providers.Pin, value string) {
	if pin.Image != "" {
		l.SetImage(lockfile.Image{Reference: pin.Image, Platform: pin.Platform}, value)
		return
	}
	l.SetGit(lockfile.Git{URL: pin.Repository, Ref: pin.Ref}, value)
}

// resolvePin asks what something mutable is at present.
func (w *Workspace) resolvePin(ctx context.Context, pin providers.Pin) (string, error) {
	if pin.Image == "" {
		commit, err := recipe.ResolveRef(ctx, pin.Repository, pin.Ref)
		if err != nil {
			return "", fmt.Errorf("locking ref %q of %s: %w", pin.Ref, pin.Repository, err)
		}
		return commit, nil
	}
	digest, err := w.resolveImage(ctx, pin)
	if err != nil {
		return "", fmt.Errorf("locking base image %q: %w", pin.Image, err)
	}
	return digest, nil
}

func (w *Workspace) resolveImage(ctx context.Context, pin providers.Pin) (string, error) {
	ref, err := oci.ParseRef(pin.Image)
	if err != nil {
		return "", err
	}
	if ref.Layout != "" && !filepath.IsAbs(ref.Layout) {
		ref.Layout = filepath.Join(filepath.Dir(w.WorkDir), ref.Layout)
	}
	store, err := oci.Open(ctx, ref, oci.Options{UserAgent: "esd/" + w.opts.Version, Meter: w.opts.Meter})
	if err != nil {
		return "", err
	}
	platform, err := oci.ParsePlatform(pin.Platform)
	if err != nil {
		return "", err
	}
	image, err := oci.LoadImage(ctx, store, ref.Reference(), platform)
	if errors.Is(err, oci.ErrNotFound) {
		return "", fmt.Errorf("there is no such image for %s: %w", pin.Platform, err)
	}
	if err != nil {
		return "", err
	}
	return string(image.Descriptor.Digest), nil
}

// Write writes the lock file.
func (r *LockResult) Write() error { return r.next.Write(r.path) }
