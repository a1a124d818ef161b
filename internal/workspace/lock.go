package workspace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/sync/errgroup"

	"esd/internal/addr"
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

// LockFileOptions says what to pin, and how.
type LockFileOptions struct {
	// Upgrade resolves pins and concretizes environments anew that are locked.
	Upgrade bool
	// Adopt takes the spack.lock files that stand there for environments whose
	// lock does not fit.
	Adopt bool
	// Targets are the environments to lock; none for all.
	Targets []addr.Target
	// Log receives what Spack says.
	Log io.Writer
	// Telling is told, in a line each, what takes long; may be nil.
	Telling func(string)
}

// LockResult is what `esd lock` found.
type LockResult struct {
	// Changes are the pins that change; Unchanged counts the others.
	Changes   []PinChange
	Unchanged int
	// Environments are those whose lock changes.
	Environments []EnvironmentLock
	Warnings     hcl.Diagnostics

	next *lockfile.Lock
	path string
}

// Lock resolves everything mutable that the configuration names, and lets Spack
// concretize the environments whose lock does not fit. Pins that exist are kept
// unless Upgrade is set. Nothing is written before [LockResult.Write].
func (w *Workspace) Lock(ctx context.Context, opts LockFileOptions) (*LockResult, error) {
	resolved, diags := w.Resolve(ctx, nil)
	if diags.HasErrors() {
		return nil, diags
	}
	result, err := w.lockPins(ctx, resolved, opts.Upgrade)
	if err != nil {
		return nil, err
	}
	result.Warnings = diags
	return result, w.lockEnvironments(ctx, result, opts)
}

// lockPins looks up what images and repositories are at present.
func (w *Workspace) lockPins(ctx context.Context, resolved *Resolved, upgrade bool) (*LockResult, error) {
	wanted := pinsOf(resolved)
	values := make([]string, len(wanted))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, ways := range wanted {
		if before := w.pinned(ways[0]); before != "" && !upgrade {
			values[i] = before
			continue
		}
		group.Go(func() (err error) {
			values[i], err = w.resolveWays(ctx, ways)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	result := &LockResult{next: lockfile.New(), path: w.LockPath()}
	for i, ways := range wanted {
		pin := ways[0].Identity()
		setPin(result.next, pin, values[i])
		if before := w.pinned(pin); before != values[i] {
			result.Changes = append(result.Changes, PinChange{pin, before, values[i]})
			continue
		}
		result.Unchanged++
	}
	for _, pin := range w.lockedPins() {
		if !slices.ContainsFunc(wanted, func(ways []providers.Pin) bool { return ways[0].Identity() == pin }) {
			result.Changes = append(result.Changes, PinChange{Pin: pin, Before: w.pinned(pin)})
		}
	}
	return result, nil
}

// pinsOf lists what the configuration names, each once, in a fixed order: for
// each the ways to reach it that differ.
func pinsOf(r *Resolved) [][]providers.Pin {
	var list [][]providers.Pin
	at := map[providers.Pin]int{}
	for _, o := range r.Objects {
		for _, pin := range o.Pins {
			i, known := at[pin.Identity()]
			if !known {
				i = len(list)
				at[pin.Identity()] = i
				list = append(list, nil)
			}
			if !slices.Contains(list[i], pin) {
				list[i] = append(list[i], pin)
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

// resolveWays asks by each way. The lock file holds one value for all of them.
func (w *Workspace) resolveWays(ctx context.Context, ways []providers.Pin) (string, error) {
	value := ""
	for i, pin := range ways {
		got, err := w.resolvePin(ctx, pin)
		if err != nil {
			return "", err
		}
		if i > 0 && got != value {
			return "", fmt.Errorf("base image %q is named more than once and is not the same everywhere: %s is %s, but %s is %s; write paths or tags that differ",
				pin.Image, ways[0].Fetch, value, pin.Fetch, got)
		}
		value = got
	}
	return value, nil
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
	ref, err := oci.ParseRef(pin.Fetch)
	if err != nil {
		return "", err
	}
	store, err := oci.Open(ctx, ref, oci.Options{
		UserAgent: "esd/" + w.opts.Version, Meter: w.opts.Meter, PlainHTTP: pin.PlainHTTP, CAFile: pin.CAFile,
	})
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
